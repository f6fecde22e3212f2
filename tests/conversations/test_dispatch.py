"""What happens to a message between its row and the workers: person, triage, commands, buttons, and what is put aside."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DataError, OperationalError, connection
from kombu.exceptions import OperationalError as BrokerError

from conversations import answering, contacts, delivery, dispatch, handover, intake, replies, webhook
from conversations.dispatcher import JUST_NOW, Dispatcher
from conversations.models import (
    Answer,
    Contact,
    Feedback,
    Handover,
    InboundMessage,
    OutboundMessage,
    Session,
    UnhandledEvent,
)
from jeevo.fields import keyed_hash
from tests.factories import (
    ASHA,
    HOUR,
    MINUTE,
    NOW,
    RAVI,
    SECOND,
    Json,
    a_contact,
    an_answer,
    an_event,
    an_inbound,
    an_outbound,
    dumped,
    envelope,
    message,
    press,
    staff,
    text_message,
)
from tests.fakes import Graph, spoken
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db
STROKE = "my father's face is drooping and he cannot lift his arm"
ORDINARY = "How do I bring down a fever?"


class House:
    """Messages come in and the dispatcher sees them; `urgent` are the keys it sent at once."""

    def __init__(self) -> None:
        self.urgent: list[UUID] = []
        self.now = NOW

    def come(self, *bodies: Json | str, at: datetime | None = None, sender: str = ASHA) -> list[InboundMessage]:
        self.now = at or self.now + SECOND
        messages = [text_message(each, sender=sender) if isinstance(each, str) else each for each in bodies]
        intake.store(webhook.parse(dumped(envelope(messages=messages))), now=self.now)
        self.see()
        return [InboundMessage.objects.get(wamid_key=keyed_hash(each["id"])) for each in messages]

    def see(self) -> None:
        dispatch.attach_received(now=self.now, send_now=self.urgent.append)

    def say(self, body: Json | str, **when: Any) -> InboundMessage:
        return self.come(body, **when)[0]

    @property
    def words(self) -> list[str]:
        return [spoken(row.body) for row in OutboundMessage.objects.order_by("created_at", "id")]


@pytest.fixture
def house() -> House:
    return House()


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


# Emergencies


def test_an_emergency_is_answered_at_once_with_the_local_number_and_a_person_is_asked_for(house: House) -> None:
    row = house.say(STROKE)
    sent = OutboundMessage.objects.get()
    assert (row.status, row.triage_level, row.triage_concept, bool(row.triage_rules)) == ("answered", "emergency", "stroke", True)
    assert row.answer is not None
    assert (row.answer.kind, sent.answer, sent.urgent, sent.status) == ("emergency", row.answer, True, "queued")
    assert "112" in spoken(sent.body)
    assert house.urgent == [sent.pk]
    assert Handover.objects.get().reason == "red_flag"


def test_an_emergency_too_short_to_tell_its_language_is_answered_in_that_of_its_rules(house: House) -> None:
    row = house.say("mi papa no respira")
    assert (row.triage_level, row.language) == ("emergency", "es")
    assert house.words == [replies.emergency(row.triage_concept, language="es", country="IN")]


def test_self_harm_gets_its_own_words_at_once(house: House) -> None:
    row = house.say("I want to kill myself")
    assert row.answer is not None
    assert (row.answer.kind, len(house.urgent)) == ("self_harm", 1)


@pytest.mark.parametrize(
    "parts",
    [
        ("my baby", "is having", "a fit"),
        ("my father", "his face", "is drooping"),
        ("my mother has", "chest", "pain"),
        ("i took", "20", "paracetamol tablets"),
        ("my father", "is not", "breathing"),
    ],
)
def test_an_emergency_in_three_messages_fires_with_the_one_that_completes_it(parts: tuple[str, ...], house: House) -> None:
    assert [house.say(part).triage_level for part in parts] == ["routine", "routine", "emergency"]
    assert len(house.urgent) == 1


def test_what_was_written_three_minutes_ago_is_not_read_together(house: House) -> None:
    house.say("my mother has chest", at=NOW)
    assert house.say("pain", at=NOW + 3 * MINUTE).triage_level == "routine"


def test_what_another_person_wrote_is_not_read_together(house: House) -> None:
    house.say("my mother has chest", sender=RAVI)
    assert house.say("pain").triage_level == "routine"


def test_ok_after_an_emergency_does_not_fire_again(house: House) -> None:
    house.say(STROKE)
    assert house.say("ok").triage_level == "routine"
    assert house.say("we are going").triage_level == "routine"
    assert len(house.urgent) == 1


def test_another_emergency_after_the_first_one_fires_again(house: House) -> None:
    house.say(STROKE)
    house.say("now he is not breathing")
    assert len(house.urgent) == 2
    assert Handover.objects.count() == 1


def test_the_same_emergency_delivered_twice_is_answered_once(house: House) -> None:
    body = text_message(STROKE)
    house.come(body)
    house.come(body)
    assert OutboundMessage.objects.count() == 1


def test_an_emergency_is_answered_in_the_middle_of_a_conversation_with_a_person(house: House) -> None:
    house.say(ORDINARY)
    handover.take(handover.ask(Contact.objects.get(), reason="asked", now=NOW), by=staff(), now=NOW)
    assert house.say(STROKE).status == "answered"
    assert len(house.urgent) == 1
    assert Handover.objects.get().reason == "red_flag"


def test_an_emergency_goes_out_while_the_broker_is_away(house: House, graph: Graph) -> None:
    house.say(STROKE)
    for key in house.urgent:
        delivery.send(key)
    assert "112" in graph.words[0]


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


@pytest.mark.parametrize("key", ["", "x", "0", str(uuid4())])
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


# Handing out


def took(keys: list[UUID]) -> Callable[[UUID], bool]:
    def publish(key: UUID) -> bool:
        keys.append(key)
        return True

    return publish


def test_people_are_handed_out_after_the_burst_wait_longest_wait_first_and_once() -> None:
    late, early = a_contact(ASHA), a_contact(RAVI)
    an_inbound(late, received_at=NOW)
    an_inbound(early, received_at=NOW - SECOND)
    an_inbound(early, received_at=NOW - SECOND)
    handed: list[UUID] = []
    assert dispatch.hand_out(now=NOW + SECOND / 2, publish=took(handed)) == 0
    assert dispatch.hand_out(now=NOW + 3 * SECOND, publish=took(handed)) == 2
    assert dispatch.hand_out(now=NOW + 4 * SECOND, publish=took(handed)) == 0
    assert handed == [early.pk, late.pk]


def test_somebody_who_is_still_typing_is_not_handed_out() -> None:
    person = a_contact()
    an_inbound(person, received_at=NOW)
    an_inbound(person, received_at=NOW + 5 * SECOND)
    assert answering.waiting_contacts(now=NOW + 6 * SECOND) == []


def test_a_key_that_was_lost_with_the_broker_is_handed_out_again() -> None:
    an_inbound(a_contact())
    handed: list[UUID] = []
    dispatch.hand_out(now=NOW + 3 * SECOND, publish=took(handed))
    dispatch.hand_out(now=NOW + 30 * SECOND, publish=took(handed))
    assert len(handed) == 2


def test_a_broker_that_is_away_takes_nothing_and_nobody_is_forgotten() -> None:
    person = a_contact()
    an_inbound(person)
    row = an_outbound(person)
    assert dispatch.hand_out(now=NOW + 3 * SECOND, publish=lambda key: False) == 0
    dispatch.send_unattended(now=NOW + 3 * SECOND, publish=lambda key: False, send_now=lambda key: None)
    person.refresh_from_db()
    row.refresh_from_db()
    assert (person.handed_at, row.attended_at, row.status) == (None, None, "queued")
    assert answering.waiting_contacts(now=NOW + 3 * SECOND) == [person.pk]


def test_while_the_broker_is_away_an_urgent_message_goes_out_and_the_others_wait() -> None:
    person = a_contact()
    an_outbound(person, "later")
    urgent = an_outbound(person, "Call 112 now.", urgent=True, created_at=NOW + SECOND)
    sent: list[UUID] = []
    dispatch.send_unattended(now=NOW + 2 * SECOND, publish=lambda key: False, send_now=sent.append)
    assert sent == [urgent.pk]


def test_the_dispatcher_asks_a_broker_that_is_away_every_two_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def away(name: str, **_: Any) -> None:
        asked.append(name)
        raise BrokerError

    monkeypatch.setattr("conversations.dispatcher.current_app.send_task", away)
    dispatcher = Dispatcher()
    assert [dispatcher.publish("conversations.send_message", uuid4()) for _ in range(50)] == [False] * 50
    assert len(asked) == 1
    dispatcher.broker_back_at = 0
    dispatcher.publish("conversations.send_message", uuid4())
    assert len(asked) == 2


def test_one_round_of_the_dispatcher_answers_an_emergency_with_the_broker_away(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise BrokerError

    monkeypatch.setattr("conversations.dispatcher.current_app.send_task", away)
    dispatcher = Dispatcher()
    # In this thread, because the test's transaction is not seen by another.
    monkeypatch.setattr(dispatcher, "send_now", delivery.send)
    intake.store(webhook.parse(dumped(envelope(messages=[text_message(ORDINARY), text_message(STROKE)]))), now=NOW)
    dispatcher.round(now=NOW)
    dispatcher.round(now=NOW + SECOND)
    assert len(graph.words) == 1
    assert "112" in graph.words[0]
    assert set(InboundMessage.objects.values_list("status", flat=True)) == {"answered", "waiting"}


def test_a_round_looks_at_new_statuses_and_the_sweep_at_all_of_them(graph: Graph) -> None:
    row = an_outbound(a_contact(), status="sent", wamid="wamid.1")
    an_event("delivered", wamid="wamid.1", received_at=NOW - JUST_NOW - SECOND)
    dispatcher = Dispatcher()
    dispatcher.last_sweep = dispatcher.last_expiry = time.monotonic()
    dispatcher.round(now=NOW)
    row.refresh_from_db()
    assert row.status == "sent"
    an_event("read", wamid="wamid.1", received_at=NOW - JUST_NOW)
    dispatcher.round(now=NOW)
    row.refresh_from_db()
    assert row.status == "read"
    dispatcher.last_sweep = 0
    dispatcher.round(now=NOW)
    row.refresh_from_db()
    assert row.delivered_at is not None


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
