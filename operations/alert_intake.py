"""What Alertmanager says, as incidents: one for each alert and place, however often and in whatever order it is said.

A row for each fingerprint holds what was said last. A repeated post changes nothing; an end that comes before its beginning
is on record and opens nothing; an alert that its group no longer names has ended, even where the message was lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction

from operations import incidents, signals
from operations.models import Alert, Incident, Sighting, TimelineEntry

Status = Alert.Status
# Any constant will do: posts are taken one after the other.
_ONE_AT_A_TIME = 7_233_863
# An alert that begins at more places at once is one incident, not fifty.
MOST_PLACES = 10
# As with detectors: an incident that a person ended stays ended for a while, though the alert still fires.
QUIET_AFTER_END = timedelta(minutes=30)
# What our own rules watch for Prometheus and our detectors watch too: one trouble is one incident, whoever sees it first.
DETECTED = {
    "JeevoMessagesStuck": "stuck_messages",
    "JeevoDatabaseDown": "database_away",
    "JeevoDisk": "disk_filling",
    "JeevoLowConfidence": "low_confidence",
    "JeevoStaleBackup": "stale_backup",
    "JeevoDrillOverdue": "drill_overdue",
    "JeevoLogReceiver": "log_receiver_away",
    "JeevoCopiesOutside": "copies_outside",
    "JeevoStandbyAway": "standby_away",
}
# The label that names the place as the detector does, where there is more than one.
PLACED_BY = {"JeevoStandbyAway": "standby"}
OVERTAKEN = timedelta(seconds=10)
KEPT = timedelta(days=30)
_PAGE = 500


@dataclass(frozen=True)
class Heard:
    """One alert of a post, already checked and cut to size."""

    fingerprint: str
    firing: bool
    name: str
    scope: str
    severity: int
    title: str
    starts_at: datetime
    details: str = ""
    runbook: str = ""

    @property
    def kind(self) -> str:
        return DETECTED.get(self.name) or f"alert:{self.name}"[:60]

    @property
    def place(self) -> str:
        return "" if self.name in DETECTED and self.name not in PLACED_BY else self.scope


@dataclass
class Taken:
    """What a post changed."""

    opened: int = 0
    again: int = 0
    resolved: int = 0
    unchanged: int = 0
    known: dict[str, Alert] = field(default_factory=dict)


@transaction.atomic
def take(heard: Iterable[Heard], *, group_key: str, complete: bool, now: datetime) -> Taken:
    """`complete`: the post names every alert of its group, so one that it does not name has ended."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_AT_A_TIME])
    group, alerts = hash_of(group_key), _each_once(heard)
    rows = {row.fingerprint: row for row in Alert.objects.select_related("incident").filter(fingerprint__in=alerts)}
    taken = Taken(known=rows)
    begun = [each for each in alerts.values() if each.firing and _begins(rows.get(each.fingerprint), each, now=now)]
    ended = [row for row in rows.values() if row.status == Status.FIRING and not alerts[row.fingerprint].firing]
    if complete:
        ended += Alert.objects.filter(group=group, status=Status.FIRING).exclude(fingerprint__in=alerts)
    places = _open(begun, taken, now=now)
    _write(alerts.values(), ended, places, taken, group=group, now=now)
    _end(ended, taken, now=now)
    taken.unchanged = len(alerts) - len(begun) - sum(1 for row in ended if row.fingerprint in alerts)
    return taken


def _each_once(heard: Iterable[Heard]) -> dict[str, Heard]:
    """One of a fingerprint; what began last is the truth, and of one beginning its end."""
    return {each.fingerprint: each for each in sorted(heard, key=lambda each: (each.starts_at, not each.firing))}


def _begins(row: Alert | None, heard: Heard, *, now: datetime) -> bool:
    if row is None:
        return True
    if row.status == Status.RESOLVED:
        # One that was overtaken by its own end, on its way from the other of two Alertmanagers, is old news. Later, the
        # same beginning means that Alertmanager had lost sight of it.
        return heard.starts_at > row.starts_at or (heard.starts_at == row.starts_at and now - row.heard_at >= OVERTAKEN)
    return row.incident is not None and _ended_long_ago(row.incident, now=now)


