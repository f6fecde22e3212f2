"""Figures over an hour, a day or a month, in slots for a plot, read from the roll-ups.

A slot knows how many of its minutes were measured. Where none was it is empty, which is not zero.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from operations.rollups import MARK, Sum


@dataclass(frozen=True)
class Window:
    key: str
    title: str
    length: timedelta
    slot: timedelta
    # Whether hours serve it; else minutes do.
    by_hours: bool = True


HOUR = Window("hour", "1 hour", timedelta(hours=1), timedelta(minutes=5), by_hours=False)
DAY = Window("day", "24 hours", timedelta(hours=24), timedelta(hours=1))
MONTH = Window("month", "30 days", timedelta(days=30), timedelta(days=1))
WINDOWS = (HOUR, DAY, MONTH)


@dataclass
class Slot:
    at: datetime
    sums: dict[str, Sum] = field(default_factory=dict)

    @property
    def known(self) -> int:
        """Minutes that were measured."""
        return self.sums[MARK].count if MARK in self.sums else 0


_ROWS = """
    SELECT name, date_bin(%(slot)s::interval, at, %(start)s::timestamptz) AS slot, count, total, largest, buckets
    FROM operations_rollup
    WHERE name = ANY(%(names)s::text[]) AND (
        period = 'hour' AND at >= %(start)s::timestamptz AND at < %(turn)s::timestamptz
        OR period = 'minute' AND at >= %(turn)s::timestamptz AND at <= %(now)s::timestamptz
    )
"""
_SUMS = f"WITH rows AS ({_ROWS}) SELECT name, slot, sum(count)::bigint, sum(total), max(largest) FROM rows GROUP BY name, slot"
_BUCKETS = f"""
    WITH rows AS ({_ROWS}) SELECT name, slot, key, sum(value::float8) FROM rows, jsonb_each_text(buckets)
    WHERE buckets <> '{{}}' GROUP BY name, slot, key
"""
_LAST_HOUR = "SELECT max(at) FROM operations_rollup WHERE period = 'hour' AND name = %s"


def read(window: Window, names: Collection[str], *, now: datetime) -> list[Slot]:
    """Every slot of the window, the oldest first, the one under way last."""
    start = begin(window, now)
    slots = {start + number * window.slot: Slot(start + number * window.slot) for number in range(_number(window))}
    values = {
        "names": [*names, MARK],
        "slot": window.slot,
        "start": start,
        "turn": _turn(window, start),
        "now": now,
    }
    for name, at, count, total, largest in _asked(_SUMS, values):
        slots[at].sums[name] = Sum(count, total, largest)
    for name, at, bound, number in _asked(_BUCKETS, values):
        slots[at].sums[name].buckets[bound] = number
    return list(slots.values())


def begin(window: Window, now: datetime) -> datetime:
    """The start of the first slot, on the round: five minutes, the hour, midnight."""
    zero = datetime(2000, 1, 1, tzinfo=UTC)
    current = zero + (now - zero) // window.slot * window.slot
    return current - (_number(window) - 1) * window.slot


def together(slots: Iterable[Slot]) -> Slot:
    """All of them as one."""
    whole: Slot | None = None
    for slot in slots:
        whole = whole or Slot(slot.at)
        for name, part in slot.sums.items():
            whole.sums.setdefault(name, Sum()).add(part)
    assert whole is not None, "a window has slots"
    return whole


def _number(window: Window) -> int:
    return int(window.length / window.slot)


def _turn(window: Window, start: datetime) -> datetime:
    """From here on minutes are read: behind the last hour that was made."""
    if not window.by_hours:
        return start
    ((last,),) = _asked(_LAST_HOUR, [MARK])
    return max(start, last + timedelta(hours=1)) if last else start


def _asked(query: str, values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
