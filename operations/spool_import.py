"""Reads in what was written down while the database was away, with the times at which it was done.

Each file is a transaction of its own and is moved away after it; a crash in between reads it in again and changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from django.contrib.auth.models import User
from django.db import transaction

from operations import escalation, incidents, spool
from operations.models import Incident, Sighting, TimelineEntry
from operations.models.notices import Channel
from operations.spool import Known, Step, Unreadable

log = structlog.get_logger(__name__)
RIGHT = "operations.run_incident"
Entry = TimelineEntry.Kind


def look(now: datetime) -> int:
    """How many steps were read in. A file that cannot be is put aside and is on record in the log."""
    taken = 0
    for path in spool.waiting():
        try:
            step = spool.read(path)
            with transaction.atomic():
                _take(step, now=now)
        except Unreadable as problem:
            log.error("a step of an incident could not be read in", file=path.name, problem=str(problem))
            spool.put_away(path, "unreadable")
            continue
        spool.put_away(path, "imported")
        taken += 1
    return taken


def _take(step: Step, *, now: datetime) -> None:
    at, by = min(step.at, now), _account(step.by)
    if step.what == spool.DECLARE:
        _declare(step, by, at=at, now=now)
        return
    incident = _incident(step.of)
    if incident is None:
        raise Unreadable("it is about an incident that does not exist")
    if incident.timeline.filter(kind__in=[Entry.UPDATE, Entry.NOTE], at=at, text__startswith=step.text).exists():
        return
    if by is None or not incident.is_live or (incident.last_update_at or at) > at:
        text = step.text if by or not step.by else f"{step.text}\n\nWritten by {step.by[:60]}."
        incidents.write(incident, Entry.NOTE, text, by=by, now=at)
    else:
        incidents.update(incident, step.text, by=by, now=at)


def _declare(step: Step, by: User | None, *, at: datetime, now: datetime) -> None:
    if Incident.objects.filter(pk=step.key).exists():
        return
    incident, new = incidents.declare(
        step.title,
        severity=step.severity,
        now=at,
        by=by,
        kind=step.kind,
        source=Incident.Source.FILE,
        details=step.details,
        id=step.key,
    )
    who = f" Declared by {step.by[:60]}." if step.by and by is None else ""
    if new:
        text = f"Written down at {at:%H:%M} UTC while the database was away, read in at {now:%H:%M} UTC.{who}"
        incidents.write(incident, Entry.NOTE, text, by=None, now=now)
    if step.kind != "manual":
        seen = {"first_seen_at": at, "last_seen_at": now, "clear_since": None, "incident": incident}
        Sighting.objects.update_or_create(kind=step.kind, scope="", defaults=seen)


def _account(name: str) -> User | None:
    """Whoever may do this; a name that is not one of them stays a name in the text."""
    user = User.objects.filter(username=name, is_active=True).first() if name else None
    return user if user is not None and user.has_perm(RIGHT) else None


def _incident(of: str) -> Incident | None:
    try:
        return Incident.objects.filter(number=int(of)).first() if of.isdigit() else Incident.objects.filter(pk=UUID(of)).first()
    except ValueError:
        return None


def keep_contacts(_: datetime) -> bool:
    """The copy of the contacts, in the order in which they are told."""
    found = [
        Known(each.name, recipient.address)
        for each in escalation.contacts()
        for recipient in each.recipients
        if recipient.channel == Channel.EMAIL
    ]
    return spool.keep_contacts(found)
