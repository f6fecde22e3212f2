"""The answering path: one burst, one answer, all in one commit, and what happens beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conversations import answering, compose, delivery, handover
from conversations.models import Answer, Citation, Contact, Handover, InboundMessage, OutboundMessage
from conversations.triage import triage
from knowledge.models import Document, UnansweredQuestion
from knowledge.passages import Passage
from tests.conversations.answers import LATER, Write, answer, fails, status_of
from tests.factories import MINUTE, NOW, SECOND, a_contact, a_document, a_draft, a_passage, an_inbound, an_outbound, staff
from tests.fakes import Graph
from tests.fixtures import ChangeEnvironment, settle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("graph")]


# One answer


def test_a_question_gets_an_answer_with_its_citations_and_it_is_sent(person: Contact, written: Write, graph: Graph) -> None:
    passage = a_passage("Fever", unreviewed=True)
    row = an_inbound(person)
    written(a_draft(cited=(stored(passage),), confidence=0.8, timings={"search": 4}))
    answer(person)
    row.refresh_from_db()
    assert row.answer is not None
    assert (row.status, row.answer.kind, row.answer.confidence, row.answer.timings) == (
        "answered",
        "extractive",
        0.8,
        {"search": 4},
    )
    cited = Citation.objects.get()
    assert (cited.number, cited.title, cited.url, cited.quote) == (1, "Fever", passage.url, passage.text)
    assert (cited.page, cited.unreviewed) == (None, True)
    assert OutboundMessage.objects.get().status == "sent"
    assert graph.words[0].startswith("Drink plenty of water. [1]")
    assert graph.messages[0]["interactive"]["action"]["buttons"][0]["reply"]["id"] == f"helpful:{row.answer.pk}"


def test_five_short_messages_are_one_burst_and_get_one_answer(person: Contact, written: Write, graph: Graph) -> None:
    bursts = written(a_draft())
    for number, words in enumerate(["my son", "is 2", "has fever", "since monday", "what to do"]):
        an_inbound(person, words, received_at=NOW + number * SECOND / 3)
    answer(person)
    assert bursts == [["my son", "is 2", "has fever", "since monday", "what to do"]]
    assert (Answer.objects.count(), len(graph.words)) == (1, 1)
    assert set(InboundMessage.objects.values_list("status", "answer")) == {("answered", Answer.objects.get().pk)}


def test_somebody_who_still_types_is_left_alone(person: Contact, written: Write) -> None:
    written(a_draft())
    row = an_inbound(person, received_at=LATER - SECOND)
    answer(person)
    assert status_of(row) == ("waiting", 0)


def test_the_last_message_gets_ticks_and_typing_dots(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft())
    an_inbound(person)
    an_inbound(person, wamid="wamid.LAST", received_at=NOW + SECOND)
    answer(person)
    settle()
    assert graph.receipts == [
        {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.LAST", "typing_indicator": {"type": "text"}}
    ]


def test_an_answer_in_another_language_is_remembered_when_it_is_certain(person: Contact, written: Write) -> None:
    an_inbound(person)
    written(a_draft(language="hi", language_certain=True))
    answer(person)
    person.refresh_from_db()
    assert person.language == "hi"


def test_a_language_that_was_guessed_is_not_remembered(person: Contact, written: Write) -> None:
    an_inbound(person)
    written(a_draft(language="hi"))
    answer(person)
    person.refresh_from_db()
    assert person.language == "en"


def test_a_declined_question_is_kept_for_the_clinicians_and_a_person_is_asked_for(person: Contact, written: Write) -> None:
    an_inbound(person)
    near = stored(a_passage("Fever", score=0.31))
    written(a_draft("I do not know.", kind="declined", question="what is x?", passages=(near,), handover="declined"))
    answer(person)
    kept = UnansweredQuestion.objects.get()
    assert (kept.text, kept.answer_key, kept.score, kept.nearest_id) == (
        "what is x?",
        Answer.objects.get().pk,
        0.31,
        near.document,
    )
    assert Handover.objects.get().reason == "declined"
    assert not Citation.objects.exists()


@pytest.mark.usefixtures("fake_embed")
def test_a_question_is_answered_from_the_real_passages_with_the_real_search(person: Contact, graph: Graph) -> None:
    a_document("Treating a fever", "## What to do\n\nTo bring down a fever, drink plenty of water and rest in a cool room.\n")
    an_inbound(person, "How do I bring down a fever?")
    answer(person)
    made = Answer.objects.get()
    assert made.kind == "extractive"
    assert "drink plenty of water and rest in a cool room. [1]" in graph.words[0]
    assert Citation.objects.get().title == "Treating a fever"
    assert made.passages[0]["title"] == "Treating a fever"


def stored(passage: Passage) -> Passage:
    """The passage with its document in the database, which a citation points to."""
    document = Document.objects.create(
        title=passage.title, text=passage.text, content_hash="x", origin="starter", status="in_review"
    )
    return replace(passage, document=document.pk)


# One commit


def test_an_error_in_the_middle_of_the_commit_leaves_nothing(
    person: Contact, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = an_inbound(person)
    written(a_draft(cited=(stored(a_passage()),), handover="declined", kind="declined", question="x"))

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(delivery, "queue", fail)
    fails(person)
    models: list[Any] = [Answer, Citation, OutboundMessage, Handover, UnansweredQuestion]
    assert [model.objects.count() for model in models] == [0] * 5
    assert status_of(row) == ("waiting", 1)


def test_the_outgoing_message_is_there_before_it_is_sent_and_stays_when_the_sender_dies(
    person: Contact, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_inbound(person)
    written(a_draft())
    monkeypatch.setattr(delivery, "send", lambda key: None)
    answer(person)
    row = OutboundMessage.objects.get()
    assert (row.status, row.answer) == ("queued", Answer.objects.get())
    assert list(delivery.unattended(now=LATER + 10 * SECOND)) == []
    assert list(delivery.unattended(now=LATER + 16 * SECOND)) == [row]


# Beside it


def test_an_unread_receipt_costs_no_answer(person: Contact, written: Write, graph: Graph, environment: ChangeEnvironment) -> None:
    written(a_draft())
    an_inbound(person)
    environment(whatsapp={"graph_url": "http://127.0.0.1:9"})
    answer(person)
    settle()
    assert OutboundMessage.objects.get().status == "queued"
    assert Answer.objects.count() == 1


def test_words_that_staff_are_to_answer_are_not_taken(person: Contact, written: Write) -> None:
    bursts = written(a_draft())
    an_inbound(person)
    handover.take(handover.ask(person, reason="asked", now=NOW), by=staff(), now=NOW)
    answer(person)
    assert bursts == []


def test_the_answer_waits_for_an_older_message_to_the_same_person(person: Contact, written: Write, graph: Graph) -> None:
    older = an_outbound(person, "older", retry_at=LATER + MINUTE)
    written(a_draft("newer"))
    an_inbound(person)
    answer(person)
    assert graph.words == []
    delivery.send(older.pk, now=LATER + MINUTE)
    delivery.send(OutboundMessage.objects.get(answer__isnull=False).pk, now=LATER + MINUTE)
    assert graph.words == ["older", "newer"]


@pytest.mark.usefixtures("fake_embed")
def test_a_document_retired_while_the_answer_is_written_is_not_cited() -> None:
    person, document = a_contact(), a_document("Fever", "Drink plenty of water.")
    message = an_inbound(person)
    draft = a_draft(cited=(a_passage(document=document),))
    Document.objects.filter(pk=document.pk).update(status=Document.Status.RETIRED)
    with pytest.raises(answering.Withdrawn):
        answering.commit(person, [message], draft, token=None, now=NOW)
    assert not Answer.objects.exists()
    assert not OutboundMessage.objects.exists()


def test_what_the_translation_showed_is_written_on_the_message_and_how_it_was_understood_with_the_answer(
    person: Contact,
) -> None:
    message = an_inbound(person, "माझ्या वडिलांबद्दल विचारायचे आहे")
    verdict = triage("my father's face is drooping and he can't lift his arm")
    draft = replace(compose.at_once(verdict, "mr", "IN"), raised=verdict, understood_as="What to do when a face droops?")
    key = answering.commit(person, [message], draft, token=None, now=NOW)
    message.refresh_from_db()
    assert key is not None
    assert (message.triage_level, message.triage_concept) == ("emergency", "stroke")
    assert message.triage_rules
    assert OutboundMessage.objects.get(pk=key).urgent
    assert message.answer is not None
    assert message.answer.understood_as == "What to do when a face droops?"
    assert Handover.objects.get(contact=person).reason == "red_flag"


def test_a_level_is_never_lowered(person: Contact) -> None:
    message = an_inbound(person, "x", triage_level="emergency", triage_concept="stroke")
    verdict = triage("blood in my stool")
    answering.commit(person, [message], replace(compose.apology("en", "IN"), raised=verdict), token=None, now=NOW)
    message.refresh_from_db()
    assert (message.triage_level, message.triage_concept) == ("emergency", "stroke")
