"""The way of one message in words: from rows, in order, and without a word of the patient."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from conversations.inside import Step, steps
from conversations.models import Answer, Citation, Contact, DeliveryEvent, InboundMessage, OutboundMessage

pytestmark = pytest.mark.django_db
RECEIVED = datetime(2026, 3, 1, 9, 0, 0, 400_000, tzinfo=UTC)
WORDS = "my secret itch"
PHONE = "919876543210"
ORDER = ["stored", "triage", "found", "written", "checked", "sent", "delivered", "read"]


@pytest.fixture
def contact() -> Contact:
    return Contact.objects.create(phone=PHONE, phone_key="key", label="+91 ••• 3210", country="IN")


def inbound(person: Contact, **fields: Any) -> InboundMessage:
    usual: dict[str, Any] = {
        "wamid_key": "key",
        "sender_key": "key",
        "kind": "text",
        "status": "answered",
        "text": WORDS,
        "sent_at": RECEIVED,
        "received_at": RECEIVED,
        "contact": person,
        "triage_level": "routine",
    }
    return InboundMessage.objects.create(**usual | fields)


def answered(contact: Contact, kind: str, **fields: Any) -> Answer:
    answer = Answer.objects.create(contact=contact, kind=kind, language="en", text="Drink water.", **fields)
    Answer.objects.filter(pk=answer.pk).update(created_at=RECEIVED + timedelta(milliseconds=2300))
    return Answer.objects.get(pk=answer.pk)


def outgoing(contact: Contact, answer: Answer, **fields: Any) -> OutboundMessage:
    body = {"type": "text", "text": {"body": "Drink water."}}
    usual = {
        "contact": contact,
        "answer": answer,
        "body": body,
        "created_at": RECEIVED + timedelta(seconds=2),
    }
    return OutboundMessage.objects.create(**usual | fields)


def by_name(message: InboundMessage) -> dict[str, Step]:
    found = steps(message)
    assert len({step.name for step in found}) == len(found)
    return {step.name: step for step in found}


def test_a_message_that_was_only_stored_is_being_checked_and_everything_else_is_to_come(
    contact: Contact,
) -> None:
    found = steps(inbound(contact, status="received", triage_level="", contact=None))
    assert [step.name for step in found] == ORDER
    assert [step.state for step in found] == ["done", "now", *["waiting"] * 6]
    assert found[0].label == "Stored before WhatsApp was told it arrived"
    assert found[0].milliseconds == 0


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"status": "waiting"}, "Waiting for a quiet moment, in case more is coming"),
        ({"status": "processing"}, "Looking for passages in the library"),
        (
            {"status": "waiting", "attempts": 2, "retry_at": RECEIVED + timedelta(seconds=8)},
            "Kept, and tried again at 09:00:08 UTC",
        ),
    ],
)
def test_while_there_is_no_answer_one_step_is_under_way_and_says_what_it_waits_for(
    contact: Contact, fields: dict[str, Any], label: str
) -> None:
    found = steps(inbound(contact, **fields))
    assert [step.label for step in found if step.state == "now"] == [label]


def test_a_generated_answer_shows_passages_model_removed_sentences_sources_and_times(
    contact: Contact,
) -> None:
    passages = [
        {"title": "Fever", "heading": "Home care", "url": "https://who.int/x", "score": 0.8312},
        {"title": "Fever", "heading": "Fever", "url": "https://who.int/x", "score": 0.5},
    ]
    answer = answered(
        contact,
        "generated",
        model="openai/gpt-oss-120b",
        confidence=0.62,
        passages=passages,
        removed=[{"text": WORDS, "why": "no passage"}],
        timings={"embed": 12, "search": 29, "generate": 900, "check": 8},
    )
    Citation.objects.create(
        answer=answer,
        number=1,
        chunk_key=UUID(int=1),
        title="Fever",
        publisher="WHO",
        quote="Rest.",
        score=0.8,
    )
    message = inbound(contact, answer=answer)
    sent = outgoing(
        contact,
        answer,
        status="read",
        attempts=1,
        handed_at=RECEIVED + timedelta(milliseconds=2500),
        # WhatsApp's clock has whole seconds: taken as it is, the message arrived before it was written.
        delivered_at=RECEIVED.replace(microsecond=0),
        read_at=RECEIVED.replace(microsecond=0),
    )
    for number, status in enumerate(("delivered", "read"), 1):
        DeliveryEvent.objects.create(
            wamid_key="key of it",
            status=status,
            at=RECEIVED.replace(microsecond=0),
            received_at=RECEIVED + timedelta(seconds=2 + number),
            outbound=sent,
        )
    found = by_name(message)
    assert list(found) == ORDER
    assert {step.state for step in found.values()} == {"done"}
    assert found["found"].label == "Found 2 passages in the library"
    assert found["found"].details == ("Fever / Home care (score 0.83)", "Fever (score 0.50)", "Took 41 ms")
    assert found["written"].label == "Written by a language model from these passages"
    assert {"Model: openai/gpt-oss-120b", "Language: English", "Confidence: 62%", "Took 900 ms"} <= set(found["written"].details)
    assert "1 sentence was removed: no passage supported it" in found["checked"].details
    assert "[1] Fever, WHO" in found["checked"].details
    times = [found[name].milliseconds for name in ("stored", "written", "sent", "delivered", "read")]
    assert times == [0, 2300, 2500, 3000, 4000]


def test_an_emergency_names_its_sign_and_rules_and_needs_no_search(contact: Contact) -> None:
    answer = answered(contact, "emergency", reason="stroke")
    message = inbound(
        contact,
        answer=answer,
        triage_level="emergency",
        triage_concept="stroke_signs",
        triage_rules=["face + drooping"],
    )
    outgoing(contact, answer, status="sent", handed_at=RECEIVED + timedelta(milliseconds=300))
    found = by_name(message)
    assert found["triage"].label == "Checked for an emergency: found one"
    assert found["triage"].details == ("Sign: stroke signs", "Rules: face + drooping")
    assert found["found"].label == "No search needed for this reply"
    assert found["written"].label == "Emergency reply chosen at once, without a language model"
    assert found["sent"].milliseconds == 300
    assert (found["delivered"].state, found["read"].state) == ("waiting", "waiting")


@pytest.mark.parametrize(
    ("fields", "state", "label", "detail"),
    [
        ({"status": "queued"}, "now", "Waiting to be handed to WhatsApp", ""),
        (
            {"status": "queued", "attempts": 2, "error_code": 131056, "reason": "Too many messages"},
            "now",
            "Waiting to be handed to WhatsApp",
            "WhatsApp's error 131056",
        ),
        ({"status": "uncertain"}, "now", "WhatsApp has not said whether it took the reply", ""),
        ({"status": "failed", "reason": "Too late"}, "failed", "WhatsApp did not take the reply", "Too late"),
        (
            {"status": "sent", "resent": True},
            "done",
            "Handed to WhatsApp",
            "Sent once more after an unclear try",
        ),
    ],
)
def test_sending_says_where_the_reply_is(contact: Contact, fields: dict[str, Any], state: str, label: str, detail: str) -> None:
    answer = answered(contact, "declined")
    message = inbound(contact, answer=answer)
    outgoing(contact, answer, **fields)
    sent = by_name(message)["sent"]
    assert (sent.state, sent.label) == (state, label)
    assert not detail or detail in sent.details


@pytest.mark.parametrize(
    ("fields", "last", "state"),
    [
        ({"status": "ignored", "reason": "a message to a group"}, "Needs no reply", "done"),
        ({"status": "with_person"}, "A person has taken this conversation, so Jeevo is quiet", "done"),
        ({"status": "failed", "reason": "could not be read"}, "Could not be answered", "failed"),
    ],
)
def test_a_message_that_jeevo_does_not_answer_ends_with_the_reason(
    contact: Contact, fields: dict[str, Any], last: str, state: str
) -> None:
    final = steps(inbound(contact, **fields))[-1]
    assert (final.label, final.state) == (last, state)


def test_sentences_of_a_source_are_not_said_to_be_checked_and_name_where_they_stand(contact: Contact) -> None:
    passages = [{"title": f"Article {n}", "heading": "", "url": "", "score": 0.5} for n in range(7)]
    answer = answered(contact, "extractive", passages=passages)
    Citation.objects.create(
        answer=answer,
        number=1,
        chunk_key=UUID(int=1),
        title="Fever",
        heading="At home",
        quote="Rest.",
        score=0.8,
    )
    found = by_name(inbound(contact, answer=answer))
    assert found["found"].label == "Found 7 passages in the library"
    assert found["found"].details[-2:] == ("Article 4 (score 0.50)", "and 2 more")
    assert found["checked"].label == "Every sentence is its source's own"
    assert found["checked"].details == ("[1] Fever / At home",)


def test_a_declined_question_shows_what_was_near_and_that_it_was_not_near_enough(contact: Contact) -> None:
    passages = [{"title": "Choking", "heading": "Signs", "url": "", "score": 0.18}]
    found = by_name(inbound(contact, answer=answered(contact, "declined", passages=passages)))
    assert found["found"].label == "Searched the library: nothing close enough"
    assert found["found"].details == ("Choking / Signs (score 0.18)",)
    assert found["written"].label == "Said that it does not know"
    assert found["checked"].label == "Nothing to check: nothing was claimed"


def test_two_messages_with_one_reply_say_so(contact: Contact) -> None:
    answer = answered(contact, "extractive")
    message = inbound(contact, answer=answer)
    inbound(contact, answer=answer, wamid_key="key of another")
    assert "One reply to 2 messages" in by_name(message)["written"].details


@pytest.mark.parametrize("kind", Answer.Kind.values)
def test_no_word_of_the_patient_and_no_number_is_shown(contact: Contact, kind: str) -> None:
    answer = answered(contact, kind, removed=[{"text": WORDS, "why": "no passage"}])
    message = inbound(contact, answer=answer, payload={"message": {"text": WORDS, "from": PHONE}})
    outgoing(contact, answer, status="delivered")
    shown = repr(steps(message))
    assert WORDS not in shown
    assert PHONE not in shown
    assert "wamid" not in shown
