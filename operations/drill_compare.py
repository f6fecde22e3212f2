"""A restored copy beside what was counted of the live database in the minute of its instant.

What must be there: the checkpoint of that minute and none later, every table, every row of what only grows, about as many
of the rest, and the migrations of that time. Rows that were erased since are taken away in neither direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import connection
from django.utils.dateparse import parse_datetime

from operations import checkpoints
from operations.models import Checkpoint

# A row is stamped a moment before it is committed.
MARGIN = timedelta(seconds=2)
# What comes and goes within a minute, such as sessions and leases.
SLACK, SHARE = 20, 0.02
# An index may have outlived the rows that it names.
_FROM_THE_ROWS = ("enable_indexonlyscan", "enable_indexscan", "enable_bitmapscan")
Copy = psycopg.Connection[Any]


class Differs(Exception):
    """One sentence: what the copy lacks or has too much of."""


@dataclass(frozen=True)
class Expected:
    """`last` must be in the copy; `before` is the last count and `after` the next one, where there is one."""

    instant: datetime
    last: Checkpoint
    before: Checkpoint
    after: Checkpoint | None


@dataclass(frozen=True)
class Compared:
    checkpoint_at: datetime
    tables: int


def expected(instant: datetime) -> Expected:
    until = Checkpoint.objects.filter(at__lte=instant - MARGIN).order_by("at")
    last, before = until.last(), until.exclude(tables={}).last()
    if last is None or before is None:
        raise Differs("Nothing was counted before this instant, so that a copy of it cannot be compared.")
    after = Checkpoint.objects.filter(at__gt=instant).exclude(tables={}).order_by("at").first()
    return Expected(instant, last, before, after)


def compare(copy: Copy, wanted: Expected) -> Compared:
    """Raises Differs with the first three differences."""
    cursor = copy.cursor()
    for setting in _FROM_THE_ROWS:
        cursor.execute(f"SET {setting} = off")
    told = _missing(cursor, wanted)
    if told:  # nothing else can be asked of it
        raise Differs(_joined(told))
    newest = _checkpoint(cursor, wanted)
    with connection.cursor() as live:
        found = checkpoints.counted(cursor, at=wanted.before.at)
        told = [line for table in wanted.before.tables for line in _table(table, wanted, found, cursor, live)]
        told += _migrations(cursor, live, wanted.instant)
    if told:
        raise Differs(_joined(told))
    return Compared(newest, len(wanted.before.tables))


def _missing(cursor: Any, wanted: Expected) -> list[str]:
    """A table that the next count does not know either was dropped in that minute."""
    cursor.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
    there = {row[0] for row in cursor.fetchall()}
    both = [table for table in wanted.before.tables if wanted.after is None or table in wanted.after.tables]
    return [f"{table} is missing" for table in both if table not in there]


def _checkpoint(cursor: Any, wanted: Expected) -> datetime:
    cursor.execute("SELECT number, at FROM operations_checkpoint ORDER BY number DESC LIMIT 1")
    row = cursor.fetchone()
    at: datetime | None = row[1] if row else None
    if at is None or at < wanted.last.at:
        raise Differs(f"The checkpoint of {wanted.last.at:%H:%M:%S} UTC is not in the copy: it ends too early.")
    if at > wanted.instant:
        raise Differs(f"The copy holds a checkpoint of {at:%H:%M:%S} UTC, which is later than the instant.")
    return at


def _table(table: str, wanted: Expected, found: checkpoints.Tables, copy: Any, live: Any) -> list[str]:
    if table not in found:
        return []
    was, now = wanted.before.tables[table], found[table]
    after = wanted.after.tables.get(table, was) if wanted.after else was
    if "number" in was:
        return _grown(table, was, copy, live)
    if was.get("some") and not (now.get("some") or now.get("rows")):
        return [f"{table} is empty"]
    if "rows" not in was or "rows" not in now or "rows" not in after:
        return []
    least, most = sorted((was["rows"], after["rows"]))
    if least and not now["rows"]:
        return [f"{table} is empty in place of {least:,} rows"]
    slack = max(SLACK, int(most * SHARE))
    if not least - slack <= now["rows"] <= most + slack:
        return [f"{table} has {now['rows']:,} rows in place of {least:,} to {most:,}"]
    return []


def _grown(table: str, was: dict[str, Any], copy: Any, live: Any) -> list[str]:
    there = checkpoints.again(copy, table, was)
    if (there["number"], there["latest"], there["key"]) == (was["number"], was["latest"], was["key"]):
        return []
    # Somebody may have been erased between the count and the instant; then the live table has fewer too.
    left = checkpoints.again(live, table, was)["number"]
    if left <= there["number"] < was["number"]:
        return []
    until = parse_datetime(was["until"])
    return [f"{table} has {there['number']:,} rows up to {until:%H:%M:%S} UTC in place of {was['number']:,}"]


def _migrations(copy: Any, live: Any, instant: datetime) -> list[str]:
    statement = "SELECT app || '.' || name FROM django_migrations WHERE applied <= %s"
    copy.execute(statement, [instant])
    there = {row[0] for row in copy.fetchall()}
    live.execute(statement, [instant - MARGIN])
    lacking = {row[0] for row in live.fetchall()} - there
    return [f"the migration {name} is missing" for name in sorted(lacking)]


def _joined(told: list[str]) -> str:
    more = f", and {len(told) - 3} more" if len(told) > 3 else ""
    return f"The copy differs: {'; '.join(told[:3])}{more}."
