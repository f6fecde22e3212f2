"""What happens to a message between its row and the workers: person, triage, commands, buttons, and what is put aside."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError, OperationalError, connection

from conversations import answering, contacts, dispatch, handover, intake, replies, webhook
from conversations.models import Answer, Contact, Feedback, Handover, InboundMessage, Session, UnhandledEvent
from tests.conversations.house import ORDINARY, STROKE, House
from tests.factories import (
    HOUR,
    MINUTE,
    NOBODYS_KEY,
    NOW,
    RAVI,
    SECOND,
    a_contact,
    an_answer,
    an_inbound,
    dumped,
    envelope,
    message,
    press,
    staff,
    text_message,
)
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db


def broken() -> InboundMessage:
    """A stored message whose payload no key opens."""
    row = an_inbound(None, status="received")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conversations_inboundmessage SET payload = %s WHERE id = %s", [b"garbage", row.pk])
    return InboundMessage.objects.defer("payload").get(pk=row.pk)


def refreshed(row: InboundMessage) -> InboundMessage:
    return InboundMessage.objects.defer("payload").get(pk=row.pk)


# Person, session, triage


def test_a_message_gets_its_person_session_triage_and_language(house: House) -> None:
    row = house.say(ORDINARY)
    assert (row.status, row.triage_level, row.language) == ("waiting", "routine", "en")
    assert row.contact == Contact.objects.get()
    assert row.session == Session.objects.get()
    assert not house.urgent


def test_messages_within_six_hours_share_a_session_and_a_later_one_opens_its_own(house: House) -> None:
    first, second = house.say(ORDINARY, at=NOW), house.say(ORDINARY, at=NOW + 5 * HOUR)
    third = house.say(ORDINARY, at=NOW + 12 * HOUR)
    assert first.session == second.session != third.session


def test_a_message_is_seen_once(house: House) -> None:
    row = house.say(STROKE)
    house.see()
    assert dispatch.attach(row.pk, now=NOW) is None
    assert Answer.objects.count() == 1


def test_an_ignored_message_is_not_seen_at_all(house: House) -> None:
    row = house.say(message("reaction", reaction={"emoji": "👍"}))
    assert (row.status, row.contact) == ("ignored", None)


# STOP and START


def test_stop_is_confirmed_and_honoured_for_what_still_waited(house: House) -> None:
    waiting = house.say(ORDINARY)
    row = house.say("Stop!")
    assert row.status == "answered"
    assert house.words == [replies.text("stop_confirmed", "en")]
    assert Contact.objects.get().opted_out_at == house.now
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("ignored", "the person wrote STOP")


def test_after_stop_an_ordinary_message_gets_nothing(house: House) -> None:
    house.say("STOP")
    row = house.say(ORDINARY)
    assert (row.status, row.reason) == ("ignored", "the person wrote STOP")
    assert answering.waiting_contacts(now=house.now + MINUTE) == []
    assert len(house.words) == 1


def test_after_stop_an_emergency_is_still_answered(house: House) -> None:
    house.say("STOP")
    assert house.say(STROKE).status == "answered"
    assert len(house.urgent) == 1


def test_start_undoes_stop(house: House) -> None:
    house.say("stop")
    house.say("start")
    assert house.words[1] == replies.text("start_confirmed", "en")
    assert Contact.objects.get().opted_out_at is None
    assert house.say(ORDINARY).status == "waiting"


def test_a_sentence_with_stop_in_it_is_a_question(house: House) -> None:
    assert house.say("how do I stop a nosebleed").status == "waiting"
    assert Contact.objects.get().opted_out_at is None


# Buttons


def test_helpful_and_not_helpful_are_kept_with_the_answer_and_the_last_press_counts(house: House) -> None:
    house.say(ORDINARY)
    answer = an_answer(Contact.objects.get())
    house.say(press(f"helpful:{answer.pk}"))
    assert Feedback.objects.get().value == "helpful"
    house.say(press(f"not_helpful:{answer.pk}"))
    assert (Feedback.objects.get().value, Feedback.objects.get().answer) == ("not_helpful", answer)
    assert house.words == [replies.text("feedback_thanks", "en"), replies.text("not_helpful_reply", "en")]


@pytest.mark.parametrize("key", ["", "x", "0", NOBODYS_KEY])
def test_a_press_for_an_answer_that_is_not_there_is_thanked_and_kept_nowhere(key: str, house: House) -> None:
    assert house.say(press(f"helpful:{key}")).status == "answered"
    assert not Feedback.objects.exists()


def test_nobody_can_judge_the_answer_of_somebody_else(house: House) -> None:
    answer = an_answer(a_contact(RAVI))
    house.say(press(f"helpful:{answer.pk}"))
    assert not Feedback.objects.exists()


def test_the_button_for_a_person_opens_a_handover_and_says_what_will_happen(house: House, environment: ChangeEnvironment) -> None:
    environment(handover_hours="24")
    row = house.say(press(f"person:{uuid4()}"))
    assert row.status == "answered"
    assert Handover.objects.get().reason == "asked"
    assert "24" in house.words[0]


def test_a_button_that_is_not_ours_is_read_as_its_text(house: House) -> None:
    row = house.say(press("menu:1", title=ORDINARY))
    assert (row.status, row.text) == ("waiting", ORDINARY)


# With a person


def test_while_somebody_has_taken_over_messages_wait_for_them(house: House) -> None:
    house.say("hello")
    InboundMessage.objects.update(status="answered")
    held = handover.take(handover.ask(Contact.objects.get(), reason="asked", now=NOW), by=staff(), now=house.now)
    row = house.say(ORDINARY)
    assert row.status == "with_person"
    assert house.say(press(f"person:{uuid4()}")).status == "with_person"
    assert answering.waiting_contacts(now=house.now + MINUTE) == []
    handover.close(held, by=staff("ravi"), now=house.now)
    assert refreshed(row).status == "waiting"
    assert answering.waiting_contacts(now=house.now + MINUTE) == [row.contact_id]


def test_stop_is_honoured_while_somebody_has_taken_over(house: House) -> None:
    house.say("hello")
    handover.take(handover.ask(Contact.objects.get(), reason="asked", now=NOW), by=staff(), now=NOW)
    house.say("stop")
    assert Contact.objects.get().opted_out_at is not None


# Poison


def test_a_message_that_cannot_be_read_is_put_aside_tried_again_and_failed(house: House) -> None:
    row = broken()
    seen = []
    for _ in range(5):
        house.now += timedelta(seconds=10)
        house.see()
        now = refreshed(row)
        seen.append((now.status, now.attempts))
    assert seen == [("received", 1), ("received", 2), ("failed", 3), ("failed", 3), ("failed", 3)]
    assert refreshed(row).reason == "could not be read: InvalidToken"


def test_it_is_not_tried_before_its_time(house: House) -> None:
    row = broken()
    house.see()
    house.see()
    assert refreshed(row).attempts == 1


def test_earlier_words_that_no_key_opens_do_not_hide_an_emergency(house: House) -> None:
    first = house.say("my mother has chest")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conversations_inboundmessage SET text = %s WHERE id = %s", [b"garbage", first.pk])
    assert house.say(STROKE).status == "answered"
    assert len(house.urgent) == 1


def test_it_holds_nobody_else_up(house: House) -> None:
    broken()
    assert house.say(STROKE).status == "answered"
    assert house.say(ORDINARY, sender=RAVI).status == "waiting"


def test_a_value_that_the_database_refuses_is_poison_too_and_holds_nobody_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = contacts.open_session

    def refuse(contact: Contact, *, now: datetime) -> Session:
        if contact.phone == RAVI:
            with connection.cursor() as cursor:
                cursor.execute("UPDATE conversations_contact SET country = 'too long'")
        return real(contact, now=now)

    monkeypatch.setattr(contacts, "open_session", refuse)
    rows = house.come(text_message(ORDINARY, sender=RAVI), text_message(ORDINARY))
    assert [(row.status, row.attempts) for row in rows] == [("received", 1), ("waiting", 0)]


def test_a_database_that_is_away_is_no_fault_of_the_message(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(contacts, "open_session", away)
    with pytest.raises(OperationalError):
        house.say(ORDINARY)
    row = InboundMessage.objects.get()
    assert (row.status, row.attempts) == ("received", 0)


def test_a_data_error_is_not_an_operational_one() -> None:
    """The two tests above rest on this."""
    assert not issubclass(DataError, OperationalError)


# Housekeeping


def test_raw_payloads_expire_and_the_message_with_its_words_stays(house: House, environment: ChangeEnvironment) -> None:
    environment(raw_payload_days=30)
    house.say(ORDINARY, at=NOW)
    intake.store(webhook.parse(dumped(envelope(errors=[{"code": 1}]))), now=NOW)
    recent = house.say(ORDINARY, at=NOW + timedelta(days=20))
    assert dispatch.expire_payloads(now=NOW + timedelta(days=29)) == 0
    assert dispatch.expire_payloads(now=NOW + timedelta(days=31)) == 2
    old = InboundMessage.objects.get(received_at=NOW)
    assert (old.payload, old.text) == (None, ORDINARY)
    assert UnhandledEvent.objects.get().payload is None
    recent.refresh_from_db()
    assert recent.payload is not None


def test_the_sweep_frees_those_whose_worker_died() -> None:
    person = a_contact(lease_token=uuid4(), lease_until=NOW, handed_at=NOW)
    an_inbound(person, status="processing")
    assert answering.waiting_contacts(now=NOW - SECOND) == []
    dispatch.sweep(now=NOW + SECOND)
    assert answering.waiting_contacts(now=NOW + 3 * SECOND) == [person.pk]
