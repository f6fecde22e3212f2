"""What is due on an incident, as rows: the guide's 5, 10, 15 and 20 minutes, and an update every 15 until it is over.

Times are copied when the incident is declared, so that a later change of the targets does not rewrite the past.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from operations.models import Incident, Timer

Kind = Timer.Kind
TARGETS: dict[str, timedelta] = {
    Kind.ACKNOWLEDGE: timedelta(minutes=5),
    Kind.SEVERITY: timedelta(minutes=10),
    Kind.COMMANDER: timedelta(minutes=15),
    Kind.MITIGATION: timedelta(minutes=20),
}


def start_all(incident: Incident, *, now: datetime) -> None:
    # In any other zone Python adds to the clock on the wall, which skips and repeats an hour twice a year.
    now = now.astimezone(UTC)
    for kind, length in TARGETS.items():
        start(incident, kind, due_at=now + length, now=now)
    start(incident, Kind.UPDATE, due_at=now + incident.update_every, now=now)


def start(incident: Incident, kind: str, *, due_at: datetime, now: datetime) -> None:
    """One of a kind runs at a time; a running one is left as it is."""
    if not running(incident).filter(kind=kind).exists():
        Timer.objects.create(incident=incident, kind=kind, started_at=now, due_at=due_at)


def meet(incident: Incident, kind: str, *, now: datetime) -> None:
    running(incident).filter(kind=kind).update(met_at=now)


def restart_updates(incident: Incident, *, now: datetime) -> None:
    meet(incident, Kind.UPDATE, now=now)
    start(incident, Kind.UPDATE, due_at=now + incident.update_every, now=now)


def drop(incident: Incident, kind: str, *, now: datetime) -> None:
    running(incident).filter(kind=kind).update(dropped_at=now)


def drop_all(incident: Incident, *, now: datetime) -> None:
    running(incident).update(dropped_at=now)


def all_running(several: Iterable[Incident]) -> QuerySet[Timer]:
    return Timer.objects.filter(incident__in=several, met_at__isnull=True, dropped_at__isnull=True)


def running(incident: Incident) -> QuerySet[Timer]:
    return incident.timers.filter(met_at__isnull=True, dropped_at__isnull=True)