def _ended_long_ago(incident: Incident, *, now: datetime) -> bool:
    if incident.is_live:
        return False
    other = incident.duplicate_of
    if other is not None and other.is_live:
        return False
    last = incident.timeline.filter(kind=TimelineEntry.Kind.CHANGED, field="state").last()
    return last is None or now - last.at >= QUIET_AFTER_END


def _open(begun: Sequence[Heard], taken: Taken, *, now: datetime) -> dict[str, Incident]:
    """The incident of each alert that begins, by fingerprint."""
    found: dict[str, Incident] = {}
    for kind in sorted({each.kind for each in begun}):
        of_kind = [each for each in begun if each.kind == kind]
        scopes = sorted({each.place for each in of_kind})
        for scope in scopes if len(scopes) <= MOST_PLACES else [""]:
            here = of_kind if len(scopes) > MOST_PLACES else [each for each in of_kind if each.place == scope]
            incident, new = _seen(here, scope, len(scopes), now=now)
            taken.opened, taken.again = taken.opened + new, taken.again + (not new)
            found |= {each.fingerprint: incident for each in here}
    return found


def _seen(here: Sequence[Heard], scope: str, places: int, *, now: datetime) -> tuple[Incident, bool]:
    first = min(here, key=lambda each: each.severity)
    title = first.title if places <= MOST_PLACES else f"{first.title} (and at {places - 1} other places)"
    incident, new = signals.seen(
        first.kind,
        scope,
        title,
        severity=first.severity,
        source=Incident.Source.ALERT,
        now=now,
        impact_started_at=min(now, *(each.starts_at for each in here)),
        details=first.details,
        runbook=first.runbook,
    )
    with incidents.locked(incident) as row:
        row.firing = sorted({*row.firing, *(each.fingerprint for each in here)})
        row.save(update_fields=["firing"])
    return incident, new


def _write(
    alerts: Iterable[Heard], ended: Sequence[Alert], places: dict[str, Incident], taken: Taken, *, group: str, now: datetime
) -> None:
    over = {row.fingerprint for row in ended}
    rows = []
    for each in alerts:
        old = taken.known.get(each.fingerprint)
        late = each.firing and old is not None and old.status == Status.RESOLVED and each.fingerprint not in places
        rows.append(
            Alert(
                fingerprint=each.fingerprint,
                group=group,
                name=each.name,
                status=Status.FIRING if each.firing and not late else Status.RESOLVED,
                starts_at=max(each.starts_at, old.starts_at) if old else each.starts_at,
                heard_at=now,
                incident=places.get(each.fingerprint) or (old.incident if old else None),
            )
        )
    columns = ["group", "name", "status", "starts_at", "heard_at", "incident"]
    Alert.objects.bulk_create(rows, update_conflicts=True, unique_fields=["fingerprint"], update_fields=columns, batch_size=_PAGE)
    Alert.objects.filter(fingerprint__in=over).update(status=Status.RESOLVED, heard_at=now)


def _end(ended: Sequence[Alert], taken: Taken, *, now: datetime) -> None:
    gone: dict[Incident, set[str]] = {}
    for row in ended:
        if row.incident is not None:
            gone.setdefault(row.incident, set()).add(row.fingerprint)
    for incident, fingerprints in gone.items():
        with incidents.locked(incident) as held:
            held.firing = sorted(set(held.firing) - fingerprints)
            held.save(update_fields=["firing"])
            seen = Sighting.objects.filter(incident=incident, clear_since__isnull=True).exists()
            if not held.firing and not seen:
                taken.resolved += signals.gone(held, "Alertmanager says that it no longer fires.", now=now)


def settle(now: datetime) -> None:
    """Small incidents of alerts that ended before anybody touched them, and rows of alerts long over."""
    waiting = Incident.objects.filter(source=Incident.Source.ALERT, state=Incident.State.MONITORING, firing=[])
    for incident in waiting:
        last = incident.timeline.filter(kind=TimelineEntry.Kind.SIGNAL).last()
        if last is not None:
            signals.end_untouched(incident, clear_since=last.at, now=now)
    Alert.objects.filter(status=Status.RESOLVED, heard_at__lt=now - KEPT).delete()


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
