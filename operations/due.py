"""What is due on open incidents, looked at every few seconds: said once at 80 % of the time and once when it is over.

The same look takes an acknowledgement back that nobody followed up, and tells the next contact of an incident that nobody
has. All of it stands in rows and is marked in the commit that queues the notices, so that two watchers, or one after a
crash, say nothing twice. After hours away, or when much is due at once, one notice says it all.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, Value

from operations import escalation, incidents, notifications, timers
from operations.due_words import News, alone, together
from operations.escalation import Contact
from operations.models import Heartbeat, Incident, TimelineEntry, Timer
from operations.watcher import NAME

Entry, Kind = TimelineEntry.Kind, Timer.Kind
# Silent for longer, the watcher says at once what came due meanwhile.
AWAY = timedelta(minutes=10)
# More than this at once is one notice: ten e-mails in a minute are read as none.
MOST_NOTICES = 5
# One look is bounded, however many are open; the next, seconds later, goes on.
BATCH, MOST_LAPSES = 200, 50
# A clock that was put back by less makes no timer wrong.
TOLERANCE = timedelta(seconds=30)
_FIFTH = ExpressionWrapper((F("due_at") - F("started_at")) / 5, output_field=DurationField())
_LEFT = ExpressionWrapper(F("due_at") - _FIFTH, output_field=DateTimeField())
_TWICE = ExpressionWrapper(F("update_every") * 2, output_field=DurationField())


@transaction.atomic
def look(now: datetime) -> int:
    """How many incidents there was something to say about."""
    now = now.astimezone(UTC)
    put_clock_right(now)
    away_since = _away_since(now)
    people = escalation.contacts()
    had_it = {incident.pk: str(incident.acknowledged_by) for incident in _lapsing(now)}
    for key in had_it:
        incidents.lapse(Incident(pk=key), now=now)
    rows = _locked(now, people)
    running: dict[UUID, list[Timer]] = {row.pk: [] for row in rows}
    for timer in timers.all_running(rows):
        running[timer.incident_id].append(timer)
    news = [_news(row, running[row.pk], people, had_it.get(row.pk, ""), now=now) for row in rows]
    news = [each for each in news if each.lines]
    _mark(news, now=now)
    _tell([each for each in news if not each.quiet], people, away_since=away_since, now=now)
    return len(news)


def put_clock_right(now: datetime) -> None:
    """What began in the future began under a wrong clock: it counts from now, else it would come hours late."""
    later = now + TOLERANCE
    began = Timer.objects.filter(met_at__isnull=True, dropped_at__isnull=True, started_at__gt=later)
    keys = _held(list(began.values_list("incident", flat=True)))
    if keys:
        length = ExpressionWrapper(Value(now, DateTimeField()) + (F("due_at") - F("started_at")), output_field=DateTimeField())
        began.filter(incident__in=keys).update(started_at=now, due_at=length)
        text = "The clock was put back. What is due counts from now."
        TimelineEntry.objects.bulk_create(TimelineEntry(incident_id=key, at=now, kind=Entry.DUE, text=text) for key in keys)
    for name in ("acknowledged_at", "last_update_at"):
        Incident.objects.live().filter(**{f"{name}__gt": later}).update(**{name: now})


def _held(keys: list[UUID]) -> list[UUID]:
    """Those of them that nobody works on this very moment, locked: before their timers, as every step of a person does."""
    rows = Incident.objects.filter(pk__in=keys).order_by("number").select_for_update(skip_locked=True, no_key=True)
    return list(rows.values_list("pk", flat=True))


def _away_since(now: datetime) -> datetime | None:
    last = Heartbeat.objects.filter(name=NAME).values_list("at", flat=True).first()
    return last if last and now - last > AWAY else None


def _lapsing(now: datetime) -> list[Incident]:
    """Acknowledged, and nothing said for two intervals since."""
    late = Q(acknowledged_at__lte=now - _TWICE) & (Q(last_update_at__isnull=True) | Q(last_update_at__lte=now - _TWICE))
    found = Incident.objects.live().filter(late).order_by("severity", "number")
    return list(found.select_for_update(skip_locked=True, no_key=True)[:MOST_LAPSES])


def _locked(now: datetime, people: list[Contact]) -> list[Incident]:
    """Incidents with something to say, the worst first; one that a person works on this very moment is left for later."""
    unsaid = Q(breached_at__isnull=True, due_at__lte=now)
    near = Q(warned_at__isnull=True, breached_at__isnull=True) & Q(at_risk__lte=now)
    running = Timer.objects.filter(met_at__isnull=True, dropped_at__isnull=True).annotate(at_risk=_LEFT)
    keys: set[UUID] = {*running.filter(unsaid | near).values_list("incident", flat=True), *_to_escalate(now, people)}
    found = Incident.objects.live().filter(pk__in=keys).order_by("severity", "number")
    return list(found.select_for_update(skip_locked=True, no_key=True)[:BATCH])


def _to_escalate(now: datetime, people: list[Contact]) -> list[UUID]:
    waiting = Timer.objects.filter(kind=Kind.ACKNOWLEDGE, met_at__isnull=True, dropped_at__isnull=True)
    waiting = waiting.filter(incident__acknowledged_at__isnull=True, incident__state__in=_NOBODY_HAS).order_by()
    rows = waiting.values_list("incident", "incident__escalations", "started_at", "due_at")
    return [key for key, done, began, due in rows if escalation.steps_due(now - began, len(people), due - began) > done]


# Where signals have ended nobody is woken; the update timer still runs.
_NOBODY_HAS = (Incident.State.TRIAGE, Incident.State.INVESTIGATING, Incident.State.IDENTIFIED)


def _news(incident: Incident, running: list[Timer], people: list[Contact], had_it: str, *, now: datetime) -> News:
    quiet = incident.state == Incident.State.MONITORING and incident.acknowledged_at is None
    news = News(incident, quiet=quiet, had_it=had_it)
    for timer in running:
        if timer.breached_at is None and timer.due_at <= now:
            news.breached.append(timer)
        elif timer.warned_at is None and timer.breached_at is None and timer.at_risk_at <= now:
            news.near.append(timer)
        if timer.kind == Kind.ACKNOWLEDGE and incident.acknowledged_at is None and incident.state in _NOBODY_HAS:
            steps = escalation.steps_due(now - timer.started_at, len(people), timer.due_at - timer.started_at)
            if steps > incident.escalations:
                news.steps, news.told = steps, escalation.between(incident.escalations, steps, people)
    news.find_words(now)
    return news


def _mark(news: list[News], *, now: datetime) -> None:
    """In few statements, however many incidents there are."""
    breached = [timer.pk for each in news for timer in each.breached]
    Timer.objects.filter(pk__in=[timer.pk for each in news for timer in each.near]).update(warned_at=now)
    Timer.objects.filter(pk__in=breached, warned_at__isnull=True).update(warned_at=now)
    Timer.objects.filter(pk__in=breached).update(breached_at=now)
    climbed = [each.incident for each in news if each.steps]
    for each in news:
        if each.steps:
            each.incident.escalations, each.incident.escalated_at = each.steps, now
    Incident.objects.bulk_update(climbed, ["escalations", "escalated_at"])
    TimelineEntry.objects.bulk_create(entry for each in news for entry in each.entries(now))


def _tell(news: list[News], people: list[Contact], *, away_since: datetime | None, now: datetime) -> None:
    if news and (away_since or len(news) > MOST_NOTICES):
        everybody = [recipient for each in people for recipient in each.recipients]
        said = together(news, away_since=away_since, now=now)
        facts = {"incidents": [each.incident.number for each in news]}
        event = "back" if away_since else "due"
        notifications.tell(
            everybody, about="watch", about_key=None, event=event, subject=said.subject, body=said.body, now=now, facts=facts
        )
        return
    for each in news:
        said = alone(each, now=now)
        event = "escalated" if each.steps else "due"
        notifications.tell(
            each.recipients(people),
            about="incident",
            about_key=each.incident.pk,
            event=event,
            subject=said.subject,
            body=said.body,
            now=now,
            facts={"number": each.incident.number, "severity": each.incident.severity},
        )
