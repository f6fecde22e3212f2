"""What is said about a maintenance window, to whom, in which words. One function a notice; each writes it on record."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse

from operations import notifications, recurrence
from operations.models import MaintenanceWindow, Notice, OnCallContact
from operations.phrases import count, lasted

AHEAD = timedelta(hours=48)
# A watcher that looks every few seconds is not late.
SLACK = timedelta(minutes=15)


def announced(window: MaintenanceWindow, *, now: datetime) -> Notice:
    left = window.starts_at - now
    first = [f"There will be maintenance: {window.title}."]
    if left < AHEAD - SLACK:
        first.append(f"It begins in {lasted(left)}. We aim to say so 48 hours before; this notice is late, and we are sorry.")
    return _tell(window, "scheduled", f"Maintenance on {when(window)}", [*first, *plan_of(window)], now=now)


def started(window: MaintenanceWindow, *, now: datetime, by: User) -> Notice:
    lines = [
        f"Maintenance has begun: {window.title}.",
        f"It is planned to end at {_moment(window.ends_at, now)}.",
        *_effect(window),
    ]
    return _tell(window, "started", f"Maintenance has begun: {window.title}", lines, now=now, by=by)


def changed(window: MaintenanceWindow, before: str, *, now: datetime, by: User | None) -> Notice:
    lines = [f"The maintenance “{window.title}” has changed.", f"It was announced as: {before}.", *plan_of(window)]
    return _tell(window, "changed", f"Maintenance has changed: {when(window)}", lines, now=now, by=by)


def extended(window: MaintenanceWindow, *, now: datetime, by: User) -> Notice:
    lines = [
        f"The maintenance “{window.title}” takes longer. It is now planned to end at {_moment(window.ends_at, now)}.",
        *_effect(window),
    ]
    return _tell(window, "changed", f"Maintenance takes longer: {window.title}", lines, now=now, by=by)


def cancelled(window: MaintenanceWindow, *, now: datetime, by: User | None) -> Notice:
    lines = [f"The maintenance on {when(window)} will not take place: {window.title}.", "Nothing changes for anybody."]
    return _tell(window, "cancelled", f"Maintenance is cancelled: {when(window)}", lines, now=now, by=by)


def overran(window: MaintenanceWindow, *, now: datetime, closes_at: datetime) -> Notice:
    late = now - window.ends_at
    since = f"{lasted(late)} ago" if late >= timedelta(minutes=1) else "now"
    lines = [
        f"The maintenance “{window.title}” should have ended {since}, at {_moment(window.ends_at, now)}, and is still open.",
        *_effect(window),
        f"If nobody ends or extends it, Jeevo ends it by itself at {_moment(closes_at, now)}, so that nobody waits for good.",
    ]
    return _tell(window, "overrun", f"Maintenance is over its time: {window.title}", lines, now=now, loud=True)


def left_open(window: MaintenanceWindow, *, now: datetime) -> Notice:
    lines = [
        f"The maintenance “{window.title}” was still open {lasted(now - window.ends_at)} after its planned end.",
        "Jeevo has ended it, and people get their answers again. Nobody has gone through the list after it yet.",
    ]
    return _tell(window, "completed", f"Maintenance was left open and is ended: {window.title}", lines, now=now, loud=True)


def completed(window: MaintenanceWindow, *, now: datetime, by: User) -> Notice:
    took = lasted(now - window.started_at) if window.started_at else "some time"
    lines = [f"The maintenance “{window.title}” is over. It took {took}.", "Everybody who wrote meanwhile gets their answer now."]
    return _tell(window, "completed", f"Maintenance is over: {window.title}", lines, now=now, by=by)


def when(window: MaintenanceWindow) -> str:
    return recurrence.said(window.starts_at, window.ends_at - window.starts_at)


def said_of(window: MaintenanceWindow) -> str:
    """When, how long and what, in one line: what a change is compared by."""
    return f"{when(window)}; {_downtime(window)}; {window.affects}"


def plan_of(window: MaintenanceWindow) -> list[str]:
    calendar = f"{settings.ENVIRONMENT.public_url}{reverse('maintenance_calendar')}" if settings.ENVIRONMENT.public_url else ""
    return [
        f"When: {when(window)}",
        f"How long it will be noticed: {_downtime(window)}",
        f"Affected: {window.affects}",
        *_effect(window),
        *([f"Calendar: {calendar}"] if calendar else []),
    ]


def _effect(window: MaintenanceWindow) -> list[str]:
    if not window.pauses_answering:
        return ["People get their answers as usual."]
    return [
        "Messages are kept. People are told once that their answer comes later, and get it afterwards."
        " Emergencies are answered at once."
    ]


def _downtime(window: MaintenanceWindow) -> str:
    minutes = int(window.expected_downtime.total_seconds() // 60)
    return f"about {count(minutes, 'minute', 'minutes')}" if minutes else "not at all"


def _moment(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%H:%M} UTC on {at:%A} {at.day} {at:%B}"


def _tell(
    window: MaintenanceWindow,
    event: str,
    subject: str,
    lines: list[str],
    *,
    now: datetime,
    by: User | None = None,
    loud: bool = False,
) -> Notice:
    """`loud`: the contacts on call hear of it too."""
    people = notifications.subscribers()
    if loud:
        for contact in OnCallContact.objects.filter(active=True):
            people += notifications.on_call(contact)
    return notifications.tell(
        people,
        about=Notice.About.WINDOW,
        about_key=window.pk,
        event=event,
        subject=f"{settings.ENVIRONMENT.service_name}: {subject}",
        body="\n".join(lines),
        now=now,
        by=by,
        facts=facts(window),
    )


def facts(window: MaintenanceWindow) -> dict[str, Any]:
    """What a program needs of a window; also what the status page shows."""
    return {
        "window": str(window.pk),
        "title": window.title,
        "state": window.state,
        "starts_at": window.starts_at.isoformat(),
        "ends_at": window.ends_at.isoformat(),
        "expected_downtime_minutes": int(window.expected_downtime.total_seconds() // 60),
        "components": list(window.components),
        "pauses_answering": window.pauses_answering,
    }
