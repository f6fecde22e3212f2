"""Incidents: one open of a kind, every step in an append-only timeline, and the second of two people is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.utils import timezone

from operations import incidents, timers
from operations.models import Incident, TimelineEntry, Timer
from tests import factories

pytestmark = pytest.mark.django_db
NOW = timezone.now()
MINUTE = timedelta(minutes=1)


@pytest.fixture
def meera() -> User:
    return factories.staff("meera")


def declared(**fields: object) -> Incident:
    values = {"severity": 2, "now": NOW} | fields
    return incidents.declare("Answers are late", **values)[0]  # type: ignore[arg-type]


def entries(incident: Incident) -> list[tuple[str, str, str, str]]:
    return list(incident.timeline.values_list("kind", "field", "old", "new"))


def test_a_declared_incident_has_the_times_of_the_guide_and_a_number() -> None:
    first, second = declared(), declared()
    assert second.number == first.number + 1
    due = {timer.kind: timer.due_at - NOW for timer in first.timers.all()}
    assert due == {"acknowledge": 5 * MINUTE, "severity": 10 * MINUTE, "commander": 15 * MINUTE, "mitigation": 20 * MINUTE} | {
        "update": 15 * MINUTE
    }


def test_one_is_open_for_each_kind_and_scope() -> None:
    first, new = incidents.declare("Messages wait", severity=3, now=NOW, kind="stuck_messages", scope="answers")
    again, newer = incidents.declare("Messages wait", severity=2, now=NOW, kind="stuck_messages", scope="answers")
    other, _ = incidents.declare("Messages wait", severity=3, now=NOW, kind="stuck_messages", scope="indexing")
    assert (new, newer) == (True, False)
    assert again.pk == first.pk != other.pk
    assert again.severity == 2  # unsure means the higher one
    incidents.move(first, "cancelled", by=None, now=NOW)
    assert incidents.declare("Messages wait", severity=3, now=NOW, kind="stuck_messages", scope="answers")[1]


def test_acknowledging_meets_its_timer_and_the_second_person_is_told(meera: User) -> None:
    incident = declared()
    incidents.acknowledge(incident, by=meera, now=NOW + MINUTE)
    with pytest.raises(incidents.NotNow, match="meera acknowledged it already"):
        incidents.acknowledge(incident, by=factories.staff("ravi"), now=NOW + 2 * MINUTE)
    incident.refresh_from_db()
    assert (incident.state, incident.acknowledged_by) == ("investigating", meera)
    assert incident.timers.get(kind="acknowledge").met_at == NOW + MINUTE


def test_a_lapsed_acknowledgement_is_asked_for_again(meera: User) -> None:
    incident = incidents.acknowledge(declared(), by=meera, now=NOW)
    incident = incidents.lapse(incident, now=NOW + 31 * MINUTE)
    assert incident.acknowledged_by is None
    assert incident.first_acknowledged_at == NOW
    assert timers.running(incident).get(kind="acknowledge").due_at == NOW + 36 * MINUTE


def test_an_update_starts_the_next_interval(meera: User) -> None:
    incident = incidents.update(declared(), "Looking at the queue.", by=meera, now=NOW + 10 * MINUTE, affected="about 10 %")
    assert timers.running(incident).get(kind="update").due_at == NOW + 25 * MINUTE
    assert ("changed", "affected", "", "about 10 %") in entries(incident)


def test_resolving_drops_what_was_due_and_reopening_asks_again(meera: User) -> None:
    incident = incidents.move(declared(), "resolved", by=meera, now=NOW + 9 * MINUTE)
    assert not timers.running(incident).exists()
    assert incident.mitigated_at == incident.resolved_at == NOW + 9 * MINUTE
    incident = incidents.move(incident, "investigating", by=meera, now=NOW + 20 * MINUTE)
    assert incident.resolved_at is None
    assert {timer.kind for timer in timers.running(incident)} == {"acknowledge", "update"}


def test_a_serious_one_is_closed_only_with_a_postmortem(meera: User) -> None:
    incident = incidents.move(declared(severity=1), "resolved", by=meera, now=NOW)
    with pytest.raises(incidents.NotNow, match="postmortem"):
        incidents.move(incident, "closed", by=meera, now=NOW)
    incident = incidents.write_postmortem(incident, "What happened.", root_cause="A full disk.", by=meera, now=NOW)
    assert incident.state == "postmortem"
    assert incidents.move(incident, "closed", by=meera, now=NOW).closed_at == NOW


def test_a_step_that_does_not_fit_says_why(meera: User) -> None:
    incident = incidents.move(declared(severity=4), "resolved", by=meera, now=NOW)
    with pytest.raises(incidents.NotNow, match="It is Resolved now"):
        incidents.move(incident, "monitoring", by=meera, now=NOW)


def test_the_timeline_refuses_change_and_deletion() -> None:
    entry = declared().timeline.get()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        TimelineEntry.objects.filter(pk=entry.pk).update(text="something else")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        TimelineEntry.objects.filter(pk=entry.pk).delete()
    assert Timer.objects.exists()


def test_who_has_a_part_is_recorded_old_and_new(meera: User) -> None:
    incident = incidents.assign(declared(), "commander", meera, by=meera, now=NOW)
    ravi = factories.staff("ravi")
    incident = incidents.assign(incident, "commander", ravi, by=meera, now=NOW + MINUTE)
    assert entries(incident)[-2:] == [("changed", "commander", "", "meera"), ("changed", "commander", "meera", "ravi")]
    assert incident.timers.get(kind="commander").met_at == NOW
