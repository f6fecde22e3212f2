"""When a signal is an incident: it lasts, it flaps, it passes, a person ends it, the clock moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from jeevo.environment import ROOT
from operations import alert_intake, detection, due, incidents, watches
from operations.detectors import Detector, Signal
from operations.models import Incident, Notice, OnCallContact, Sighting
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Trouble:
    """A detector that sees what the test says."""

    def __init__(self, *, lasting: timedelta = timedelta(0)) -> None:
        self.signals: list[Signal] = []
        self.detector = Detector("trouble", lambda _: self.signals, "trouble", lasting=lasting)

    def look(self, minutes: float, *severities: int, scope: str = "") -> None:
        self.signals = [Signal("Trouble", severity, scope=scope) for severity in severities]
        detection.look(self.detector, NOW + minutes * MINUTE)


@pytest.fixture
def trouble() -> Trouble:
    return Trouble()


@pytest.fixture
def meera() -> User:
    user = factories.staff("meera")
    user.email = "meera@example.org"
    user.save()
    return user


def only() -> Incident:
    return Incident.objects.get()


def test_what_is_seen_is_one_incident_however_often_it_is_looked_at(trouble: Trouble) -> None:
    for quarter in range(40):
        trouble.look(quarter / 4, 3)
    assert (only().source, only().kind, only().runbook) == ("detector", "trouble", "docs/runbooks/trouble.md")
    assert only().timeline.count() == 1


def test_it_opens_on_the_second_it_has_lasted() -> None:
    trouble = Trouble(lasting=5 * MINUTE)
    trouble.look(0, 3)
    trouble.look(5 - 1 / 60, 3)
    assert not Incident.objects.exists()
    trouble.look(5, 3)
    assert only().declared_at == NOW + 5 * MINUTE


def test_a_moment_of_trouble_now_and_then_is_none() -> None:
    trouble = Trouble(lasting=5 * MINUTE)
    for hour in range(5):
        trouble.look(60 * hour, 3)
        trouble.look(60 * hour + 1)
        trouble.look(60 * hour + 6)
    assert not Incident.objects.exists()


def test_it_moves_to_monitoring_on_the_second_it_has_been_clear(trouble: Trouble) -> None:
    trouble.look(0, 2)
    trouble.look(1)
    trouble.look(6 - 1 / 60)
    assert only().state == "triage"
    trouble.look(6)
    assert only().state == "monitoring"
    assert only().timeline.get(kind="signal").text == "No longer seen since 09:01 UTC."


def test_what_flaps_stays_one_incident_and_its_entries_grow_fewer(trouble: Trouble) -> None:
    """Six minutes on, six minutes off, for six hours."""
    for minute in range(360):
        trouble.look(minute, *([2] if minute // 6 % 2 == 0 else []))
    assert only().timeline.filter(kind="signal").count() == 1
    assert Sighting.objects.get().returns == 1
    assert only().state == "investigating"


def test_a_small_one_that_nobody_touched_ends_by_itself_and_a_serious_one_does_not(trouble: Trouble) -> None:
    trouble.look(0, 3, scope="small")
    trouble.look(0.1, 2, scope="serious")
    for minute in (1, 6, 7, 30, 31):
        trouble.look(minute)
    assert dict(Incident.objects.values_list("scope", "state")) == {"small": "resolved", "serious": "monitoring"}
    # Seen again later, the one that is over is a new incident and the other the same.
    trouble.look(60, 3, scope="small")
    trouble.look(60, 2, scope="serious")
    assert Incident.objects.filter(scope="small").count() == 2
    assert Incident.objects.get(scope="serious").state == "investigating"


def test_one_that_somebody_has_is_theirs_to_end(trouble: Trouble, meera: User) -> None:
    trouble.look(0, 4)
    incidents.acknowledge(only(), by=meera, now=NOW)
    for minute in (1, 6, 60, 600):
        trouble.look(minute)
    assert only().state == "monitoring"


def test_whoever_has_it_is_told_when_it_comes_back(trouble: Trouble, meera: User) -> None:
    trouble.look(0, 2)
    incidents.acknowledge(only(), by=meera, now=NOW)
    trouble.look(1)
    trouble.look(6)
    trouble.look(7, 2)
    notice = Notice.objects.get(event="again")
    assert [each.recipient for each in notice.deliveries.all()] == ["meera"]
    assert only().state == "investigating"


def test_where_nobody_has_it_the_contacts_are_told_again_when_it_comes_back(trouble: Trouble) -> None:
    OnCallContact.objects.create(position=1, name="First", email="first@example.org")
    trouble.look(0, 2)
    due.look(NOW)
    trouble.look(1)
    trouble.look(6)
    due.look(NOW + 6 * MINUTE)
    trouble.look(7, 2)
    due.look(NOW + 7 * MINUTE)
    assert Notice.objects.filter(event="escalated").count() == 2


def test_it_gets_worse_once_and_not_against_what_a_person_has_confirmed(trouble: Trouble, meera: User) -> None:
    trouble.look(0, 3)
    trouble.look(1, 2)
    trouble.look(2, 2)
    assert only().severity == 2
    incidents.set_severity(only(), 4, by=meera, now=NOW + 3 * MINUTE)
    trouble.look(4, 1)
    assert only().severity == 4
    assert only().timeline.filter(field="severity").count() == 2


@pytest.mark.parametrize("end", ["resolved", "cancelled"])
def test_an_incident_that_a_person_ends_while_it_lasts_stays_ended_for_half_an_hour(
    end: str, trouble: Trouble, meera: User
) -> None:
    trouble.look(0, 3)
    incidents.move(only(), end, by=meera, now=NOW + MINUTE)
    for minute in (2, 10, 31 - 1 / 60):
        trouble.look(minute, 3)
    assert Incident.objects.count() == 1
    trouble.look(31, 3)
    assert Incident.objects.live().count() == 1


def test_scopes_are_incidents_of_their_own(trouble: Trouble) -> None:
    trouble.signals = [Signal("Trouble", 3, scope="a"), Signal("Trouble", 3, scope="b")]
    detection.look(trouble.detector, NOW)
    trouble.look(1, 3, scope="b")
    trouble.look(7, 3, scope="b")
    assert dict(Incident.objects.values_list("scope", "state")) == {"a": "monitoring", "b": "triage"}


def test_a_clock_that_is_put_back_neither_hides_trouble_nor_clears_it(trouble: Trouble) -> None:
    lasting = Trouble(lasting=5 * MINUTE)
    lasting.look(180, 3)
    lasting.look(0, 3)
    lasting.look(5, 3)
    assert only().declared_at == NOW + 5 * MINUTE
    lasting.look(185)
    lasting.look(6)
    lasting.look(7)
    assert only().state == "triage"
    lasting.look(11)
    assert only().state == "monitoring"


def test_each_detector_is_a_watch_of_its_own() -> None:
    names = [watch.name for watch in watches.ALL]
    assert {f"detector {each.name}" for each in detection.ALL} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("detector", detection.ALL, ids=lambda each: each.name)
def test_each_detector_has_a_runbook_and_a_row_in_the_docs(detector: Detector) -> None:
    assert (ROOT / "docs" / "runbooks" / f"{detector.runbook}.md").exists()
    assert f"| `{detector.name}` |" in (ROOT / "docs" / "incidents.md").read_text()


def test_what_a_detector_and_alertmanager_both_see_is_one_incident_and_both_must_agree_that_it_is_over() -> None:
    detector = Detector("stuck_messages", lambda _: signals, "stuck-messages")
    signals = [Signal("Messages wait", 2)]
    usual = {"name": "JeevoMessagesStuck", "scope": "job=jeevo", "severity": 2, "title": "Messages wait", "starts_at": NOW}

    def alert(minutes: float, *, firing: bool) -> None:
        heard = alert_intake.Heard(fingerprint="f", firing=firing, **usual)  # type: ignore[arg-type]
        alert_intake.take([heard], group_key="g", complete=True, now=NOW + minutes * MINUTE)

    detection.look(detector, NOW)
    alert(1, firing=True)
    assert (only().source, only().firing) == ("detector", ["f"])
    signals.clear()
    for minutes in (2, 8):
        detection.look(detector, NOW + minutes * MINUTE)
    assert only().state == "triage"
    alert(9, firing=False)
    assert only().state == "monitoring"
    # The other way about: Alertmanager is content first.
    signals.append(Signal("Messages wait", 2))
    detection.look(detector, NOW + 10 * MINUTE)
    alert(11, firing=True)
    alert(12, firing=False)
    assert only().state == "investigating"
    signals.clear()
    for minutes in (13, 30):
        detection.look(detector, NOW + minutes * MINUTE)
    assert only().state == "monitoring"
