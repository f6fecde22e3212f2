"""To a person, and back: who waits, who has taken over, what is said, and the 24-hour window."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from conversations import handover, replies
from conversations.handover import NotPossible
from conversations.models import Contact, Handover, OutboundMessage
from tests.factories import HOUR, MINUTE, NOW, RAVI, SECOND, a_contact, an_inbound, staff
from tests.fakes import spoken

pytestmark = pytest.mark.django_db
DAY = timedelta(hours=24)


@pytest.fixture
def person() -> Contact:
    return a_contact()


@pytest.fixture
def meera() -> User:
    return staff("meera")


def asked(person: Contact, reason: str = "asked") -> Handover:
    return handover.ask(person, reason=reason, now=NOW)


def said() -> list[tuple[str, str]]:
    return [(row.purpose, spoken(row.body)) for row in OutboundMessage.objects.order_by("created_at", "id")]


def test_somebody_waits_once_however_often_they_ask(person: Contact) -> None:
    assert asked(person) == asked(person)
    assert Handover.objects.count() == 1


@pytest.mark.parametrize(
    ("first", "then", "kept"),
    [
        ("declined", "asked", "asked"),
        ("asked", "red_flag", "red_flag"),
        ("red_flag", "asked", "red_flag"),
        ("asked", "declined", "asked"),
        ("red_flag", "failed", "red_flag"),
    ],
)
def test_a_stronger_reason_replaces_a_weaker_one(first: str, then: str, kept: str, person: Contact) -> None:
    asked(person, first)
    assert asked(person, then).reason == kept


def test_the_database_keeps_one_open_handover_a_person(person: Contact) -> None:
    asked(person)
    with pytest.raises(IntegrityError), transaction.atomic():
        Handover.objects.create(contact=person, reason="asked", opened_at=NOW)


def test_the_list_begins_with_the_one_who_waits_longest(person: Contact) -> None:
    second = handover.ask(a_contact(RAVI), reason="asked", now=NOW + SECOND)
    first = asked(person)
    assert list(handover.waiting()) == [first, second]


def test_while_somebody_waits_jeevo_goes_on(person: Contact) -> None:
    asked(person)
    assert not handover.is_taken(person)


def test_taking_over_is_told_once_and_what_waited_goes_to_the_person(person: Contact, meera: User) -> None:
    row = an_inbound(person)
    held = handover.take(asked(person), by=meera, now=NOW)
    handover.take(held, by=meera, now=NOW + MINUTE)
    assert handover.is_taken(person)
    assert (held.taken_by, held.taken_at) == (meera, NOW)
    assert said() == [("handover", replies.text("handover_taken", "en"))]
    row.refresh_from_db()
    assert row.status == "with_person"


def test_what_jeevo_is_answering_already_stays_with_jeevo(person: Contact, meera: User) -> None:
    row = an_inbound(person, status="processing")
    handover.take(asked(person), by=meera, now=NOW)
    row.refresh_from_db()
    assert row.status == "processing"


def test_two_cannot_talk_with_one_person(person: Contact, meera: User) -> None:
    held = handover.take(asked(person), by=meera, now=NOW)
    with pytest.raises(NotPossible, match="meera is already talking"):
        handover.take(held, by=staff("ravi"), now=NOW)


def test_a_reply_takes_over_and_goes_through_the_outbox_under_its_author(person: Contact, meera: User) -> None:
    row = an_inbound(person, status="with_person")
    sent = handover.reply(asked(person), "  Please come tomorrow.  ", by=meera, now=NOW)
    assert (sent.purpose, sent.author, sent.status) == ("staff", meera, "queued")
    assert said() == [("handover", replies.text("handover_taken", "en")), ("staff", "Please come tomorrow.")]
    row.refresh_from_db()
    assert row.status == "answered"
    assert Handover.objects.get().last_reply_at == NOW


@pytest.mark.parametrize(("after", "allowed"), [(DAY - SECOND, True), (DAY, False), (3 * DAY, False)])
def test_a_reply_goes_within_24_hours_of_the_last_message_only(
    after: timedelta, allowed: bool, person: Contact, meera: User
) -> None:
    opened = asked(person)
    if allowed:
        handover.reply(opened, "hello", by=meera, now=NOW + after)
        return
    with pytest.raises(NotPossible, match="24 hours"):
        handover.reply(opened, "hello", by=meera, now=NOW + after)
    assert said() == []
    assert Handover.objects.get().taken_at is None, "a reply that could not go has taken over"


def test_nobody_who_never_wrote_can_be_written_to(meera: User) -> None:
    person = a_contact(last_inbound_at=None)
    with pytest.raises(NotPossible):
        handover.reply(asked(person), "hello", by=meera, now=NOW)


@pytest.mark.parametrize(("text", "why"), [("", "Write a reply"), (" \n ", "Write a reply"), ("x" * 4_097, "4,096 characters")])
def test_an_empty_or_overlong_reply_is_refused_and_says_why(text: str, why: str, person: Contact, meera: User) -> None:
    with pytest.raises(NotPossible, match=why):
        handover.reply(asked(person), text, by=meera, now=NOW)
    assert said() == []


def test_the_longest_reply_goes_whole(person: Contact, meera: User) -> None:
    handover.reply(asked(person), "x" * 4_096, by=meera, now=NOW)
    assert said()[1] == ("staff", "x" * 4_096)


def test_closing_gives_the_conversation_back_with_what_nobody_answered(person: Contact, meera: User) -> None:
    held = handover.take(asked(person), by=meera, now=NOW)
    row = an_inbound(person, status="with_person")
    closed = handover.close(held, by=meera, now=NOW + MINUTE)
    assert (closed.closed_by, closed.closed_at, handover.is_taken(person)) == (meera, NOW + MINUTE, False)
    row.refresh_from_db()
    assert row.status == "waiting"
    assert [purpose for purpose, _ in said()] == ["handover", "handover"]


def test_closing_twice_changes_nothing(person: Contact, meera: User) -> None:
    held = handover.take(asked(person), by=meera, now=NOW)
    handover.close(held, by=meera, now=NOW)
    assert handover.close(held, by=staff("ravi"), now=NOW + MINUTE).closed_by == meera
    assert len(said()) == 2


def test_closing_one_that_nobody_took_says_nothing(person: Contact, meera: User) -> None:
    handover.close(asked(person), by=meera, now=NOW)
    assert said() == []


def test_a_closed_one_cannot_be_taken_and_the_next_question_opens_a_new_one(person: Contact, meera: User) -> None:
    closed = handover.close(asked(person), by=meera, now=NOW)
    with pytest.raises(NotPossible, match="given back"):
        handover.take(closed, by=meera, now=NOW)
    assert asked(person).pk != closed.pk


def test_outside_the_window_nothing_is_said_on_taking_and_closing(person: Contact, meera: User) -> None:
    held = handover.take(asked(person), by=meera, now=NOW + 2 * DAY)
    handover.close(held, by=meera, now=NOW + 2 * DAY)
    assert said() == []


def test_one_that_was_taken_and_left_alone_for_twelve_hours_is_given_back(person: Contact, meera: User) -> None:
    opened = asked(person)
    handover.reply(opened, "hello", by=meera, now=NOW)
    handover.reply(opened, "still there?", by=meera, now=NOW + 2 * HOUR)
    assert handover.lapse(now=NOW + 13 * HOUR) == 0
    assert handover.lapse(now=NOW + 14 * HOUR + SECOND) == 1
    assert (Handover.objects.get().closed_by, handover.is_taken(person)) == (None, False)


def test_one_that_still_waits_does_not_lapse(person: Contact) -> None:
    asked(person)
    assert handover.lapse(now=NOW + 5 * DAY) == 0
