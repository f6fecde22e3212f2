"""Erasing people so that they stay erased: the rows go and a line of hashes is kept, in the database and outside of it,
and every restored copy is gone through by that record before anybody sees it.

Backups are not rewritten: they hold what was erased until they are too old to be kept, and it goes again on the way back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
import structlog
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from conversations import erasure
from conversations.erasure import Cursor, Found, Person, Unseal
from jeevo.fields import unseal
from jeevo.logging import masked
from operations import databases, erasure_record, postgres
from operations.erasure_record import DAMAGED, Damaged, Entry
from operations.models import Erasure

log = structlog.get_logger(__name__)
# A line is written a moment before what it tells of is committed.
MARGIN = timedelta(minutes=10)
TRIES = 3
# Any constant will do; one erasure at a time.
_LOCK = 7_233_862
_ROWS = "SELECT number, hash FROM operations_erasure ORDER BY number"
Copy = psycopg.Connection[Any]


class Refused(Exception):
    """One sentence: why nobody was erased."""


def look(person: Person) -> Found:
    """What would go."""
    with connection.cursor() as cursor:
        return erasure.find(cursor, person.until(timezone.now()), contacts=person.contacts)


def erase(person: Person, *, reason: str, by: User | None = None, all_the_same: bool = False) -> Erasure:
    """For good. Raises Refused while they are being helped, unless `all_the_same`; and Damaged."""
    reason = reason.strip()
    if not reason:
        raise Refused("Say why, in a few words.")
    if masked(reason) != reason:
        raise Refused("The reason holds what looks like a number, and it is kept: say it without.")
    for left in reversed(range(TRIES)):
        try:
            return _erase(person, reason=reason, by=by, all_the_same=all_the_same)
        except OperationalError as problem:
            # A worker took the same rows in another order; one of the two is asked to begin anew.
            if not left or not isinstance(problem.__cause__, psycopg.errors.DeadlockDetected):
                raise
    raise AssertionError("unreachable")


def _erase(person: Person, *, reason: str, by: User | None, all_the_same: bool) -> Erasure:
    with _alone() as cursor:
        erasure.lock(cursor, person)
        told = erasure.under_way(person)
        if told and not all_the_same:
            raise Refused(" ".join(told))
        # After the locks: what is older than this is theirs, and whoever comes later is somebody new.
        at = timezone.now()
        found = erasure.find(cursor, person.until(at), contacts=person.contacts)
        erasure.erase(cursor, found)
        # Last, so that the line is there before the rows are gone for others, and none is where the database refused.
        entry = erasure_record.append(person.identities, at=at)
        row = _row(entry, by=by, reason=reason, counts=found.counts)
        if by is not None:
            LogEntry.objects.log_actions(by.pk, [row], ADDITION, "Erased a person.", single_object=True)
    log.warning("a person was erased", erasure=row.number, by=by.pk if by else None, messages=found.counts["messages"])
    return row


@contextmanager
def _alone() -> Iterator[CursorWrapper]:
    """In one transaction, with the lines and the rows alike: a process that died may have left a line that has no row."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        _settle()
        yield cursor


def _row(entry: Entry, **fields: Any) -> Erasure:
    known = {"at": entry.at, "people": list(entry.people), "key": entry.key, "before": entry.before, "hash": entry.hash}
    return Erasure.objects.create(number=entry.number, **known, **fields)


def record(live: Cursor) -> list[Entry]:
    """The lines of the file, compared with those of the database, which may lack the last ones. Raises Damaged."""
    entries = erasure_record.read()
    live.execute(_ROWS)
    rows = live.fetchall()
    if rows != [(each.number, each.hash) for each in entries[: len(rows)]]:
        raise Damaged(DAMAGED)
    return entries


def check() -> None:
    """Raises Damaged."""
    with connection.cursor() as cursor:
        record(cursor)


def again(live: Copy, copy: Copy, *, since: datetime) -> dict[str, int]:
    """Erase in a restored copy whoever was erased since that instant; how much went. Raises Damaged."""
    return replay(copy, record(live.cursor()), since=since)


def again_in(name: str, *, since: datetime) -> dict[str, int]:
    """The same in a database beside the live one."""
    with databases.connect(postgres.live().database) as live, databases.connect(name) as copy:
        return again(live, copy, since=since)


def replay(
    copy: Copy, entries: Sequence[Entry], *, since: datetime, field_keys: Sequence[str] | None = None, unseal: Unseal = unseal
) -> dict[str, int]:
    later = [each for each in entries if each.at >= since - MARGIN]
    if not later:
        return {"erasures": 0}
    with copy.transaction():
        cursor = copy.cursor()
        found = erasure.find(cursor, erasure_record.until(later, field_keys=field_keys), unseal=unseal)
        erasure.erase(cursor, found)
    log.info("erasures were applied again", erasures=len(later), **found.counts)
    return {"erasures": len(later), **found.counts}


def settle() -> int:
    """After a start: lines that a restore or a kill left in one of the two come to the other; how many. Raises Damaged."""
    before = len(erasure_record.read()), Erasure.objects.count()
    with _alone():
        return abs(before[0] - before[1])


def _settle() -> None:
    entries, rows = erasure_record.read(), _of_database()
    short = min(len(entries), len(rows))
    if entries[:short] != rows[:short]:
        raise Damaged(DAMAGED)
    for each in entries[short:]:
        _row(each)
    if len(rows) > short:
        erasure_record.replace(rows)


def mend() -> int:
    """The file anew from the database, the damaged one beside it; how many lines. Raises Damaged where that is no better."""
    rows = _of_database()
    path = erasure_record.path()
    if path.exists():
        path.with_name(f"{path.name}.before-{timezone.now():%Y%m%d%H%M%S}").write_bytes(path.read_bytes())
    erasure_record.replace(rows)
    return len(rows)


def _of_database() -> list[Entry]:
    """Its rows as lines, chained as they should be."""
    rows = Erasure.objects.order_by("number")
    found = [Entry(each.number, each.at, tuple(each.people), each.key, each.before, each.hash) for each in rows]
    if erasure_record.of(erasure_record.text(found)) != found:
        raise Damaged("The record of erasures in the database is not what was written: restore a copy from before that.")
    return found
