"""Standbys as the server that they follow sees them: whether each follows, how far behind, and what its slot costs.

A standby has a physical slot of its own, so that the server keeps the log that it has not yet taken. The slot stands
where the standby last wrote to its disk, and is what an ordinary account may see of it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import connection

from operations.models import Standby
from operations.phrases import count, lasted

PREFIX = "jeevo_standby_"
_NAME = re.compile(r"^[a-z0-9_]{1,40}$")
# The watcher looks each round, which is every five seconds.
STALE, FRESH = timedelta(minutes=1), timedelta(seconds=15)
# A large one takes its time; whoever built it may also have been killed.
BUILT_WITHIN = timedelta(hours=6)
# A checkpoint or a large import may hold one up for a moment.
LATE = timedelta(minutes=1)
KEPT_WELL = ("reserved", "extended")
State = Standby.State
Shade = Literal["good", "at_risk", "breached", "unknown"]
_NOTE = """
    SELECT s.name, log.stands::text, coalesce(k.active, false), coalesce(k.wal_status, 'lost'),
           k.restart_lsn >= log.stands, k.restart_lsn >= nullif(s.position, '')::pg_lsn,
           log.stands < nullif(s.position, '')::pg_lsn
    FROM (SELECT pg_current_wal_flush_lsn() AS stands) AS log, operations_standby s
    LEFT JOIN pg_replication_slots k ON k.slot_name = s.slot
    WHERE s.promoted_at IS NULL
"""
_SLOTS = """
    SELECT slot_name, wal_status, active, safe_wal_size,
           pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)::bigint
    FROM pg_replication_slots WHERE slot_name = ANY(%s)
