"""How well the service could be brought back this moment: from when on any instant can be had, and how much would be lost.

The figures are measured, never the target: seconds since the last change that is safe beside the server, and the last
backup that was restored to show that it is good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db import connection
from django.db.models import Max

from operations import postgres, recovery, sealed, tiers, wal
from operations.models import Backup, Heartbeat
from operations.phrases import lasted

State = Literal["good", "at_risk", "breached", "unknown"]
RPO = timedelta(minutes=15)
# A backup a day, and some time to make and check it.
VERIFIED_WITHIN, VERIFIED_AT_LAST = timedelta(hours=27), timedelta(hours=51)
# A new service has its first backup by then.
NEW = timedelta(minutes=30)
SILENT = timedelta(minutes=1)
NAME = "operator"


@dataclass(frozen=True)
class Protection:
    """`lost` is what would be lost now, None where nothing was ever backed up; `at_work` whether the operator's process is."""

    tier: tiers.Tier
    lost: timedelta | None
    verified_at: datetime | None
    state: State
    said: str
    at_work: bool

    @property
    def any_instant(self) -> bool:
        return self.tier.letter == "A"


def measure(*, now: datetime) -> Protection:
    tier = tiers.detect()
    lost, verified_at = _lost(tier, now=now), _verified_at()
    state = _state(lost, verified_at, now=now)
    beat = Heartbeat.objects.filter(name=NAME).values_list("at", flat=True).first()
    at_work = beat is not None and now - beat < SILENT
    return Protection(tier, lost, verified_at, state, _said(state, lost, verified_at, now=now), at_work)


def earliest() -> datetime | None:
    """The first instant that can be restored, read from the files."""
    try:
        found = recovery.window()
    except (sealed.Damaged, postgres.ToolProblem, OSError, KeyError):
        return None
    return found[0] if found else None


def _lost(tier: tiers.Tier, *, now: datetime) -> timedelta | None:
    if tier.letter == "A":
        try:
            seconds = wal.exposure(now=now)
        except (postgres.ToolProblem, OSError):
            seconds = None
        based = Backup.objects.kept().exclude(kind=Backup.Kind.DUMP).exists()
        if seconds is not None and based:
            return timedelta(seconds=seconds)
    # A dump holds what was there when it began.
    last = Backup.objects.kept().aggregate(last=Max("started_at"))["last"]
    return now - last if last else None


def _verified_at() -> datetime | None:
    found: datetime | None = Backup.objects.filter(status=Backup.Status.VERIFIED).aggregate(last=Max("verified_at"))["last"]
    return found


def _state(lost: timedelta | None, verified_at: datetime | None, *, now: datetime) -> State:
    if verified_at is None:
        return "unknown" if now - _began() < NEW else "breached"
    age = now - verified_at
    if age > VERIFIED_AT_LAST or lost is None or lost > RPO:
        return "breached"
    return "at_risk" if age > VERIFIED_WITHIN else "good"


def _began() -> datetime:
    """When the tables of this service were made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(applied) FROM django_migrations")
        found: datetime = cursor.fetchone()[0]
    return found


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
    """ "less than a second", "40 seconds", "everything"."""
    return "everything" if lost is None else lasted(lost)
