"""Who is told next: one after the other, then all, never silence and never a flood."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from operations import escalation
from operations.models import OnCallContact
from tests import factories

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
INTERVAL = 5 * MINUTE
NEVER = 10 * 365 * 24 * HOUR


def steps(elapsed: timedelta, people: int = 3) -> int:
    return escalation.steps_due(elapsed, people, INTERVAL)


@pytest.mark.parametrize(
    ("at", "step"),
    [
        (timedelta(0), 1),
        (5 * MINUTE, 2),
        (10 * MINUTE, 3),
        # One interval after the last contact, all of them.
        (15 * MINUTE, 4),
        (45 * MINUTE, 5),
        (15 * MINUTE + 3 * HOUR, 10),
        # From then on every four hours.
        (15 * MINUTE + 7 * HOUR, 11),
        (15 * MINUTE + 11 * HOUR, 12),
    ],
)
def test_each_step_comes_on_its_second(at: timedelta, step: int) -> None:
    assert (steps(at - SECOND), steps(at), steps(at + SECOND)) == (step - 1, step, step)


def test_it_never_stops_and_never_comes_more_often_than_its_pace() -> None:
    day = [steps(minute * MINUTE) for minute in range(24 * 60)]
    assert all(0 <= later - earlier <= 1 for earlier, later in zip(day, day[1:], strict=False))
    assert steps(NEVER + 4 * HOUR) == steps(NEVER) + 1
    assert day[-1] == 15


def test_a_clock_before_the_start_takes_no_step() -> None:
    assert steps(-SECOND) == steps(-NEVER) == 0


def test_with_nobody_on_call_the_pace_is_that_of_one() -> None:
    assert [steps(at, 0) for at in (timedelta(0), INTERVAL, INTERVAL + 30 * MINUTE)] == [1, 2, 3]


@pytest.mark.django_db
def test_contacts_come_by_position_and_only_active_ones() -> None:
    for position, name, active in ((3, "Ravi", True), (1, "Meera", True), (2, "Gone", False)):
        OnCallContact.objects.create(position=position, name=name, email=f"{name.lower()}@example.org", active=active)
    people = escalation.contacts()
    assert [each.name for each in people] == ["Meera", "Ravi"]
    assert [each.name for each in escalation.between(0, 1, people)] == ["Meera"]
    assert [each.name for each in escalation.between(1, 2, people)] == ["Ravi"]
    assert [each.name for each in escalation.between(2, 3, people)] == ["Meera", "Ravi"]
    assert [each.name for each in escalation.reached(0, people)] == ["Meera"]
    assert [each.name for each in escalation.reached(7, people)] == ["Ravi"]


@pytest.mark.django_db
def test_with_nobody_on_call_those_who_run_the_system_are() -> None:
    User.objects.create(username="root", is_superuser=True, email="root@example.org")
    User.objects.create(username="silent", is_superuser=True)
    User.objects.create(username="gone", is_superuser=True, email="gone@example.org", is_active=False)
    assert [(each.name, each.recipients[0].address) for each in escalation.contacts()] == [("root", "root@example.org")]


@pytest.mark.django_db
def test_a_colleague_is_reached_as_a_contact_before_by_their_account() -> None:
    meera = factories.staff("meera")
    meera.email = "meera@example.org"
    assert [each.address for each in escalation.ways_to(meera, [])] == ["meera@example.org"]
    OnCallContact.objects.create(position=1, name="Meera", webhook="https://pager.example/1", user=meera)
    assert [each.address for each in escalation.ways_to(meera, escalation.contacts())] == ["https://pager.example/1"]
