"""An incident's timeline as people read it: latest first, each change with what it was and what it became."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from operations.models import FollowUp, Incident, TimelineEntry

Kind = TimelineEntry.Kind
SHOWN = {"updates": (Kind.DECLARED, Kind.UPDATE, Kind.NOTICE), "notes": (Kind.NOTE,)}
MOST = 200
FIELDS = {
    "title": "Title",
    "state": "State",
    "severity": "Severity",
    "affected": "Who is affected",
    "action": "What is being done",
    "eta": "When it should be over",
    "public": "Public",
    "details": "What is known",
    "runbook": "Runbook",
    "impact_started_at": "Impact began",
    "root_cause": "Root cause",
    "commander": "Commander",
    "scribe": "Scribe",
    "communications": "Communications",
    "postmortem": "Postmortem",
}
_HEADINGS = {
    Kind.DECLARED: "Declared",
    Kind.ACKNOWLEDGED: "Acknowledged",
    Kind.LAPSED: "Acknowledgement lapsed",
    Kind.ESCALATED: "Escalated",
    Kind.UPDATE: "Update",
    Kind.NOTE: "Note",
    Kind.DUE: "Due",
    Kind.SIGNAL: "Seen again",
    Kind.NOTICE: "Subscribers told",
    Kind.FOLLOW_UP: "Follow-up",
}


@dataclass(frozen=True)
class Line:
    at: datetime
    kind: str
    heading: str
    who: str
    text: str
    old: str = ""
    new: str = ""


def rows(incident: Incident, *, show: str = "") -> QuerySet[TimelineEntry]:
    """Latest first; `show` leaves only updates or only notes."""
    found = incident.timeline.select_related("by").order_by("-at", "-id")
    return found.filter(kind__in=SHOWN[show]) if show in SHOWN else found


def lines(incident: Incident, *, show: str = "") -> list[Line]:
    return [line(entry) for entry in rows(incident, show=show)[:MOST]]


def line(entry: TimelineEntry) -> Line:
    of_a_field = entry.kind == Kind.CHANGED or (entry.kind == Kind.NOTE and entry.field)
    heading = FIELDS.get(entry.field, entry.field) if of_a_field else str(_HEADINGS[Kind(entry.kind)])
    if entry.kind == Kind.FOLLOW_UP and entry.field in FollowUp.Kind.values:
        heading = f"Follow-up, {entry.field}"
    # Whoever was told stands in the text already.
    differs = entry.old != entry.new and entry.kind != Kind.ESCALATED
    old, new = (entry.old, entry.new) if differs else ("", "")
    return Line(entry.at, entry.kind, heading, _who(entry), entry.text, _plain(entry.field, old), _plain(entry.field, new))


def _who(entry: TimelineEntry) -> str:
    return entry.by.get_full_name() or entry.by.get_username() if entry.by else "Jeevo"


def _plain(field: str, value: str) -> str:
    return {"True": "yes", "False": "no"}.get(value, value) if field == "public" else value


def since(incident: Incident, seen: str, fields: tuple[str, ...]) -> list[Line]:
    """What became of these fields after the entry that a form was made beside; nothing where that entry is unknown."""
    key = _key(seen)
    last = incident.timeline.filter(pk=key).first() if key and fields else None
    if last is None:
        return []
    newer = Q(at__gt=last.at) | Q(at=last.at, id__gt=last.pk)
    steps = incident.timeline.filter(newer, kind__in=(Kind.CHANGED, Kind.NOTE), field__in=fields)
    return [line(entry) for entry in steps.select_related("by")]


def _key(typed: str) -> UUID | None:
    try:
        return UUID(typed)
    except ValueError:
        return None
