"""People who wait: each threshold on its second, and what waits by intention is no trouble."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from conversations import handover
from conversations.models import Contact, Handover, HoldingNotice
from operations import pauses
from operations.detectors import Signal, people
from operations.models import Pause
from tests import factories
from tests.factories import MINUTE, NOW, SECOND

pytestmark = pytest.mark.django_db


@pytest.fixture
def asha() -> Contact:
    return factories.a_contact()


def edge(look: Callable[[datetime], list[Signal]], at: timedelta) -> tuple[int, int]:
    """How much is seen one second before a moment, and at it."""
    return len(look(NOW + at - SECOND)), len(look(NOW + at))


@pytest.mark.parametrize("status", ["received", "waiting", "processing"])
def test_a_message_is_stuck_after_five_minutes(status: str, asha: Contact) -> None:
    factories.an_inbound(asha, status=status)
    assert edge(people.stuck_messages, 5 * MINUTE) == (0, 1)
    signal = people.stuck_messages(NOW + 5 * MINUTE)[0]
    assert (signal.severity, signal.since, signal.title) == (2, NOW, "1 message has waited longer than 5 minutes")
    assert [people.stuck_messages(NOW + 15 * MINUTE - each)[0].severity for each in (SECOND, 0 * SECOND)] == [2, 1]


@pytest.mark.parametrize("status", ["answered", "ignored", "failed", "with_person"])
def test_what_is_done_with_is_not_stuck(status: str, asha: Contact) -> None:
    factories.an_inbound(asha, status=status)
    assert people.stuck_messages(NOW + 60 * MINUTE) == []


def test_while_a_notice_is_in_force_answers_wait_and_emergencies_do_not(asha: Contact) -> None:
    factories.an_inbound(asha)
    HoldingNotice.objects.create(text="Back at ten.", starts_at=NOW, ends_at=NOW + 60 * MINUTE)
    assert people.stuck_messages(NOW + 30 * MINUTE) == []
    # Five minutes more for what was held back.
    assert edge(people.stuck_messages, 65 * MINUTE) == (0, 1)
    factories.an_inbound(asha, status="received", triage_level="")
    assert edge(people.dispatcher_silent, MINUTE) == (0, 1)
    assert people.dispatcher_silent(NOW + 30 * MINUTE)[0].severity == 1


def test_a_notice_that_only_announces_a_window_excuses_nobody(asha: Contact) -> None:
    factories.an_inbound(asha)
    HoldingNotice.objects.create(text="", starts_at=NOW, ends_at=NOW + 60 * MINUTE, holds=False, announced_from=NOW)
    assert len(people.stuck_messages(NOW + 30 * MINUTE)) == 1
    assert len(people.workers_silent(NOW + 30 * MINUTE)) == 1


def test_while_work_is_drained_answers_wait_by_intention(asha: Contact) -> None:
    factories.an_inbound(asha)
    pauses.begin(now=NOW, until=NOW + 30 * MINUTE, by=factories.staff(), kind=Pause.Kind.DRAIN)
    assert people.stuck_messages(NOW + 29 * MINUTE) == people.workers_silent(NOW + 29 * MINUTE) == []
    assert len(people.workers_silent(NOW + 60 * MINUTE)) == 1


def test_workers_are_silent_when_people_wait_and_nobody_has_one_of_them(asha: Contact) -> None:
    factories.an_inbound(asha)
    assert edge(people.workers_silent, 2 * MINUTE) == (0, 1)
    at = NOW + 3 * MINUTE
    factories.a_contact("919810000009", lease_until=at + MINUTE)  # the lease of somebody who does not wait
    assert people.workers_silent(at)[0].scope == "answers"
    Contact.objects.filter(pk=asha.pk).update(lease_until=at + SECOND)
    assert people.workers_silent(at) == []
    Contact.objects.filter(pk=asha.pk).update(lease_until=at)
    assert len(people.workers_silent(at)) == 1


def test_an_answer_of_a_worker_is_a_sign_of_life_and_an_emergency_text_is_none(asha: Contact) -> None:
    factories.an_inbound(asha)
    emergency = factories.an_answer(asha, kind="emergency")
    at = emergency.created_at
    factories.an_inbound(asha, received_at=at - 10 * MINUTE)
    assert len(people.workers_silent(at + SECOND)) == 1
    factories.an_answer(asha, kind="declined")
    assert people.workers_silent(at + MINUTE) == []


def test_a_message_that_waits_for_its_next_try_is_not_held_against_the_workers(asha: Contact) -> None:
    factories.an_inbound(asha, retry_at=NOW + 30 * MINUTE)
    assert people.workers_silent(NOW + 10 * MINUTE) == []


def test_a_red_flag_wants_a_person_within_ten_minutes(asha: Contact) -> None:
    handover.ask(asha, reason=Handover.Reason.RED_FLAG, now=NOW)
    assert edge(people.red_flag_waiting, 10 * MINUTE) == (0, 1)
    assert people.red_flag_waiting(NOW + 10 * MINUTE)[0].severity == 2
    opened = Handover.objects.get()
    handover.take(opened, by=factories.staff(), now=NOW + 11 * MINUTE)
    assert people.red_flag_waiting(NOW + 60 * MINUTE) == []


def test_who_asked_for_a_person_without_a_red_flag_opens_no_incident(asha: Contact) -> None:
    handover.ask(asha, reason=Handover.Reason.ASKED, now=NOW)
    assert people.red_flag_waiting(NOW + 60 * MINUTE) == []


def test_nothing_of_a_person_stands_in_a_signal(asha: Contact) -> None:
    factories.an_inbound(asha, "My chest hurts", status="received")
    handover.ask(asha, reason=Handover.Reason.RED_FLAG, now=NOW)
    at = NOW + 20 * MINUTE
    looks = (people.stuck_messages, people.dispatcher_silent, people.red_flag_waiting)
    text = " ".join(str(signal) for look in looks for signal in look(at))
    assert "chest" not in text
    assert factories.ASHA not in text
    assert str(asha.pk) not in text
