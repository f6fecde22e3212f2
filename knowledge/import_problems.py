"""What was left out of a file while the rest went on: counted all, listed the first hundred."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.extraction import Problem
from knowledge.models import ImportItem

MOST_KEPT = 100


def note(item: ImportItem, problems: Sequence[Problem]) -> None:
    """Put them into the item's fields; the caller saves it."""
    room = max(MOST_KEPT - len(item.problems), 0)
    item.bad += len(problems)
    item.problems += [[each.place[:300], each.sentence[:500]] for each in problems[:room]]
