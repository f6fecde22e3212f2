"""Who did what with a document and when, newest first, in words: "meera published it"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from knowledge.models import Document
from knowledge.review import DETAILS

PROGRAM = "Jeevo"


@dataclass(frozen=True)
class Detail:
    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    who: str
    did: str
    at: datetime
    details: tuple[Detail, ...] = ()


def of(document: Document, *, limit: int = 200) -> list[Change]:
    """What happened to it. The adding comes last, also where an import wrote many rows at once and left no history."""
    history: Any = document.history
    rows = list(history.select_related("history_user")[: limit + 1])
    changes = list(_changes(rows, document))[:limit]
    if len(rows) <= limit and not (rows and rows[-1].history_type == "+"):
        changes.append(Change(_name(document.uploaded_by), "added it", document.created_at))
    return changes


def _changes(rows: list[Any], document: Document) -> Iterator[Change]:
    for row, earlier in pairwise([*rows, None]):
        added = row.history_type == "+"
        did = row.history_change_reason or ("added it" if added else "changed it")
        # A worker adds what somebody brought.
        who = row.history_user or (document.uploaded_by if added else None)
        yield Change(_name(who), did, row.history_date, _details(row, earlier))


def _details(row: Any, earlier: Any) -> tuple[Detail, ...]:
    if earlier is None:
        return ()
    return tuple(
        Detail(name.replace("_", " "), _shown(getattr(earlier, name)), _shown(getattr(row, name)))
        for name in DETAILS
        if getattr(earlier, name) != getattr(row, name)
    )


def _shown(value: object) -> str:
    return str(value) if value not in (None, "") else "nothing"


def _name(person: Any) -> str:
    return str(person.get_full_name() or person.get_username()) if person else PROGRAM
