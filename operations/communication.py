"""What subscribers read about an incident: the guide's template, filled in with what staff said.

Pure: the same incident, words and moment give the same text, so that a preview is what is sent. It holds no name of
staff or patients, and a line that nobody has filled in says so instead of standing empty.
"""

from __future__ import annotations

from datetime import UTC, datetime

from operations.models import Incident
from operations.phrases import count

SERVICE = "Jeevo health helpline"
UNKNOWN = "not known yet"


def message(incident: Incident, *, now: datetime, text: str = "") -> tuple[str, str]:
    """Subject and body. `text` is what is said this time; without it the title speaks."""
    subject = f"{_status(incident)}: {incident.title} (INC-{incident.number})"
    lines = [
        f"Incident INC-{incident.number}: {incident.title}",
        "",
        f"Service: {SERVICE}",
        f"Severity: {incident.get_severity_display()}",
        f"Status: {_status(incident)}",
        f"Last known status: {_clock(now)}",
        f"Affected: {incident.affected or UNKNOWN}",
        f"Current action: {incident.action or UNKNOWN}",
        *_ending(incident),
        *(["", text.strip()] if text.strip() else []),
        "",
        _next(incident),
    ]
    return subject[:200], "\n".join(lines)


def _status(incident: Incident) -> str:
    """Triage is a word of the team: outside, somebody looks into it."""
    return "Investigating" if incident.state == Incident.State.TRIAGE else str(incident.get_state_display())


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%d %b %Y, %H:%M} UTC"


def _ending(incident: Incident) -> list[str]:
    if incident.resolved_at is not None:
        return [f"Resolved: {_clock(incident.resolved_at)}"]
    return [f"Expected to be over: {incident.eta or UNKNOWN}"]


def _next(incident: Incident) -> str:
    if not incident.is_live:
        return "This is the last message about it, unless it comes back."
    minutes = int(incident.update_every.total_seconds() // 60)
    return f"The next message comes within {count(minutes, 'minute', 'minutes')}, or sooner when there is news."
