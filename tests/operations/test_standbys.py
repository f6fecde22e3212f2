"""Standbys as the live server sees them: following, away, lost; in words, figures, incidents and the start-up checklist."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from prometheus_client.samples import Sample

from operations import detection, fresh, metrics, runbooks, standbys
from operations.detectors import followers
from operations.models import Standby
from operations.preflight import standby as preflight
from tests.factories import MINUTE, NOW, SECOND

pytestmark = pytest.mark.django_db


def a_standby(name: str = "one", **fields: object) -> Standby:
    usual = {"slot": standbys.slot_of(name), "address": "10.0.0.5:5433", "created_at": NOW, "since": NOW} | fields
    return Standby.objects.create(name=name, **usual)


@pytest.fixture
def slot(transactional_db: None) -> Iterator[str]:
    """Of a standby that does not follow now."""
    name = standbys.slot_of("one")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_create_physical_replication_slot(%s, true)", [name])
    yield name
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [name])


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, standbys.Slot]:
    """Slots as the server would tell them."""
    known: dict[str, standbys.Slot] = {standbys.slot_of("one"): standbys.Slot("reserved", True, None, 0)}
    monkeypatch.setattr(standbys, "slots", lambda names: {name: known[name] for name in names if name in known})
    return known


def test_without_one_nothing_is_asked_of_the_server() -> None:
    assert standbys.said(now=NOW) == "No standby"
    standbys.note(NOW)
    assert followers.away(NOW) == []
    assert followers.slot_in_danger(NOW) == []


@pytest.mark.parametrize(
    ("noted", "safe", "said", "shade"),
    [
        (0, 0, "A standby follows, less than a second behind", "good"),
        (5, 8, "A standby follows, 8 seconds behind", "good"),
        (5, 61, 'The standby "one" follows, 1 minute behind.', "at_risk"),
        (61, 61, 'The standby "one" was not looked at for a minute.', "unknown"),
    ],
)
@pytest.mark.usefixtures("kept")
def test_how_far_behind_it_is_was_measured_or_is_not_known(noted: int, safe: int, said: str, shade: str) -> None:
    a_standby(noted_at=NOW - noted * SECOND, safe_at=NOW - safe * SECOND)
    (seen,) = standbys.look(now=NOW)
    assert (standbys.said(now=NOW), seen.shade) == (said, shade)


def test_of_several_the_worst_is_said(kept: dict[str, standbys.Slot]) -> None:
    kept[standbys.slot_of("two")] = standbys.Slot("reserved", True, None, 0)
    a_standby(noted_at=NOW, safe_at=NOW)
    other = a_standby("two", noted_at=NOW - 5 * SECOND, safe_at=NOW - 8 * SECOND)
    assert standbys.said(now=NOW) == "2 standbys follow, the last one 8 seconds behind"
    del kept[other.slot]
    assert standbys.said(now=NOW) == 'The standby "two" can follow no more: its part of the log is gone. Build it anew.'


@pytest.mark.django_db(transaction=True)
def test_one_that_is_away_is_noted_and_told_with_what_it_costs(slot: str) -> None:
    row = a_standby(state="following", since=NOW - MINUTE)
    standbys.note(NOW)
    row.refresh_from_db()
    assert (row.state, row.since, row.noted_at) == ("away", NOW, NOW)
    assert row.position
    standbys.note(NOW + 5 * SECOND)
    row.refresh_from_db()
    assert row.since == NOW, "it is away since then and not since the last look"
    (signal,) = followers.away(NOW + MINUTE)
    assert (signal.severity, signal.scope, signal.since) == (3, "one", NOW)
    assert "MB of log for it on the disk; in another" in signal.details
    with fresh.connect("preflight") as one:
        (line,) = preflight.lines(one)
    assert (line.state, "standby start" in line.remedy) == ("at_risk", True)
    assert standbys.measured(standbys.look(now=NOW)[0], seconds=0.1) is None
    standbys.remove("one")
    assert not Standby.objects.exists()
    with pytest.raises(standbys.NoSuchStandby):
        standbys.remove("one")


def test_one_whose_slot_is_gone_can_follow_no_more() -> None:
    a_standby()
    standbys.note(NOW)
    (signal,) = followers.slot_in_danger(NOW)
    assert (signal.severity, signal.scope) == (2, "one")
    assert Standby.objects.get().state == "lost"
    assert followers.away(NOW) == []


@pytest.mark.parametrize(("status", "seen"), [("reserved", 0), ("extended", 0), ("unreserved", 1), ("lost", 1)])
def test_its_slot_is_in_danger_by_the_word_of_the_server(status: str, seen: int, kept: dict[str, standbys.Slot]) -> None:
    kept[standbys.slot_of("one")] = standbys.Slot(status, True, 2_000_000, 5_000_000)
    a_standby(noted_at=NOW, safe_at=NOW)
    assert len(followers.slot_in_danger(NOW)) == seen


@pytest.mark.usefixtures("kept")
def test_one_that_falls_behind_is_told() -> None:
    a_standby(noted_at=NOW, safe_at=NOW - MINUTE)
    assert followers.away(NOW) == []
    (signal,) = followers.away(NOW + 10 * SECOND)
    assert signal.title == 'The standby "one" falls behind'


def test_after_a_failover_the_page_says_what_it_took() -> None:
    a_standby(promoted_at=NOW, failover={"steps": {"assess": 3.0}, "seconds": 130})
    assert standbys.said(now=NOW).endswith("which took 2 minutes")
    assert followers.slot_in_danger(NOW) == []


@pytest.mark.django_db(transaction=True)
def test_prometheus_is_told_of_each(slot: str) -> None:
    a_standby(safe_at=timezone.now() - 30 * SECOND)
    found = {(each.name, each.labels["standby"]): each.value for each in _samples() if each.name.startswith("standby_")}
    assert found["standby_up", "one"] == 0
    assert found["standby_behind_bytes", "one"] >= 0
    assert found["standby_behind_seconds", "one"] == pytest.approx(30, abs=10)


@pytest.mark.django_db(transaction=True)
def test_one_that_is_being_built_is_not_told_to_be_away(slot: str) -> None:
    row = a_standby(state="building")
    assert "standby_up" not in {each.name for each in _samples()}
    row.state = Standby.State.AWAY
    row.save()
    assert "standby_up" in {each.name for each in _samples()}


def _samples() -> list[Sample]:
    return [sample for metric in metrics.of_rows() for sample in metric.samples]


def test_the_pages_of_backups_and_drills_have_a_line_for_it(client: Client) -> None:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    for address in ("/admin/operations/backup/now/", "/admin/operations/drills/?part=now"):
        assert "No standby" in client.get(address).content.decode()


@pytest.mark.parametrize(
    ("active", "status", "unlimited", "state"),
    [
        (True, "reserved", False, "good"),
        (True, "reserved", True, "at_risk"),
        (False, "reserved", False, "at_risk"),
        (False, "lost", False, "at_risk"),
    ],
)
def test_the_checklist_has_a_line_for_it(active: bool, status: str, unlimited: bool, state: str) -> None:
    found = preflight.line("one", active=active, status=status, unlimited=unlimited)
    assert (found.state, bool(found.remedy)) == (state, state != "good")


def test_a_name_is_one_that_a_slot_may_have() -> None:
    assert standbys.slot_of("berlin_2") == "jeevo_standby_berlin_2"
    for name in ("", "Two", "a-b", "x" * 41, "a b"):
        with pytest.raises(standbys.NoSuchStandby):
            standbys.slot_of(name)


def test_each_has_a_runbook() -> None:
    mine = [each for each in detection.ALL if each.look in (followers.away, followers.slot_in_danger)]
    assert {each.runbook for each in mine} == {"standby"}
    assert "standby" in runbooks.names()
    assert next(each for each in mine if each.name == "standby_away").lasting == timedelta(minutes=5)


@pytest.mark.django_db(transaction=True)
def test_a_slot_costs_its_server_a_limited_part_of_the_disk(slot: str) -> None:
    found = standbys.slots([slot])[slot]
    assert found.safe_bytes is not None
    assert found.safe_bytes < 11 * 1024**3
