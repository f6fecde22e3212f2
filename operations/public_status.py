"""What people outside may know, and nothing else: it is copied field by field from incidents marked as public.

A status is plain data that goes to JSON and back, so that the page can be written again from what was known last when
the database is away. No name of staff, no title written for staff, no number of a patient can get in.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Min, Prefetch, Q

from conversations.models import InboundMessage
from operations import pauses, public_maintenance
from operations.models import LIVE_STATES, Incident, TimelineEntry

State = Literal["working", "limited", "not_answering"]
KEPT = timedelta(days=90)
# Answers take seconds; people who wait this long are told so before anybody has declared an incident.
SLOW = timedelta(minutes=10)
SENTENCES: dict[State, str] = {
    "working": "{} is working.",
    "limited": "{} is working with limits.",
    "not_answering": "{} is not answering at the moment.",
}
# The words of the console are for staff; these are for somebody who waits.
STATES = {
    "triage": "We are looking into it",
    "investigating": "We are looking into it",
    "identified": "We know the cause and are putting it right",
    "monitoring": "It is put right, and we are watching it",
}
OVER = "It is over"
_MOMENTS = {"at", "started_at", "resolved_at", "changed_at", "late_since", "known_at", "as_of"}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class Update:
    id: str
    at: datetime
    text: str


@dataclass(frozen=True)
class PublicIncident:
    """`affected`, `action` and `eta` are the fields that staff fill in for people outside."""

    id: str
    state: str
    live: bool
    started_at: datetime
    resolved_at: datetime | None
    changed_at: datetime
    affected: str
    action: str
    eta: str
    updates: tuple[Update, ...] = ()


@dataclass(frozen=True)
class Status:
    service: str
    contact: str
    state: State
    sentence: str
    reason: str
    # When it was last learned from the database, and when the page was written.
    known_at: datetime | None = field(compare=False)
    as_of: datetime = field(compare=False)
    incidents: tuple[PublicIncident, ...] = ()
    maintenance: tuple[str, ...] = ()
    # Since when nothing new could be learned; empty when all is current.
    late_since: datetime | None = None

    @property
    def live(self) -> tuple[PublicIncident, ...]:
        return tuple(each for each in self.incidents if each.live)

    @property
    def past(self) -> tuple[PublicIncident, ...]:
        return tuple(each for each in self.incidents if not each.live)


def gather(now: datetime) -> Status:
    rows = _rows(now)
    worst = min((row.severity for row in rows if row.is_live), default=9)
    state, reason = _state(worst, paused=pauses.answers_wait(), slow=_somebody_waits(now))
    return _status(
        state,
        reason,
        now=now,
        known_at=now,
        incidents=tuple(_public(row) for row in rows),
        maintenance=maintenance_lines(now),
    )


def late(last: Status | None, *, since: datetime, now: datetime) -> Status:
    """What is said while the database cannot be asked: what was known last, and that answers may be late."""
    state: State = last.state if last and last.state != "working" else "limited"
    return _status(
        state,
        "Answers may be late. Messages are kept and answered later.",
        now=now,
        late_since=since,
        known_at=last.known_at if last else None,
        incidents=last.incidents if last else (),
        maintenance=last.maintenance if last else (),
    )


def _status(state: State, reason: str, *, now: datetime, known_at: datetime | None = None, **rest: Any) -> Status:
    service = settings.ENVIRONMENT.service_name
    sentence = SENTENCES[state].format(service)
    contact = settings.ENVIRONMENT.incident_contact
    return Status(service, contact, state, sentence, reason, known_at=known_at, as_of=now, **rest)


def maintenance_lines(now: datetime) -> tuple[str, ...]:
    """Planned and running maintenance, a sentence each."""
    return public_maintenance.lines(now)


def _rows(now: datetime) -> list[Incident]:
    """A duplicate is told by the one that it repeats, and a cancelled one was none."""
    said = TimelineEntry.objects.filter(kind=TimelineEntry.Kind.UPDATE).order_by("-at", "-pk")
    recent = Q(state__in=LIVE_STATES) | Q(state__in=["resolved", "postmortem", "closed"], resolved_at__gte=now - KEPT)
    rows = Incident.objects.filter(recent, public=True).order_by("-impact_started_at", "-number")
    return list(rows.prefetch_related(Prefetch("timeline", queryset=said)))


def _public(incident: Incident) -> PublicIncident:
    updates = tuple(Update(str(entry.pk), entry.at, _clean(entry.text)) for entry in incident.timeline.all())
    resolved = None if incident.is_live else incident.resolved_at
    moments = [incident.declared_at, *(update.at for update in updates), *([resolved] if resolved else [])]
    return PublicIncident(
        id=str(incident.pk),
        state=STATES.get(incident.state, OVER),
        live=incident.is_live,
        started_at=incident.impact_started_at,
        resolved_at=resolved,
        changed_at=max(moments),
        affected=_clean(incident.affected),
        action=_clean(incident.action) if incident.is_live else "",
        eta=_clean(incident.eta) if incident.is_live else "",
        updates=updates,
    )


def _clean(text: str) -> str:
    """No character that a feed may not hold."""
    return _UNPRINTABLE.sub("", text).strip()


def _somebody_waits(now: datetime) -> bool:
    open_now = Q(status="received") | Q(status__in=["waiting", "processing"])
    oldest = InboundMessage.objects.filter(open_now).aggregate(oldest=Min("received_at"))["oldest"]
    return bool(oldest and now - oldest > SLOW)


def _state(worst: int, *, paused: bool, slow: bool) -> tuple[State, str]:
    if worst == 1:
        return "not_answering", "Messages are kept and answered later."
    if worst < 4:
        return "limited", "What is affected stands below."
    if paused:
        return "limited", "Maintenance is in progress. Messages are kept and answered later; emergencies are answered at once."
    if slow:
        return "limited", "Some answers take longer than ten minutes. Messages are kept and answered."
    return "working", "Questions are answered as usual."


def to_json(status: Status) -> str:
    return json.dumps(asdict(status), cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)


def from_json(text: str) -> Status | None:
    """None for anything that is not a status, such as a file of another release."""
    try:
        value = json.loads(text, object_hook=_moments)
        incidents = tuple(
            PublicIncident(**{**each, "updates": tuple(Update(**update) for update in each["updates"])})
            for each in value["incidents"]
        )
        return Status(**{**value, "incidents": incidents, "maintenance": tuple(value["maintenance"])})
    except (ValueError, TypeError, KeyError):
        return None


def _moments(value: dict[str, Any]) -> dict[str, Any]:
    return {name: datetime.fromisoformat(each) if name in _MOMENTS and each else each for name, each in value.items()}