"""
_REACHED = "SELECT restart_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = %s AND active"


class NoSuchStandby(Exception):
    """One sentence."""


@dataclass(frozen=True)
class Slot:
    """`status` is PostgreSQL's word: reserved, extended, unreserved, lost. `safe_bytes`: how much more log may be written
    before the server lets go of it; None without a limit."""

    status: str
    active: bool
    safe_bytes: int | None
    behind_bytes: int | None


@dataclass(frozen=True)
class Seen:
    """`behind`: the work that is not on its disk; None where nobody knows."""

    name: str
    address: str
    state: str
    since: datetime
    behind: timedelta | None
    slot: Slot | None

    @property
    def shade(self) -> Shade:
        if self.state == State.LOST:
            return "breached"
        if self.state == State.AWAY or (self.behind is not None and self.behind > LATE):
            return "at_risk"
        return "good" if self.state == State.FOLLOWING and self.behind is not None else "unknown"

    @property
    def said(self) -> str:
        if self.state == State.LOST:
            return f'The standby "{self.name}" can follow no more: its part of the log is gone. Build it anew.'
        if self.state == State.BUILDING:
            return f'The standby "{self.name}" is being built.'
        if self.state == State.AWAY:
            return f'The standby "{self.name}" has not followed since {self.since:%Y-%m-%d %H:%M} UTC. {kept_for(self.slot)}'
        if self.behind is None:
            return f'The standby "{self.name}" was not looked at for a minute.'
        return f'The standby "{self.name}" follows, {lasted(self.behind)} behind.'


def slot_of(name: str) -> str:
    if not _NAME.match(name):
        raise NoSuchStandby("A standby's name has small letters, digits and _ only, and 40 of them at the most.")
    return PREFIX + name


def following() -> list[Standby]:
    """Every one that is meant to follow."""
    return list(Standby.objects.filter(promoted_at__isnull=True))


def note(now: datetime) -> None:
    """Up to when everything is on each standby. A busy one is never quite at the end, so a mark is set and waited for."""
    rows = {row.name: row for row in following()}
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(_NOTE)
        for name, *seen in cursor.fetchall():
            if name in rows:
                _noted(rows[name], *seen, now=now)


def _noted(
    row: Standby, stands: str, active: bool, status: str, level: bool, marked: bool, put_back: bool, *, now: datetime
) -> None:
    state = State.LOST if status == "lost" else State.FOLLOWING if active else State.AWAY
    if state == State.AWAY and row.state == State.BUILDING and now - row.since < BUILT_WITHIN:
        state = State.BUILDING
    if state != row.state:
        row.state, row.since = state, now
    if active and level:
        row.safe_at = now
    elif active and marked:
        row.safe_at = row.position_at
    if (active and (level or marked)) or not row.position or put_back:
        row.position, row.position_at = stands, now
    row.noted_at = now
    row.save(update_fields=["state", "since", "safe_at", "position", "position_at", "noted_at"])


def slots(names: list[str]) -> dict[str, Slot]:
    with connection.cursor() as cursor:
        cursor.execute(_SLOTS, [names])
        return {name: Slot(status or "", active, safe, behind) for name, status, active, safe, behind in cursor.fetchall()}


def look(*, now: datetime) -> list[Seen]:
    """As the watcher last wrote them down, with their slots as they are now."""
    return _looked(following(), now=now)


def _looked(rows: list[Standby], *, now: datetime) -> list[Seen]:
    known = slots([row.slot for row in rows]) if rows else {}
    return [_seen(row, known.get(row.slot), now=now) for row in rows]


def _seen(row: Standby, slot: Slot | None, *, now: datetime) -> Seen:
    state, since = row.state, row.since
    if slot is None or slot.status == "lost":
        state = State.LOST
    elif not slot.active and state == State.FOLLOWING:  # since the last look
        state, since = State.AWAY, row.noted_at or since
    return Seen(row.name, row.address, state, since, _behind(row, now=now), slot)


def _behind(row: Standby, *, now: datetime) -> timedelta | None:
    if row.noted_at is None or row.safe_at is None:
        return None
    if row.state == State.FOLLOWING and now - row.noted_at > STALE:
        return None
    # The last look found everything there, and it was a round or two ago.
    if row.safe_at >= row.noted_at and now - row.noted_at <= FRESH:
        return timedelta(0)
    return max(timedelta(0), now - row.safe_at)


def said(*, now: datetime) -> str:
    """One line for a page."""
    rows = list(Standby.objects.all())
    found = _looked([row for row in rows if row.promoted_at is None], now=now)
    if not found:
        past = [row for row in rows if row.promoted_at is not None]
        return _since_failover(past[-1]) if past else "No standby"
    worst = next((each for shade in ("breached", "at_risk", "unknown") for each in found if each.shade == shade), None)
    if worst is not None:
        return worst.said
    if len(found) == 1:
        return f"A standby follows, {lasted(found[0].behind or timedelta(0))} behind"
    return f"{count(len(found), 'standby follows', 'standbys follow')}, the last one {lasted(_last(found))} behind"


def _since_failover(row: Standby) -> str:
    took = lasted(timedelta(seconds=row.failover.get("seconds", 0)))
    return f"No standby since the failover of {row.promoted_at:%Y-%m-%d %H:%M} UTC, which took {took}"


def _last(found: list[Seen]) -> timedelta:
    return max(each.behind or timedelta(0) for each in found)


def measured(seen: Seen, *, seconds: float = 3.0) -> float | None:
    """How long it takes until what is committed now is on its disk; None when it does not get there in time."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_flush_lsn()::text")
        mark = cursor.fetchone()[0]
        while time.monotonic() - began < seconds:
            cursor.execute(_REACHED, [mark, slot_of(seen.name)])
            row: Any = cursor.fetchone()
            if row and row[0]:
                return time.monotonic() - began
            time.sleep(0.02)
    return None


def kept_for(slot: Slot | None) -> str:
    """How much log lies on this server's disk for it, and what happens to the disk."""
    if slot is None or slot.behind_bytes is None:
        return "Nothing is kept for it."
    held = f"This server keeps {slot.behind_bytes / 1e6:,.0f} MB of log for it on the disk"
    if slot.safe_bytes is None:
        return f"{held}, without a limit: it grows until the disk is full and the database stops."
    return f"{held}; in another {max(0, slot.safe_bytes) / 1e6:,.0f} MB it lets go of it."


def remove(name: str) -> None:
    """It is to follow no more: its slot goes, or it would keep the log until the disk is full."""
    row = Standby.objects.filter(name=name).first()
    slot = row.slot if row else slot_of(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s", [slot])
        found = cursor.fetchone()
        if row is None and found is None:
            raise NoSuchStandby(f"There is no standby named {name}: `manage.py standby status` shows those there are.")
        if found and found[0]:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [found[0]])
        cursor.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [slot])
    if row is not None:
        row.delete()
