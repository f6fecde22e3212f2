"""Telling subscribers of an incident: the notice is written in the caller's commit, with an entry in the timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from operations import communication, incidents, notifications
from operations.models import Delivery, Incident, Notice, TimelineEntry
from operations.phrases import count


@transaction.atomic
def announce(incident: Incident, event: str, *, now: datetime, by: User | None, text: str = "") -> Notice:
    """`event` is a word for programs: declared, update, identified, monitoring, resolved, reopened."""
    subject, body = communication.message(incident, now=now, text=text)
    notice = notifications.tell(
        notifications.subscribers(severity=incident.severity),
        about=Notice.About.INCIDENT,
        about_key=incident.pk,
        event=event,
        subject=subject,
        body=body,
        now=now,
        by=by,
        facts=facts(incident),
    )
    told = Delivery.objects.filter(notice=notice).count()
    incidents.write(
        incident, TimelineEntry.Kind.NOTICE, f"Told {count(told, 'subscriber', 'subscribers')}: {subject}", by=by, now=now
    )
    return notice


def facts(incident: Incident) -> dict[str, Any]:
    """What a program needs of it."""
    ended = incident.resolved_at
    return {
        "number": incident.number,
        "title": incident.title,
        "severity": incident.severity,
        "state": incident.state,
        "affected": incident.affected,
        "action": incident.action,
        "eta": incident.eta,
        "impact_started_at": incident.impact_started_at.isoformat(),
        "resolved_at": ended.isoformat() if ended else None,
    }
