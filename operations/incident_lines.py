"""An incident as plain lines and as JSON, for the command line: what is wrong, since when, who has it, what is due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from operations import timers
from operations.models import Incident, Timer
from operations.phrases import lasted


def line(incident: Incident, *, now: datetime) -> str:
    who = incident.acknowledged_by
    has = f"{who} has it" if who else "nobody has it"
    tail = f", {has}" if incident.is_live else ""
    ago = lasted(now - incident.declared_at)
    state = f"severity {incident.severity}  {incident.get_state_display()}"
    return f"INC-{incident.number}  {state}  {incident.title}  ({ago} ago{tail})"


def lines(incidents: Iterable[Incident], *, now: datetime) -> list[str]:
    return [line(each, now=now) for each in incidents] or ["No incident is open."]


def page(incident: Incident, *, now: datetime) -> list[str]:
    """Everything that the console's page says, in the order in which somebody needs it."""
    facts = [
        ("Severity", incident.get_severity_display()),
        ("State", incident.get_state_display()),
        ("Impact since", _clock(incident.impact_started_at)),
        ("Has it", str(incident.acknowledged_by or "nobody")),
        ("Commander", str(incident.commander or "nobody")),
        ("Affected", incident.affected),
        ("Being done", incident.action),
        ("Should be over", incident.eta),
        ("Runbook", incident.runbook),
        ("Details", incident.details),
    ]
    found = [f"INC-{incident.number}  {incident.title}", ""]
    found += [f"{name + ':':<16}{value}" for name, value in facts if value]
    due = [f"  {_due(timer, now=now)}" for timer in timers.running(incident)] if incident.is_live else []
    found += ["", "Due:", *due] if due else []
    found += ["", "Timeline (UTC):"]
    entries = incident.timeline.select_related("by")
    return found + [f"  {each.at:%d %b %H:%M}  {each.by or 'Jeevo'}  {_said(each)}" for each in entries]


def _due(timer: Timer, *, now: datetime) -> str:
    length = timer.due_at - now
    if length.total_seconds() <= 0:
        return f"{timer.get_kind_display()}: overdue for {lasted(-length)}"
    return f"{timer.get_kind_display()}: {lasted(length)} left"


def _said(entry: Any) -> str:
    change = f"{entry.field}: {entry.old or '-'} -> {entry.new or '-'}" if entry.field and (entry.old or entry.new) else ""
    return "; ".join(" ".join(part.split()) for part in (entry.get_kind_display(), change, entry.text) if part)


def _clock(at: datetime) -> str:
    return f"{at:%d %b %Y %H:%M} UTC"


def facts(incident: Incident) -> dict[str, Any]:
    """For programs: words of the database, times in ISO 8601."""
    times = ("impact_started_at", "detected_at", "declared_at", "acknowledged_at", "mitigated_at", "resolved_at")
    moments = {name: _iso(getattr(incident, name)) for name in times}
    named = {name: _name(getattr(incident, name)) for name in ("acknowledged_by", "commander")}
    words = ("number", "title", "kind", "scope", "state", "severity", "affected", "action", "eta", "runbook")
    due = {timer.kind: _iso(timer.due_at) for timer in timers.running(incident)}
    return {name: getattr(incident, name) for name in words} | moments | named | {"due": due}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _name(user: Any) -> str | None:
    return user.get_username() if user else None
