"""What people and detectors do with an incident. Every step is a row of its timeline, with the old and the new value.

Each function locks the incident, so that two people at once get one after the other, and the second is told.
A step that does not fit raises `NotNow` with a sentence for whoever tried it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Max

from operations import timers
from operations.models import FollowUp, Incident, TimelineEntry, Timer

State, Entry = Incident.State, TimelineEntry.Kind
# Any constant will do; it keeps two declarations from taking one number.
_NUMBERS = 7_233_862

NEXT: dict[str, tuple[str, ...]] = {
    State.TRIAGE: (State.INVESTIGATING, State.IDENTIFIED, State.MONITORING, State.RESOLVED, State.CANCELLED, State.DUPLICATE),
    State.INVESTIGATING: (State.IDENTIFIED, State.MONITORING, State.RESOLVED, State.CANCELLED, State.DUPLICATE),
    State.IDENTIFIED: (State.INVESTIGATING, State.MONITORING, State.RESOLVED, State.CANCELLED, State.DUPLICATE),
    State.MONITORING: (State.INVESTIGATING, State.IDENTIFIED, State.RESOLVED, State.CANCELLED, State.DUPLICATE),
    State.RESOLVED: (State.INVESTIGATING, State.POSTMORTEM, State.CLOSED),
    State.POSTMORTEM: (State.INVESTIGATING, State.CLOSED),
    State.CLOSED: (State.POSTMORTEM,),
    State.DUPLICATE: (State.TRIAGE,),
    State.CANCELLED: (State.TRIAGE,),
}
ROLES = ("commander", "scribe", "communications")
# What a form may change besides state, severity and roles; each change is an entry of its own.
FIELDS = ("title", "affected", "action", "eta", "details", "runbook", "public", "impact_started_at", "root_cause")


class NotNow(Exception):
    """The step does not fit what the incident is now; the message says why, for the person who tried."""


def declare(
    title: str,
    *,
    severity: int,
    now: datetime,
    by: User | None = None,
    kind: str = "manual",
    scope: str = "",
    source: str = Incident.Source.HAND,
    detected_at: datetime | None = None,
    impact_started_at: datetime | None = None,
    **fields: Any,
) -> tuple[Incident, bool]:
    """The incident and whether it is new. One that is open for this kind and scope gets a signal instead of a twin."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_NUMBERS])
        if kind != "manual":
            twin = Incident.objects.live().select_for_update().filter(kind=kind, scope=scope).first()
            if twin is not None:
                _signal(twin, title, severity, now=now)
                return twin, False
        number = (Incident.objects.aggregate(last=Max("number"))["last"] or 0) + 1
        detected_at = detected_at or now
        incident = Incident.objects.create(
            number=number,
            title=title[:200],
            kind=kind,
            scope=scope,
            source=source,
            severity=severity,
            declared_at=now,
            declared_by=by,
            detected_at=detected_at,
            impact_started_at=impact_started_at or detected_at,
            **fields,
        )
        timers.start_all(incident, now=now)
        write(incident, Entry.DECLARED, title, by=by, now=now, new=incident.get_severity_display())
        return incident, True


def _signal(incident: Incident, title: str, severity: int, *, now: datetime) -> None:
    """Seen again. Only what is new is said: a signal a minute would bury the timeline."""
    # What a person has confirmed, no signal changes.
    if severity < incident.severity and incident.severity_confirmed_at is None:
        _set_severity(incident, severity, by=None, now=now)
    if incident.state == State.MONITORING:
        _change(incident, "state", State.INVESTIGATING, by=None, now=now, text=f"Seen again: {title}")
        if incident.acknowledged_at is None:
            _ask_again(incident, now=now)


def _ask_again(incident: Incident, *, now: datetime) -> None:
    """Nobody has it: the contacts are told from the first one on."""
    incident.escalations, incident.escalated_at = 0, None
    incident.save()
    timers.drop(incident, Timer.Kind.ACKNOWLEDGE, now=now)
    timers.start(incident, Timer.Kind.ACKNOWLEDGE, due_at=now + timers.TARGETS[Timer.Kind.ACKNOWLEDGE], now=now)


@contextmanager
def locked(incident: Incident) -> Iterator[Incident]:
    with transaction.atomic():
        yield Incident.objects.select_for_update().get(pk=incident.pk)


