"""How well the service could be brought back this moment: from when on any instant can be had, and how much would be lost.

The figures are measured, never the target: seconds since the last change that is safe beside the server, and the last
backup that was restored to show that it is good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from operations import recovery_state
from operations.phrases import lasted
from operations.recovery_state import RPO, State

# A backup a day, and some time to make and check it.
VERIFIED_WITHIN, VERIFIED_AT_LAST = timedelta(hours=27), timedelta(hours=51)
# A new service has its first backup by then.
NEW = timedelta(minutes=30)
SILENT = timedelta(minutes=1)
NAME = "operator"
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
    `reasons` what keeps the server from being restored to any instant; `waiting` whether writes wait for the received log."""

    any_instant: bool
    reasons: tuple[str, ...]
    lost: timedelta | None
    verified_at: datetime | None
    state: State
    said: str
    at_work: bool
    waiting: str


@dataclass(frozen=True)
class _Facts:
    verified_at: datetime | None
    last_begun: datetime | None
    based: bool
    born: datetime
    beat: datetime | None


def measure(*, now: datetime) -> Restorable:
    """From what the watcher and the operator's process wrote down; nothing is asked of files or of the log here."""
    row = recovery_state.written()
    # Until the operator's process has looked, nothing speaks against the best.
    instants = row.tier in ("", "A")
    exposed = recovery_state.exposure_of(row, now=now) if instants else None
    facts = _facts()
    lost = exposed if exposed is not None and facts.based else None
    if lost is None and facts.last_begun:  # a backup holds what was there when it began
        lost = now - facts.last_begun
    state = _state(lost, facts, now=now)
    at_work = facts.beat is not None and now - facts.beat < SILENT
    said = _said(state, lost, facts.verified_at, now=now)
    if state == "good" and recovery_state.fell_back(row):
        state = "at_risk"
    waiting = recovery_state.waiting_said(row, now=now)
    return Restorable(instants, tuple(row.reasons), lost, facts.verified_at, state, said, at_work, waiting)


def earliest() -> datetime | None:
    """The first instant that can be restored."""
    row = recovery_state.written()
    return row.earliest if row.tier == "A" else None


def reasons() -> list[str]:
    """Sentences that say why no instant can be restored; none where instants can, or where nobody has looked yet."""
    return list(recovery_state.written().reasons)


def _facts() -> _Facts:
    with connection.cursor() as cursor:
        cursor.execute(_ASK, [NAME])
        return _Facts(*cursor.fetchone())


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
