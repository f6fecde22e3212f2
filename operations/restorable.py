"""How well the service could be brought back this moment: from when on any instant can be had, and how much would be lost.

The figures are measured, never the target: seconds since the last change that is safe beside the server, and the last
backup that was restored to show that it is good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.core.cache import cache
from django.db import connection

from operations import postgres, recovery, sealed, tiers, wal
from operations.phrases import lasted

State = Literal["good", "at_risk", "breached", "unknown"]
RPO = timedelta(minutes=15)
# A backup a day, and some time to make and check it.
VERIFIED_WITHIN, VERIFIED_AT_LAST = timedelta(hours=27), timedelta(hours=51)
# A new service has its first backup by then.
NEW = timedelta(minutes=30)
SILENT = timedelta(minutes=1)
NAME, NOTED = "operator", "backups:exposure"
_ASK = """
    SELECT (SELECT max(verified_at) FROM operations_backup WHERE status = 'verified' AND kind <> 'configuration'),
           (SELECT max(started_at) FROM operations_backup WHERE status IN ('taken', 'verified') AND kind <> 'configuration'),
           EXISTS (SELECT 1 FROM operations_backup WHERE status IN ('taken', 'verified') AND kind IN ('full', 'incremental')),
           (SELECT min(applied) FROM django_migrations),
           (SELECT at FROM operations_heartbeat WHERE name = %s)
"""


@dataclass(frozen=True)
class Restorable:
    """`lost` is what would be lost now, None where nothing was ever backed up; `at_work` whether the operator's process is;
    `reasons` what keeps the server from being restored to any instant."""

    any_instant: bool
    reasons: tuple[str, ...]
    lost: timedelta | None
    verified_at: datetime | None
    state: State
    said: str
    at_work: bool


@dataclass(frozen=True)
class _Facts:
    verified_at: datetime | None
    last_begun: datetime | None
    based: bool
    born: datetime
    beat: datetime | None


def measure(*, now: datetime) -> Restorable:
    """Asked of the server itself."""
    tier, facts = tiers.detect(), _facts()
    return _restorable(facts, _exposure(now) if tier.letter == "A" else None, tier.letter == "A", tier.reasons, now=now)


def at_a_glance(*, now: datetime) -> Restorable:
    """One query: how far the log is received is what the operator's process noted a moment ago."""
    noted = cache.get(NOTED)
    return _restorable(_facts(), noted if isinstance(noted, float) else None, True, (), now=now)


def note(*, now: datetime) -> None:
    """By the process that receives the log, every other second."""
    seconds = _exposure(now)
    if seconds is not None:
        cache.set(NOTED, seconds, timeout=SILENT.total_seconds())


def earliest() -> datetime | None:
    """The first instant that can be restored, read from the files."""
    try:
        found = recovery.window()
    except (sealed.Damaged, postgres.ToolProblem, OSError, KeyError):
        return None
    return found[0] if found else None


def _exposure(now: datetime) -> float | None:
    try:
        return wal.exposure(now=now)
    except (postgres.ToolProblem, OSError):
        return None


def _facts() -> _Facts:
    with connection.cursor() as cursor:
        cursor.execute(_ASK, [NAME])
        return _Facts(*cursor.fetchone())


def _restorable(facts: _Facts, exposed: float | None, instants: bool, reasons: tuple[str, ...], *, now: datetime) -> Restorable:
    lost = None
    if exposed is not None and facts.based:
        lost = timedelta(seconds=exposed)
    elif facts.last_begun:  # a backup holds what was there when it began
        lost = now - facts.last_begun
    state = _state(lost, facts, now=now)
    at_work = facts.beat is not None and now - facts.beat < SILENT
    return Restorable(instants, reasons, lost, facts.verified_at, state, _said(state, lost, facts.verified_at, now=now), at_work)


def _state(lost: timedelta | None, facts: _Facts, *, now: datetime) -> State:
    if facts.verified_at is None:
        return "unknown" if now - facts.born < NEW else "breached"
    age = now - facts.verified_at
    if age > VERIFIED_AT_LAST or lost is None or lost > RPO:
        return "breached"
    return "at_risk" if age > VERIFIED_WITHIN else "good"


def _said(state: State, lost: timedelta | None, verified_at: datetime | None, *, now: datetime) -> str:
    if verified_at is None:
        if state == "unknown":
            return "The first backup is made some minutes after the first start."
        return "No backup has been restored to show that it is good. Take a full one now."
    age = lasted(now - verified_at)
    if state == "good":
        return f"The last backup that was restored to check it is {age} old."
    if lost is None or lost > RPO:
        return "More than 15 minutes of work would be lost now: look whether the operator's process runs."
    return f"The last backup that was restored to check it is {age} old; there should be one a day."


def in_words(lost: timedelta | None) -> str:
    """ "1 second", "40 seconds", "everything"."""
    return "everything" if lost is None else lasted(max(lost, timedelta(seconds=1)))
