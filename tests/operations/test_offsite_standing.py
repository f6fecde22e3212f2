"""How the copies stand is said as it is: none, on the way, late, failing with the reason, good with its age."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from jeevo.environment import Offsite
from operations.models import Backup, OffsiteState
from operations.offsite_standing import Standing, standing
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db
NOW = timezone.now()
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _a_place(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGES = settings.STORAGES | {"offsite": Offsite(tmp_path.as_uri()).storage}


def after(seconds: float, **fields: object) -> Standing:
    OffsiteState.objects.update_or_create(name="log", defaults={"good_at": NOW - seconds * SECOND, **fields})
    return standing(now=NOW)


def test_without_a_place_it_is_at_risk_and_says_what_to_set_but_in_the_sandbox(
    settings: Settings, environment: ChangeEnvironment
) -> None:
    settings.STORAGES = {name: each for name, each in settings.STORAGES.items() if name != "offsite"}
    assert standing(now=NOW).state == "good"
    environment(mode="live")
    found = standing(now=NOW)
    assert (found.state, found.lost_seconds) == ("at_risk", None)
    assert "OFFSITE_URL" in found.remedy


def test_before_the_first_copy_nothing_is_claimed() -> None:
    assert standing(now=NOW).state == "unknown"


def test_the_age_of_the_last_copy_decides() -> None:
    assert after(20).state == "good"
    assert after(20).lost_seconds == 20
    assert after(121).state == "at_risk"
    assert after(16 * 60).state == "breached"


def test_a_failure_is_told_with_its_reason_and_gets_worse_with_time() -> None:
    failing = {"attempts": 3, "next_try_at": NOW, "reason": "The storage did not take the copy: it did not answer."}
    found = after(40, failed_at=NOW - 60 * SECOND, **failing)
    assert found.state == "at_risk"
    assert found.said.endswith("it did not answer.")
    assert after(40, failed_at=NOW - 16 * 60 * SECOND, **failing).state == "breached"


def test_backups_on_the_way_are_counted() -> None:
    times = {"requested_at": NOW, "started_at": NOW, "taken_at": NOW}
    Backup.objects.create(kind="dump", status="taken", **times)
    Backup.objects.create(kind="dump", status="taken", offsite_at=NOW, **times)
    found = after(10)
    assert found.waiting == 1
    assert found.said.endswith("1 backup is on the way.")