def acknowledge(incident: Incident, *, by: User, now: datetime) -> Incident:
    with locked(incident) as row:
        if not row.is_live:
            raise NotNow("This incident is over; there is nothing to acknowledge.")
        if row.acknowledged_by is not None:
            raise NotNow(f"{_name(row.acknowledged_by)} acknowledged it already, at {row.acknowledged_at:%H:%M} UTC.")
        row.acknowledged_by, row.acknowledged_at = by, now
        row.first_acknowledged_at = row.first_acknowledged_at or now
        row.save()
        timers.meet(row, Timer.Kind.ACKNOWLEDGE, now=now)
        write(row, Entry.ACKNOWLEDGED, "", by=by, now=now)
        if row.state == State.TRIAGE:
            _change(row, "state", State.INVESTIGATING, by=by, now=now)
        return row


def lapse(incident: Incident, *, now: datetime) -> Incident:
    """Nobody has said anything for two intervals: whoever had it may be asleep, so the contacts are told again."""
    with locked(incident) as row:
        if row.is_live and row.acknowledged_by is not None:
            who = _name(row.acknowledged_by)
            row.acknowledged_by = row.acknowledged_at = None
            _ask_again(row, now=now)
            write(row, Entry.LAPSED, f"No update for two intervals; {who} no longer counts as having it.", by=None, now=now)
        return row


def set_severity(incident: Incident, severity: int, *, by: User, now: datetime, why: str = "") -> Incident:
    """Confirms or changes it; either settles the ten-minute target."""
    with locked(incident) as row:
        _set_severity(row, severity, by=by, now=now, why=why)
        row.severity_confirmed_at = row.severity_confirmed_at or now
        row.save()
        timers.meet(row, Timer.Kind.SEVERITY, now=now)
        return row


def _set_severity(incident: Incident, severity: int, *, by: User | None, now: datetime, why: str = "") -> None:
    old = incident.get_severity_display()
    incident.severity = severity
    incident.save()
    text = why or ("Severity confirmed." if old == incident.get_severity_display() else "")
    write(incident, Entry.CHANGED, text, by=by, now=now, field="severity", old=old, new=incident.get_severity_display())


def assign(incident: Incident, role: str, user: User | None, *, by: User, now: datetime) -> Incident:
    if role not in ROLES:
        raise ValueError(role)
    with locked(incident) as row:
        old: User | None = getattr(row, role)
        setattr(row, role, user)
        if role == "commander":
            row.commander_at = now if user else None
            if user:
                timers.meet(row, Timer.Kind.COMMANDER, now=now)
        row.save()
        write(row, Entry.CHANGED, "", by=by, now=now, field=role, old=_name(old), new=_name(user))
        return row


def begin_mitigation(incident: Incident, action: str, *, by: User, now: datetime) -> Incident:
    with locked(incident) as row:
        if not row.is_live:
            raise NotNow("This incident is over.")
        row.mitigation_began_at = row.mitigation_began_at or now
        row.save()
        timers.meet(row, Timer.Kind.MITIGATION, now=now)
        _change(row, "action", action[:400], by=by, now=now, text="Mitigation began.")
        return row


def move(incident: Incident, state: str, *, by: User | None, now: datetime, text: str = "") -> Incident:
    """To another state, with the times and timers that belong to it."""
    with locked(incident) as row:
        if state not in NEXT[row.state]:
            raise NotNow(f"It is {row.get_state_display()} now, and cannot become {State(state).label} from there.")
        _check_ending(row, state)
        was_live = row.is_live
        if state == State.MONITORING:
            row.mitigated_at = row.mitigated_at or now
            row.mitigation_began_at = row.mitigation_began_at or now
            timers.meet(row, Timer.Kind.MITIGATION, now=now)
        if state == State.RESOLVED:
            row.resolved_at = now
            row.mitigated_at = row.mitigated_at or now
        if state == State.CLOSED:
            row.closed_at = now
        _change(row, "state", state, by=by, now=now, text=text)
        if was_live and not row.is_live:
            timers.drop_all(row, now=now)
        if row.is_live and not was_live:
            row.resolved_at = row.closed_at = row.acknowledged_by = row.acknowledged_at = None
            _ask_again(row, now=now)
            timers.start(row, Timer.Kind.UPDATE, due_at=now + row.update_every, now=now)
        return row


