"""How well the service is protected: every state, and never good where something is missing or not known."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from operations import recovery_state, restorable
from operations.models import Backup, Checkpoint, Drill, Protection
from tests.factories import HOUR, MINUTE, NOW, SECOND

pytestmark = pytest.mark.django_db
DAY = 24 * HOUR


def a_backup(age: timedelta, kind: str = "full") -> Backup:
    at = NOW - age
    times = {"requested_at": at, "started_at": at, "taken_at": at, "verified_at": at}
    return Backup.objects.create(kind=kind, status="verified", **times)


def a_drill(age: timedelta, *, status: str = "passed", rto: float = 40, reason: str = "") -> Drill:
    at, base = NOW - age, Backup.objects.first()
    times = {"requested_at": at, "started_at": at, "ended_at": at, "instant": at}
    return Drill.objects.create(cause="weekly", status=status, reason=reason, base=base, rto_seconds=rto, **times)


def protected(*, tier: str = "A", safe: timedelta = timedelta(0), noted: timedelta = timedelta(0)) -> None:
    Protection.objects.create(
        tier=tier, earliest=NOW - 30 * DAY, surveyed_at=NOW, noted_at=NOW - noted, safe_at=NOW - safe - noted
    )


@pytest.fixture
def well() -> None:
    protected()
    a_backup(HOUR)
    a_drill(HOUR)


def look(now: datetime = NOW) -> recovery_state.RecoveryState:
    return recovery_state.look(now=now)


@pytest.mark.usefixtures("well")
def test_all_is_well_when_all_of_it_was_measured() -> None:
    found = look()
    assert (found.state, found.rpo_met, found.rto_met, found.exposure_said) == ("good", True, True, "nothing")
    assert (found.earliest, found.latest, found.rto) == (NOW - 30 * DAY, NOW, 40 * SECOND)
    assert found.verified_age == HOUR
    assert found.said == "Any instant can be restored, and the last drill was quick enough."


@pytest.mark.parametrize(
    ("age", "state", "met"), [(450, "good", True), (451, "at_risk", True), (900, "at_risk", True), (901, "breached", False)]
)
@pytest.mark.usefixtures("well")
def test_what_would_be_lost_is_held_against_a_quarter_of_an_hour(age: int, state: str, met: bool) -> None:
    Protection.objects.update(safe_at=NOW - age * SECOND)
    found = look()
    assert (found.state, found.rpo_met, found.exposure) == (state, met, age * SECOND)
    assert found.latest == NOW - age * SECOND


@pytest.mark.usefixtures("well")
def test_a_look_of_two_minutes_ago_tells_nothing_of_now() -> None:
    Protection.objects.update(noted_at=NOW - 61 * SECOND)
    found = look()
    assert (found.state, found.exposure, found.rpo_met, found.latest) == ("unknown", None, None, None)
    assert found.exposure_said == "unknown"
    assert "the watcher has not looked" in found.said


@pytest.mark.usefixtures("well")
def test_between_two_looks_the_time_since_the_last_is_counted() -> None:
    assert look(NOW + 15 * SECOND).exposure == timedelta(0)
    assert look(NOW + 16 * SECOND).exposure == 16 * SECOND


def test_a_service_that_nobody_has_looked_at_is_not_called_good() -> None:
    assert look().state == "at_risk"
    assert look().tier == ""
    a_backup(HOUR)
    assert look().state == "unknown"


def test_without_a_verified_backup_it_is_never_good() -> None:
    protected()
    assert look().state == "at_risk"
    Checkpoint.objects.create(at=NOW - 26 * HOUR, tables={})
    assert (look().state, look().said) == ("breached", "No backup was verified yet.")


@pytest.mark.usefixtures("well")
def test_settings_and_files_alone_protect_nobody_s_messages() -> None:
    Backup.objects.update(kind="configuration", manifest={})
    assert look().verified_at is None
    assert restorable.measure(now=NOW).verified_at is None
    assert restorable.measure(now=NOW).lost is None


@pytest.mark.usefixtures("well")
def test_an_old_backup_is_a_risk_although_every_change_is_received() -> None:
    Backup.objects.update(verified_at=NOW - 26 * HOUR)
    assert look().state == "good"
    Backup.objects.update(verified_at=NOW - 26 * HOUR - SECOND)
    assert (look().state, look().said) == ("at_risk", "The last verified backup is 1 day old.")


def test_dumps_only_are_never_good_and_are_measured_by_when_the_last_began() -> None:
    protected(tier="C")
    a_backup(12 * MINUTE, "dump")
    found = look()
    assert (found.state, found.exposure, found.rpo_met, found.rto) == ("at_risk", 12 * MINUTE, True, None)
    assert found.said == "There are dumps only: what lies between two of them cannot be restored."
    Backup.objects.update(started_at=NOW - 16 * MINUTE)
    assert (look().state, look().rpo_met) == ("breached", False)


@pytest.mark.usefixtures("well")
def test_a_drill_that_failed_was_slow_or_is_long_ago_shows() -> None:
    Drill.objects.update(requested_at=NOW - 8 * DAY - SECOND)
    assert (look().state, look().said) == ("at_risk", "The last drill was 8 days ago.")
    slow = a_drill(HOUR, rto=3601)
    assert (look().state, look().rto_met) == ("breached", False)
    slow.delete()
    a_drill(HOUR, status="failed", reason="The log does not reach back.")
    found = look()
    assert (found.state, found.said) == ("breached", "The last drill failed. The log does not reach back.")
    assert found.rto == 40 * SECOND, "of the last one that passed"


def test_without_a_drill_the_time_of_a_restore_is_not_known() -> None:
    protected()
    a_backup(HOUR)
    assert (look().state, look().rto_met) == ("at_risk", None)
    assert "how long a restore takes is not known" in look().said


@pytest.mark.usefixtures("well")
def test_a_look_asks_few_questions() -> None:
    with CaptureQueriesContext(connection) as asked:
        look()
    assert len(asked) <= 5
