"""What the database holds, counted each minute: a restored copy is laid beside the count of its own minute.

Tables that only grow are counted up to a minute ago, where nothing is under way any more, so that the copy must hold
exactly as many; the others about as many. A table that is too large to be counted each minute is only asked whether it
holds anything, and of one that only grows the last day is counted. No write-ahead log is forced for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db import connection
from django.utils.dateparse import parse_datetime

from operations.models import Checkpoint

KEPT, WHOLE = timedelta(days=31), timedelta(days=2)
# A transaction that is still under way was not counted; none of ours takes that long.
SETTLED = timedelta(minutes=1)
LATEST = timedelta(days=1)
COUNTED = 50_000
Tables = dict[str, dict[str, Any]]
_TABLES = """
    SELECT c.relname, quote_ident(c.relname), c.reltuples > %s FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY c.relname
"""


class Cursor(Protocol):
    """Django's, or that of a scratch server."""

    def execute(self, query: Any, params: Sequence[Any] | None = None) -> Any: ...

    def fetchall(self) -> Any: ...

    def fetchone(self) -> Any: ...


@dataclass(frozen=True)
class Growing:
    """A table whose rows stay: when each was made, its key, and what finds the latest of them by an index."""

    table: str
    at: str
    key: str = "id"
    indexed: str = "true"


GROWING = (
    Growing("conversations_inboundmessage", "received_at", indexed="payload IS NOT NULL"),
    Growing("conversations_answer", "created_at"),
    Growing("operations_timelineentry", "at"),
)
_BY_NAME = {each.table: each for each in GROWING}


def take(_: datetime) -> Checkpoint:
    """One row more, by the clock of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at = cursor.fetchone()[0]
        return Checkpoint.objects.create(at=at, tables=counted(cursor, at=at))


def forget(now: datetime) -> int:
    """Those of more than a month go. After two days one count in ten is enough, and of the others the time is kept."""
    rows = Checkpoint.objects.filter(at__lt=now - WHOLE).exclude(at__minute__in=range(0, 60, 10))
    rows.exclude(tables={}).update(tables={})
    return Checkpoint.objects.filter(at__lt=now - KEPT).delete()[0]


def counted(cursor: Cursor, *, at: datetime) -> Tables:
    """Every table as it is to be remembered."""
    cursor.execute(_TABLES, [COUNTED])
    known = cursor.fetchall()
    found = _rows(cursor, [quoted for name, quoted, large in known if not large])
    found |= _some(cursor, [quoted for name, quoted, large in known if large])
    large = {name for name, _, many in known if many}
    for each in GROWING:
        if each.table in found:
            since = at - LATEST if each.table in large else None
            found[each.table] |= growth(cursor, each, since=since, until=at - SETTLED)
    return found


def growth(cursor: Cursor, growing: Growing, *, since: datetime | None, until: datetime) -> dict[str, Any]:
    """How many rows a table got between two moments, and the newest of them."""
    where, values = f"{growing.at} <= %s", [until]
    if since is not None:
        where, values = f"{growing.indexed} AND {growing.at} > %s AND {where}", [since, until]
    # The names are ours.
    cursor.execute(f"SELECT count(*), max({growing.at}) FROM {growing.table} WHERE {where}", values)  # noqa: S608
    number, latest = cursor.fetchone()
    newest = None
    if latest is not None:
        same = f"{growing.indexed} AND {growing.at} = %s" if since else f"{growing.at} = %s"
        cursor.execute(f"SELECT max({growing.key}::text) FROM {growing.table} WHERE {same}", [latest])  # noqa: S608
        newest = cursor.fetchone()[0]
    return {
        "number": number,
        "latest": latest.isoformat() if latest else None,
        "key": newest,
        "since": since.isoformat() if since else None,
        "until": until.isoformat(),
    }


def again(cursor: Cursor, table: str, remembered: dict[str, Any]) -> dict[str, Any]:
    """The same stretch of the same table, counted elsewhere or later."""
    since = parse_datetime(remembered["since"]) if remembered["since"] else None
    until = parse_datetime(remembered["until"])
    assert until is not None
    return growth(cursor, _BY_NAME[table], since=since, until=until)


def _rows(cursor: Cursor, names: Sequence[str]) -> Tables:
    if not names:
        return {}
    cursor.execute(" UNION ALL ".join(f"SELECT '{name}', count(*) FROM public.{name}" for name in names))  # noqa: S608
    return {name.strip('"'): {"rows": number} for name, number in cursor.fetchall()}


def _some(cursor: Cursor, names: Sequence[str]) -> Tables:
    """Whether a large table holds anything."""
    if not names:
        return {}
    cursor.execute(" UNION ALL ".join(f"SELECT '{name}', EXISTS (SELECT FROM public.{name})" for name in names))  # noqa: S608
    return {name.strip('"'): {"some": there} for name, there in cursor.fetchall()}
