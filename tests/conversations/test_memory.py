"""What a person asked before is remembered within the session, and not past anything that breaks the thread."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from conversations import memory
from conversations.models import Answer, Citation, Contact, InboundMessage, OutboundMessage, Session
from conversations.prompts import Earlier
from tests import factories
from tests.factories import HOUR, MINUTE, NOW, SECOND

pytestmark = pytest.mark.django_db
DENGUE = "Can I take ibuprofen for dengue?"


@pytest.fixture
def person() -> Contact:
    return factories.a_contact()


@pytest.fixture
def session(person: Contact) -> Session:
    return Session.objects.create(contact=person, started_at=NOW, last_message_at=NOW)


def asked(session: Session, words: str = DENGUE, *, at: datetime = NOW, title: str = "Dengue", **fields: Any) -> Answer:
    answer = factories.an_answer(session.contact, **fields)
    Answer.objects.filter(pk=answer.pk).update(created_at=at)
    factories.an_inbound(session.contact, words, session=session, answer=answer, received_at=at, status="answered")
    if title:
        passage = factories.a_passage(title=title)
        Citation.objects.create(answer=answer, number=1, chunk_key=passage.chunk, title=title, quote="x", score=0.9)
    return answer


def now_asking(session: Session, words: str = "how long does it last?", *, at: datetime = NOW + MINUTE) -> InboundMessage:
    return factories.an_inbound(session.contact, words, session=session, received_at=at)


def recalled(session: Session, *, at: datetime = NOW + MINUTE) -> tuple[Earlier, ...]:
    return memory.recent(session.contact, [now_asking(session, at=at)], now=at)


def test_the_last_question_comes_with_the_title_that_answered_it(session: Session) -> None:
    asked(session)
    assert recalled(session) == (Earlier(DENGUE, "Dengue"),)


def test_three_are_remembered_in_their_order(session: Session) -> None:
    for number in range(5):
        asked(session, f"question {number}", at=NOW + number * SECOND, title="")
    assert [each.question for each in recalled(session)] == ["question 2", "question 3", "question 4"]


def test_what_was_understood_counts_more_than_what_was_written(session: Session) -> None:
    asked(session, "and for children?", understood_as="Can children take ibuprofen for dengue?")
    assert recalled(session)[0].question == "Can children take ibuprofen for dengue?"


def test_a_question_that_was_declined_is_what_the_next_one_leans_on(session: Session) -> None:
    asked(session)
    asked(session, "kidney stones?", at=NOW + SECOND, kind="declined", title="")
    assert recalled(session)[-1] == Earlier("kidney stones?", "")


@pytest.mark.parametrize("reason", ["thanks", "greeting", "feedback_thanks"])
def test_thanks_and_buttons_in_between_change_nothing(session: Session, reason: str) -> None:
    asked(session)
    asked(session, "thank you", at=NOW + SECOND, kind="fixed", reason=reason, title="")
    assert recalled(session)[-1].question == DENGUE


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("emergency", "stroke"),
        ("self_harm", "suicide"),
        ("fixed", "stop_confirmed"),
        ("fixed", "language"),
        ("fixed", "unclear"),
        ("fixed", "person"),
        ("apology", "failed"),
    ],
)
def test_what_breaks_the_thread_leaves_nothing_to_lean_on(session: Session, kind: str, reason: str) -> None:
    asked(session)
    asked(session, "something else", at=NOW + SECOND, kind=kind, reason=reason, title="")
    assert recalled(session) == ()


def test_another_session_is_another_conversation(person: Contact, session: Session) -> None:
    asked(session)
    Session.objects.filter(pk=session.pk).update(ended_at=NOW)
    assert recalled(Session.objects.create(contact=person, started_at=NOW, last_message_at=NOW)) == ()


def test_after_a_day_nothing_is_remembered(session: Session) -> None:
    asked(session)
    assert recalled(session, at=NOW + 25 * HOUR) == ()


def test_another_person_is_never_remembered(session: Session) -> None:
    other = factories.a_contact(factories.RAVI)
    asked(Session.objects.create(contact=other, started_at=NOW, last_message_at=NOW))
    assert recalled(session) == ()


def test_after_a_reply_of_staff_nothing_is_leaned_on(session: Session) -> None:
    asked(session)
    factories.an_outbound(session.contact, "Come on Monday.", author=factories.staff(), created_at=NOW + SECOND, purpose="staff")
    assert recalled(session) == ()


def test_words_that_no_key_opens_are_left_out_and_cost_nothing(session: Session) -> None:
    asked(session)
    InboundMessage.objects.update(text=None)
    assert recalled(session) == ()


def test_when_a_person_is_erased_nothing_is_left(session: Session) -> None:
    asked(session, understood_as="Can children take ibuprofen for dengue?")
    session.contact.delete()
    assert not Answer.objects.exists()
    assert not OutboundMessage.objects.exists()
