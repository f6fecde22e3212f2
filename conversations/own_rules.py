"""The rules that hold now: those of the tree and what this service's clinicians added in the console.

A row that no longer fits the tree (a set was renamed by a new release) is left out and logged; the rules of the tree
hold whatever the rows say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import structlog
from django.db.models import Count, Max

from conversations import rulebook
from conversations.models import TriageRule
from conversations.rulebook import Added, Book, Level

log = structlog.get_logger(__name__)


def books() -> Sequence[Book]:
    """Read anew as soon as a row was saved, by any process."""
    seen = TriageRule.objects.aggregate(at=Max("updated_at"), count=Count("pk"))
    return _books(seen["at"], seen["count"]) if seen["count"] else rulebook.load()


@lru_cache(maxsize=2)
def _books(at: datetime | None, count: int) -> Sequence[Book]:
    files = rulebook.read_files()
    rows = [as_added(row) for row in TriageRule.objects.filter(active=True)]
    fitting = [row for row in rows if _fits(row, files)]
    return rulebook.remade(fitting)


def _fits(row: Added, files: rulebook.Files) -> bool:
    try:
        rulebook.compiled_alone(row, files)
    except (KeyError, ValueError) as error:
        log.error("a triage rule does not fit this release and is left out", rule=row.rule, problem=str(error))
        return False
    return True


def as_added(row: TriageRule) -> Added:
    return Added(
        key=f"own-{row.pk.hex[-8:]}",
        language=row.language,
        concept=row.concept,
        level=Level(row.level),
        source=row.source,
        patterns=lines(row.patterns),
        unless=lines(row.unless),
        switched_off=lines(row.switched_off),
    )


def lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
