"""An emergency is answered at once: in one message or several, in the middle of anything, and with the broker away."""

from __future__ import annotations

import pytest

from conversations import delivery, handover, replies
from conversations.models import Contact, Handover, OutboundMessage
from tests.conversations.house import ORDINARY, STROKE, House
from tests.factories import MINUTE, NOW, RAVI, staff, text_message
from tests.fakes import Graph, spoken

pytestmark = pytest.mark.django_db


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
