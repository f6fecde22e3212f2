"""The lease of a person: one worker at a time answers, and one that lost it writes nothing."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from conversations import answering, compose
from conversations.draft import Draft
from conversations.models import Answer, Contact, Handover, OutboundMessage
from tests.conversations.answers import LATER, Write, answer, fails, status_of
from tests.factories import HOUR, MINUTE, NOW, SECOND, a_contact, a_draft, an_inbound
from tests.fakes import Graph

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("graph")]


def test_somebody_whose_lease_is_held_is_left_alone(written: Write) -> None:
    bursts = written(a_draft())
    person = a_contact(lease_token=uuid4(), lease_until=LATER + MINUTE)
    row = an_inbound(person)
    answer(person)
    assert bursts == []
    assert status_of(row) == ("waiting", 0)


def test_a_lease_that_ran_out_is_taken_over_with_what_its_worker_left(written: Write) -> None:
    written(a_draft())
    person = a_contact(lease_token=uuid4(), lease_until=LATER - SECOND)
    row = an_inbound(person, status="processing", attempts=1)
    answer(person)
    assert status_of(row) == ("answered", 2)


def test_the_lease_is_given_back_after_an_answer_and_after_a_failure(person: Contact, written: Write) -> None:
    Contact.objects.update(handed_at=NOW)
    an_inbound(person)
    written(RuntimeError("broken"))
    fails(person)
    person.refresh_from_db()
    assert (person.lease_token, person.lease_until, person.handed_at) == (None, None, None)


def test_the_next_question_is_handed_out_as_soon_as_it_is_quiet(person: Contact, written: Write) -> None:
    """Handed out for the first one, the person is not held back for the second."""
    written(a_draft())
    an_inbound(person)
    Contact.objects.update(handed_at=LATER)
    answer(person)
    an_inbound(person, received_at=LATER + SECOND)
    assert answering.waiting_contacts(now=LATER + 4 * SECOND) == [person.pk]


def test_a_worker_that_lost_its_lease_writes_nothing(person: Contact, monkeypatch: pytest.MonkeyPatch, graph: Graph) -> None:
    row = an_inbound(person)
    thief = uuid4()

    def slowly(*_: Any, **__: Any) -> Draft:
        Contact.objects.update(lease_token=thief, lease_until=LATER + HOUR)
        return a_draft(handover="declined")

    monkeypatch.setattr(compose, "for_burst", slowly)
    answer(person)
    assert (Answer.objects.count(), OutboundMessage.objects.count(), Handover.objects.count(), graph.words) == (0, 0, 0, [])
    assert status_of(row) == ("processing", 1)
    person.refresh_from_db()
    assert person.lease_token == thief, "the lease of the other one was given back"


def test_giving_up_without_the_lease_writes_nothing_either(person: Contact, monkeypatch: pytest.MonkeyPatch) -> None:
    row = an_inbound(person, attempts=3)
    monkeypatch.setattr(compose, "apology", _losing_the_lease)
    answer(person)
    assert status_of(row) == ("processing", 4)
    assert (row.reason, Answer.objects.count()) == ("", 0)


def _losing_the_lease(language: str, country: str) -> Draft:
    Contact.objects.update(lease_token=uuid4())
    return Draft(Answer.Kind.APOLOGY, "sorry", language)


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_at_once_one_answers(person: Contact, monkeypatch: pytest.MonkeyPatch, graph: Graph) -> None:
    an_inbound(person)
    both_began, finish = threading.Barrier(2), threading.Event()
    asked: list[int] = []

    def slowly(*_: Any, **__: Any) -> Draft:
        asked.append(1)
        finish.wait(10)
        return a_draft()

    def work() -> None:
        both_began.wait(10)
        try:
            answering.answer_contact(person.pk)
        finally:
            # The one without the lease comes back at once and lets the other go on.
            finish.set()
            connections.close_all()

    monkeypatch.setattr(compose, "for_burst", slowly)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert (asked, Answer.objects.count(), len(graph.words)) == ([1], 1, 1)