def _check_ending(incident: Incident, state: str) -> None:
    if state == State.CLOSED and incident.severity <= 2 and incident.postmortem_at is None:
        raise NotNow("Severity 1 and 2 need a postmortem before they are closed: write down what happened and why.")
    if state == State.DUPLICATE and incident.duplicate_of is None:
        raise NotNow("Say which incident it repeats.")


def mark_duplicate(incident: Incident, of: Incident, *, by: User, now: datetime) -> Incident:
    if of.pk == incident.pk or of.duplicate_of_id is not None:
        raise NotNow("Choose another incident, one that is not a duplicate itself.")
    with locked(incident) as row:
        row.duplicate_of = of
        row.save()
        return move(row, State.DUPLICATE, by=by, now=now, text=f"The same as INC-{of.number}.")


def update(incident: Incident, text: str, *, by: User, now: datetime, **fields: str) -> Incident:
    """What staff say is going on: it settles the update that was due and starts the next interval."""
    with locked(incident) as row:
        for name, value in fields.items():
            if name not in ("affected", "action", "eta"):
                raise ValueError(name)
            if value != getattr(row, name):
                _change(row, name, value, by=by, now=now)
        row.last_update_at = now
        row.save()
        write(row, Entry.UPDATE, text, by=by, now=now)
        if row.is_live:
            timers.restart_updates(row, now=now)
        return row


def note(incident: Incident, text: str, *, by: User | None, now: datetime) -> TimelineEntry:
    return write(incident, Entry.NOTE, text, by=by, now=now)


def change(incident: Incident, *, by: User, now: datetime, **values: Any) -> Incident:
    """Fields of FIELDS that differ, one entry each."""
    with locked(incident) as row:
        for name, value in values.items():
            if name not in FIELDS:
                raise ValueError(name)
            if value != getattr(row, name):
                _change(row, name, value, by=by, now=now)
        return row


def write_postmortem(incident: Incident, text: str, *, root_cause: str, by: User, now: datetime) -> Incident:
    with locked(incident) as row:
        row.postmortem, row.root_cause, row.postmortem_by, row.postmortem_at = text, root_cause, by, now
        row.save()
        write(row, Entry.NOTE, "Postmortem saved.", by=by, now=now, field="postmortem")
        if row.state == State.RESOLVED:
            _change(row, "state", State.POSTMORTEM, by=by, now=now)
        return row


def follow_up(incident: Incident, text: str, *, kind: str, owner: User, due_on: Any, by: User, now: datetime) -> FollowUp:
    with transaction.atomic():
        item = FollowUp.objects.create(incident=incident, text=text, kind=kind, owner=owner, due_on=due_on, created_at=now)
        write(incident, Entry.FOLLOW_UP, text, by=by, now=now, field=kind, new=f"{_name(owner)}, by {due_on:%d %b %Y}")
        return item


def finish_follow_up(item: FollowUp, *, by: User, now: datetime) -> None:
    with transaction.atomic():
        if FollowUp.objects.filter(pk=item.pk, done_at__isnull=True).update(done_at=now, done_by=by):
            write(item.incident, Entry.FOLLOW_UP, item.text, by=by, now=now, old="open", new="done")


def write(
    incident: Incident, kind: str, text: str, *, by: User | None, now: datetime, field: str = "", old: str = "", new: str = ""
) -> TimelineEntry:
    values = {"field": field, "old": old[:400], "new": new[:400], "text": text}
    return TimelineEntry.objects.create(incident=incident, at=now, by=by, kind=kind, **values)


def _change(incident: Incident, name: str, value: Any, *, by: User | None, now: datetime, text: str = "") -> None:
    old = _shown(incident, name)
    setattr(incident, name, value)
    incident.save()
    write(incident, Entry.CHANGED, text, by=by, now=now, field=name, old=old, new=_shown(incident, name))


def _shown(incident: Incident, name: str) -> str:
    value = getattr(incident, name)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    display = getattr(incident, f"get_{name}_display", None)
    return str(display() if display else value)


def _name(user: User | None) -> str:
    return user.get_full_name() or user.get_username() if user else ""
