"""What detectors and Alertmanager do with an incident: it is seen, it is seen again, it is no longer seen.

They never take an incident away from people: what is no longer seen moves to monitoring, and who resolves it is decided
there. Whoever has an incident is told when it comes back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from operations import addresses, escalation, incidents, notifications
from operations.models import Incident, TimelineEntry

State, Entry = Incident.State, TimelineEntry.Kind
# Where nobody has touched it and it is not serious, it ends by itself after this.
ENDS_AFTER = timedelta(minutes=30)
_WATCHED = (State.TRIAGE, State.INVESTIGATING, State.IDENTIFIED)


@transaction.atomic
def seen(kind: str, scope: str, title: str, *, severity: int, source: str, now: datetime, **fields: Any) -> tuple[Incident, bool]:
    """The open incident of this kind and scope, and whether it is new. One that had cleared is worked on again."""
    before = Incident.objects.live().filter(kind=kind, scope=scope).values_list("state", flat=True).first()
    incident, new = incidents.declare(
        title, severity=severity, now=now, kind=kind[:60], scope=scope[:120], source=source, **fields
    )
    if before == State.MONITORING and incident.state != State.MONITORING and incident.acknowledged_by is not None:
        _tell_holder(incident, now=now)
    return incident, new


def gone(incident: Incident, text: str, *, now: datetime) -> bool:
    """No longer seen: to monitoring, where it is not there yet or over."""
    with incidents.locked(incident) as row:
        if row.state not in _WATCHED:
            return False
        incidents.write(row, Entry.SIGNAL, text, by=None, now=now)
        incidents.move(row, State.MONITORING, by=None, now=now)
        return True


def end_untouched(incident: Incident, *, clear_since: datetime, now: datetime) -> bool:
    """A small incident that came and went before anybody touched it ends by itself; a serious one waits for a person."""
    with incidents.locked(incident) as row:
        if row.state != State.MONITORING or row.severity <= Incident.Severity.HIGH or now - clear_since < ENDS_AFTER:
            return False
        if row.timeline.filter(by__isnull=False).exists():
            return False
        text = "Not seen for 30 minutes, and nobody needed to do anything."
        incidents.move(row, State.RESOLVED, by=None, now=now, text=text)
        return True


def _tell_holder(incident: Incident, *, now: datetime) -> None:
    people = escalation.contacts()
    who = incident.commander or incident.acknowledged_by
    notifications.tell(
        escalation.ways_to(who, people) if who else [],
        about="incident",
        about_key=incident.pk,
        event="again",
        subject=f"INC-{incident.number}, severity {incident.severity}: it is seen again",
        body=f"{incident.title}\nIt had cleared and is seen again. Nobody else was told: you have it.\n\n"
        f"Open it: {addresses.of_incident(incident)}",
        now=now,
        facts={"number": incident.number, "severity": incident.severity},
    )
