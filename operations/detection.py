"""When what a detector sees is an incident, and when it has passed.

Seen for as long as the detector asks, it opens one incident for its kind and scope. Not seen for a while, the incident
moves to monitoring; each time it comes back that while grows, so that what flaps stays one incident. An incident that a
person ended while it is still seen stays ended for half an hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from operations import absence, signals
from operations.detectors import Detector, Signal, answers, budget, copies, followers, machine, people, sending
from operations.models import Incident, Sighting, TimelineEntry
from operations.watcher import Watch

MINUTE = timedelta(minutes=1)
QUIET_AFTER_END = timedelta(minutes=30)
MOST_RETURNS = 5
ALL: tuple[Detector, ...] = (
    Detector("dispatcher_silent", people.dispatcher_silent, "dispatcher-silent", lasting=MINUTE / 2),
    Detector("stuck_messages", people.stuck_messages, "stuck-messages"),
    Detector("workers_silent", people.workers_silent, "workers-silent", lasting=MINUTE),
    Detector("red_flag_waiting", people.red_flag_waiting, "red-flags"),
    Detector("provider_refused", sending.provider_refused, "token-refused"),
    Detector("send_failures", sending.send_failures, "send-failures", every=30, clear=15 * MINUTE),
    Detector("model_fallback", answers.model_fallback, "fallback-rate", every=60, clear=15 * MINUTE),
    Detector("low_confidence", answers.low_confidence, "low-confidence", every=60, lasting=15 * MINUTE, clear=30 * MINUTE),
    Detector("error_budget", budget.error_budget, "high-error-rate", every=60, clear=30 * MINUTE),
    Detector("disk_filling", machine.disk_filling, "disk", every=60, lasting=MINUTE),
    Detector("watcher_late", machine.watcher_late, "watcher-dead", lasting=MINUTE),
    Detector(absence.KIND, absence.never, "jeevo-down"),
    Detector("stale_backup", copies.stale_backup, "stale-backup", every=60),
    Detector("no_room_for_backup", copies.no_room, "stale-backup", every=300, lasting=10 * MINUTE, clear=15 * MINUTE),
    Detector("drill_failed", copies.drill_failed, "drill", every=60),
    Detector("drill_overdue", copies.drill_overdue, "drill", every=300),
    Detector("log_receiver_away", copies.receiver_away, "log-receiver", every=30, lasting=5 * MINUTE),
    Detector("log_not_synchronous", copies.not_synchronous, "log-receiver", every=5),
    Detector("log_slot", copies.slot_in_danger, "log-receiver", every=30),
    Detector("copies_outside", copies.not_outside, "off-site", every=60),
    Detector("standby_away", followers.away, "standby", every=30, lasting=5 * MINUTE),
    Detector("standby_slot", followers.slot_in_danger, "standby", every=30),
    Detector("timers_silent", machine.timers_silent, "timers-silent", every=60, lasting=5 * MINUTE),
)


def watches(detectors: tuple[Detector, ...] = ALL) -> tuple[Watch, ...]:
    """One watch for each, so that one that breaks stops no other."""
    return tuple(Watch(f"detector {each.name}", partial(look, each), every=each.every) for each in detectors)


def look(detector: Detector, now: datetime) -> None:
    found = {signal.scope: signal for signal in detector.look(now)}
    with transaction.atomic():
        known = {row.scope: row for row in Sighting.objects.select_for_update().filter(kind=detector.name)}
        for scope, signal in found.items():
            _seen(known.get(scope) or _new(detector, scope, now), signal, detector, now=now)
        for scope, row in known.items():
            if scope not in found:
                _not_seen(row, detector, now=now)


def _new(detector: Detector, scope: str, now: datetime) -> Sighting:
    return Sighting(kind=detector.name, scope=scope, first_seen_at=now, last_seen_at=now)


def _seen(row: Sighting, signal: Signal, detector: Detector, *, now: datetime) -> None:
    incident = row.incident
    if row.clear_since is not None:
        if now - row.clear_since >= detector.clear or row.first_seen_at > now:
            row.first_seen_at = now
        row.clear_since = None
    row.first_seen_at, row.last_seen_at = min(row.first_seen_at, now), now
    if now - row.first_seen_at >= detector.lasting and _is_news(incident, signal, now=now):
        incident, new = signals.seen(
            detector.name,
            signal.scope,
            signal.title,
            severity=signal.severity,
            source=Incident.Source.DETECTOR,
            now=now,
            impact_started_at=signal.since,
            details=signal.details,
            runbook=f"docs/runbooks/{detector.runbook}.md",
        )
        row.returns = 0 if new or incident.pk != row.incident_id else min(row.returns + 1, MOST_RETURNS)
        row.incident = incident
    row.save()


def _is_news(incident: Incident | None, signal: Signal, *, now: datetime) -> bool:
    """Nothing is said of an open incident that knows it already, nor for a while of one that a person has ended."""
    if incident is None:
        return True
    if incident.is_live:
        worse = signal.severity < incident.severity and incident.severity_confirmed_at is None
        return incident.state == Incident.State.MONITORING or worse
    if incident.state == Incident.State.DUPLICATE and incident.duplicate_of is not None and incident.duplicate_of.is_live:
        return False
    ended = incident.timeline.filter(kind=TimelineEntry.Kind.CHANGED, field="state", by__isnull=False).last()
    return ended is None or now - ended.at >= QUIET_AFTER_END


def _not_seen(row: Sighting, detector: Detector, *, now: datetime) -> None:
    if row.clear_since is None or row.clear_since > now:
        row.clear_since = now
        row.save()
        return
    incident = row.incident
    if incident is None or not incident.is_live:
        return
    clear_for = now - row.clear_since
    # Where Alertmanager watches the same, it has to agree.
    if clear_for >= detector.clear * (1 + row.returns) and not incident.firing:
        text = f"No longer seen since {row.clear_since:%H:%M} UTC."
        signals.gone(incident, text, now=now) or signals.end_untouched(incident, clear_since=row.clear_since, now=now)
