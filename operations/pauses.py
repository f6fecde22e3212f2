"""Maintenance mode: answers wait, without a window, until somebody says otherwise or the time is over.

Messages are stored, emergencies are answered at once, everybody else gets a notice once and their answer afterwards.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import connection, transaction

from operations import holding
from operations.models import MaintenanceWindow, Pause

USUAL = timedelta(hours=2)
LONGEST = timedelta(hours=24)
Kind = Pause.Kind
# Any constant will do.
_LOCK = 7_233_868


class NotPossible(Exception):
    """The message says why, for whoever tried."""


def current(kind: str = Kind.MODE) -> Pause | None:
    return Pause.objects.filter(kind=kind, ended_at__isnull=True).select_related("started_by").first()


@transaction.atomic
def begin(
    *,
    now: datetime,
    until: datetime | None = None,
    reason: str = "",
    by: User | None = None,
    kind: str = Kind.MODE,
    ends_with_start: bool = False,
) -> Pause:
    """Begin, or give the one that is in force another end and reason."""
    until = until or now + USUAL
    if not now < until <= now + LONGEST:
        raise NotPossible("Maintenance mode ends at a moment to come, at most 24 hours from now.")
    with connection.cursor() as cursor:
        # Two people at once: the second finds the row of the first.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    row = Pause.objects.select_for_update().filter(kind=kind, ended_at__isnull=True).first()
    if row is not None:
        row.until, row.reason, row.ends_with_start = until, reason[:200] or row.reason, ends_with_start
        holding.move_end(row, until)
    else:
        row = Pause(kind=kind, started_at=now, started_by=by, until=until, reason=reason[:200], ends_with_start=ends_with_start)
        holding.pause(row, now=now)
    row.save()
    return row


@transaction.atomic
def end(kind: str = Kind.MODE, *, now: datetime, by: User | None = None) -> Pause | None:
    """End it, if one is in force; people get their answers within half a minute."""
    row = Pause.objects.select_for_update().filter(kind=kind, ended_at__isnull=True).first()
    if row is not None:
        holding.end(row, now=now)
        row.ended_at, row.ended_by = now, by
        row.save()
    return row


def end_those_over(now: datetime) -> None:
    for row in Pause.objects.filter(ended_at__isnull=True, until__lte=now):
        end(row.kind, now=now)


def service_started(*, now: datetime) -> None:
    """What was stopped on purpose is back: the drain before it is over."""
    if Pause.objects.filter(ended_at__isnull=True, ends_with_start=True).exists():
        end(Kind.DRAIN, now=now)


def answers_wait() -> bool:
    """Whether answers wait on purpose now, for those who would otherwise think that something is stuck."""
    running = MaintenanceWindow.objects.filter(state=MaintenanceWindow.State.IN_PROGRESS, pauses_answering=True)
    return Pause.objects.filter(ended_at__isnull=True).exists() or running.exists()
