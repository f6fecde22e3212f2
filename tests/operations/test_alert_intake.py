"""Alerts in every order: repeated, overtaken, lost on the way, many at once, two posts together."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from operations import alert_intake, incidents
from operations.alert_intake import Heard, Taken
from operations.models import Alert, Incident
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def heard(fingerprint: str = "f1", *, firing: bool = True, **fields: object) -> Heard:
    usual = {"name": "HighErrorRate", "scope": "job=web", "severity": 3, "title": "Errors are high", "starts_at": NOW}
    return Heard(fingerprint=fingerprint, firing=firing, **usual | fields)  # type: ignore[arg-type]


def take(*several: Heard, minutes: float = 0, group: str = "g", complete: bool = True) -> Taken:
    return alert_intake.take(several, group_key=group, complete=complete, now=NOW + minutes * MINUTE)


def only() -> Incident:
    return Incident.objects.get()


def counted(taken: Taken) -> tuple[int, int, int, int]:
    return taken.opened, taken.again, taken.resolved, taken.unchanged


def test_an_alert_is_an_incident_and_a_repeat_changes_nothing() -> None:
    assert counted(take(heard())) == (1, 0, 0, 0)
    before = Incident.objects.values().get(), only().timeline.count()
    for minutes in (1, 5, 240):
        assert counted(take(heard(), minutes=minutes)) == (0, 0, 0, 1)
    assert (Incident.objects.values().get(), only().timeline.count()) == before
    assert (only().kind, only().scope, only().source, only().firing) == ("alert:HighErrorRate", "job=web", "alert", ["f1"])


def test_it_moves_to_monitoring_when_none_of_its_alerts_fires_any_more() -> None:
    take(heard("f1"), heard("f2"))
    assert counted(take(heard("f1", firing=False), heard("f2"), minutes=5)) == (0, 0, 0, 1)
    assert (only().state, only().firing) == ("triage", ["f2"])
    assert counted(take(heard("f2", firing=False), minutes=6)) == (0, 0, 1, 0)
    assert (only().state, only().firing) == ("monitoring", [])
    assert only().timeline.get(kind="signal").text == "Alertmanager says that it no longer fires."
    assert counted(take(heard("f2", firing=False), minutes=7)) == (0, 0, 0, 1)


def test_an_alert_that_comes_back_takes_its_incident_back_to_work() -> None:
    take(heard())
    take(heard(firing=False), minutes=5)
    assert counted(take(heard(starts_at=NOW + 9 * MINUTE), minutes=9)) == (0, 1, 0, 0)
    assert (only().state, only().firing) == ("investigating", ["f1"])


def test_an_end_before_its_beginning_is_on_record_and_opens_nothing() -> None:
    assert counted(take(heard(firing=False))) == (0, 0, 0, 1)
    assert not Incident.objects.exists()
    assert Alert.objects.get().status == "resolved"
    # The beginning that it overtook opens nothing either.
    assert counted(take(heard(), minutes=0.1)) == (0, 0, 0, 1)
    assert counted(take(heard(starts_at=NOW - MINUTE), minutes=60)) == (0, 0, 0, 1)
    assert not Incident.objects.exists()


def test_a_beginning_that_is_said_again_long_after_its_end_is_believed() -> None:
    """Prometheus was away and is back: Alertmanager ends the alert by its timeout and begins it again with its old time."""
    take(heard())
    take(heard(firing=False), minutes=5)
    take(heard(), minutes=5 + 1 / 6)
    assert only().state == "investigating"


def test_an_alert_that_its_group_no_longer_names_has_ended() -> None:
    take(heard("f1"), heard("f2", scope="job=worker"))
    take(heard("f2", scope="job=worker"), minutes=5)
    assert dict(Incident.objects.values_list("scope", "state")) == {"job=web": "monitoring", "job=worker": "triage"}


def test_a_post_that_was_cut_short_or_is_of_another_group_ends_nothing() -> None:
    take(heard("f1"))
    take(heard("f2", scope="job=worker"), complete=False, minutes=1)
    take(heard("f3", scope="job=beat"), group="other", minutes=1)
    take(group="other", minutes=2)
    assert Incident.objects.get(scope="job=web").state == "triage"
    assert Incident.objects.get(scope="job=beat").state == "monitoring"


def test_one_alert_twice_in_a_post_counts_once_and_its_end_wins() -> None:
    assert counted(take(heard(), heard(), heard(firing=False))) == (0, 0, 0, 1)
    assert not Incident.objects.exists()
    take(heard("f2", firing=False), heard("f2", starts_at=NOW + MINUTE), minutes=1)
    assert only().firing == ["f2"]


def test_the_worst_of_several_alerts_gives_the_severity() -> None:
    take(heard("f1", severity=4), heard("f2", severity=2, title="Errors are very high"))
    assert (only().severity, only().title) == (2, "Errors are very high")


def test_an_alert_at_many_places_is_one_incident() -> None:
    several = [heard(f"f{number}", scope=f"instance=host{number}") for number in range(400)]
    assert counted(take(*several)) == (1, 0, 0, 0)
    assert (only().title, only().scope) == ("Errors are high (and at 399 other places)", "")
    assert len(only().firing) == 400
    take(*several[:1], minutes=1)
    assert (only().state, only().firing) == ("triage", ["f0"])
    take(minutes=2)
    assert only().state == "monitoring"


def test_ten_places_are_ten_incidents() -> None:
    taken = take(*(heard(f"f{number}", scope=f"instance=host{number}") for number in range(10)))
    assert taken.opened == Incident.objects.count() == 10


@pytest.mark.parametrize("end", ["resolved", "cancelled"])
def test_an_incident_that_a_person_ends_while_it_fires_stays_ended_for_half_an_hour(end: str) -> None:
    take(heard())
    incidents.move(only(), end, by=factories.staff(), now=NOW + MINUTE)
    take(heard(), minutes=31 - 1 / 60)
    assert Incident.objects.count() == 1
    assert take(heard(), minutes=31).opened == 1
    # And the end of the alert ends the new one.
    take(heard(firing=False), minutes=40)
    assert Incident.objects.live().get().state == "monitoring"


def test_an_end_after_a_person_has_ended_it_changes_nothing() -> None:
    take(heard())
    incidents.move(only(), "resolved", by=factories.staff(), now=NOW + MINUTE)
    assert counted(take(heard(firing=False), minutes=2)) == (0, 0, 0, 0)
    assert (only().state, only().firing) == ("resolved", [])


def test_a_small_one_that_nobody_touched_ends_by_itself_and_old_rows_go() -> None:
    take(heard())
    take(heard(firing=False), minutes=5)
    alert_intake.settle(NOW + 35 * MINUTE - SECOND)
    assert only().state == "monitoring"
    alert_intake.settle(NOW + 35 * MINUTE)
    assert only().state == "resolved"
    alert_intake.settle(NOW + 5 * MINUTE + alert_intake.KEPT)
    assert Alert.objects.exists()
    alert_intake.settle(NOW + 5 * MINUTE + alert_intake.KEPT + SECOND)
    assert not Alert.objects.exists()


def test_what_began_in_the_future_began_now() -> None:
    take(heard(starts_at=NOW + HOUR))
    assert only().impact_started_at == NOW


@pytest.mark.django_db(transaction=True)
def test_two_posts_at_once_open_one_incident() -> None:
    together = threading.Barrier(4)
    opened: list[int] = []

    def post(number: int) -> None:
        together.wait()
        opened.append(take(heard(f"f{number}"), heard("same"), group=f"g{number}").opened)
        connections.close_all()

    threads = [threading.Thread(target=post, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(opened) == [0, 0, 0, 1]
    assert only().firing == ["f0", "f1", "f2", "f3", "same"]
