"""The answering path: one lease, one answer, all in one commit, and what becomes of a message that fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.db import connection, connections
from pytest_django import Settings

from conversations import answering, compose, delivery, handover, wording
from conversations.draft import Draft
from conversations.models import Answer, Citation, Contact, Handover, HoldingNotice, InboundMessage, OutboundMessage
from conversations.triage import triage
from knowledge.models import Document, UnansweredQuestion
from knowledge.passages import Passage
from tests.factories import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    a_contact,
    a_document,
    a_draft,
    a_passage,
    an_inbound,
    an_outbound,
    staff,
)
from tests.fakes import Graph
from tests.fixtures import ChangeEnvironment, settle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("graph")]
LATER = NOW + 10 * SECOND
Write = Callable[[Draft | Exception], list[list[str | None]]]


@pytest.fixture
def person() -> Contact:
    return a_contact()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Write:
    """Let every burst be answered with this draft, or fail with this error; returns the bursts as lists of words."""

    def answer_with(outcome: Draft | Exception) -> list[list[str | None]]:
        bursts: list[list[str | None]] = []

        def for_burst(messages: list[InboundMessage], **_: Any) -> Draft:
            bursts.append([each.text for each in messages])
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(compose, "for_burst", for_burst)
        return bursts

    return answer_with


def answer(person: Contact, *, at: Any = LATER) -> None:
    with time_machine.travel(at, tick=False):
        answering.answer_contact(person.pk)


def fails(person: Contact, *, at: Any = LATER) -> None:
    with pytest.raises(answering.CouldNotAnswer, match="RuntimeError"):
        answer(person, at=at)


def status_of(message: InboundMessage) -> tuple[str, int]:
    message.refresh_from_db()
    return message.status, message.attempts


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


# The lease


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


# Failing


def test_a_failure_is_counted_and_waits_longer_each_time(person: Contact, written: Write) -> None:
    written(RuntimeError("broken"))
    row = an_inbound(person)
    waits = []
    for _ in range(3):
        now = row.retry_at or LATER
        fails(person, at=now)
        row.refresh_from_db()
        assert row.retry_at is not None
        waits.append((row.status, row.attempts, (row.retry_at - now).seconds))
    assert waits == [("waiting", 1, 2), ("waiting", 2, 4), ("waiting", 3, 8)]


def test_a_message_in_back_off_is_not_handed_out_and_not_taken(person: Contact, written: Write) -> None:
    bursts = written(a_draft())
    an_inbound(person, retry_at=LATER + SECOND)
    assert answering.waiting_contacts(now=LATER) == []
    answer(person)
    assert bursts == []


def test_after_three_attempts_there_is_one_apology_and_a_person_is_asked_for(
    person: Contact, written: Write, graph: Graph
) -> None:
    bursts = written(a_draft())
    rows = [an_inbound(person, attempts=3), an_inbound(person, attempts=3)]
    answer(person)
    for row in rows:
        row.refresh_from_db()
        assert (row.status, row.reason) == ("failed", "failed after every attempt")
        assert row.answer == Answer.objects.get(kind="apology")
    assert Handover.objects.get().reason == "failed"
    assert bursts == []
    assert graph.words == [compose.apology("en", "IN").text]
    answer(person, at=LATER + MINUTE)
    assert len(graph.words) == 1


def test_a_newer_message_beside_the_failed_one_is_freed_and_answered_by_itself(
    person: Contact, written: Write, graph: Graph
) -> None:
    bursts = written(a_draft("Rest."))
    an_inbound(person, "poison", attempts=3)
    newer = an_inbound(person, "How do I treat a cold?", attempts=1)
    answer(person)
    assert status_of(newer) == ("waiting", 0)
    answer(person, at=LATER + MINUTE)
    assert status_of(newer) == ("answered", 1)
    assert bursts == [["How do I treat a cold?"]]
    assert graph.words == [compose.apology("en", "IN").text, "Rest."]


def test_a_worker_that_dies_every_time_is_counted_too(person: Contact, written: Write) -> None:
    """Killed with -9 nothing runs after the claim; the claim itself counts."""
    row = an_inbound(person)
    for expected in (1, 2, 3):
        assert [each.attempts for each in answering.claim(person, now=LATER)] == [expected]
    written(a_draft())
    answer(person)
    assert status_of(row) == ("failed", 4)


# Words that no key opens


def damage(row: InboundMessage, *columns: str) -> InboundMessage:
    with connection.cursor() as cursor:
        for column in columns:
            cursor.execute(f"UPDATE conversations_inboundmessage SET {column} = %s WHERE id = %s", [b"garbage", row.pk])
    return row


def sealed(row: InboundMessage) -> InboundMessage:
    return InboundMessage.objects.defer("text", "payload").get(pk=row.pk)


def test_words_that_no_key_opens_are_tried_three_times_and_then_failed(person: Contact, written: Write, graph: Graph) -> None:
    bursts = written(a_draft())
    row = damage(an_inbound(person), "text", "payload")
    now, seen = LATER, []
    for _ in range(4):
        answer(person, at=now)
        row = sealed(row)
        seen.append((row.status, row.attempts, row.reason, (row.retry_at - now).seconds if row.retry_at else None))
        now = row.retry_at or now
    unread = "could not be read"
    assert seen == [("waiting", 1, unread, 2), ("waiting", 2, unread, 4), ("waiting", 3, unread, 8), ("failed", 4, unread, None)]
    assert (bursts, graph.words) == ([], [compose.apology("en", "IN").text])
    assert Handover.objects.get().reason == "failed"
    assert answering.waiting_contacts(now=now + HOUR) == []


def test_with_a_lost_key_nothing_is_opened_and_the_attempts_count(
    person: Contact, written: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name and the number are sealed with the same key, and there is nobody to send an apology to."""
    written(a_draft())
    monkeypatch.setattr(delivery, "send", lambda key: None)
    row = an_inbound(person, attempts=2)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    answer(person)
    assert (sealed(row).status, sealed(row).attempts) == ("waiting", 3)
    monkeypatch.setattr("jeevo.fields.unseal", lambda text: pytest.fail("something was unsealed"))
    answer(person, at=LATER + MINUTE)
    assert (sealed(row).status, sealed(row).reason) == ("failed", "could not be read")


def test_a_key_that_comes_back_in_time_is_enough(person: Contact, written: Write, settings: Settings) -> None:
    written(a_draft())
    row, keys = an_inbound(person), settings.FIELD_KEYS
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    answer(person)
    assert sealed(row).reason == "could not be read"
    settings.FIELD_KEYS = keys
    answer(person, at=LATER + MINUTE)
    assert (status_of(row), row.reason) == (("answered", 2), "")


def test_what_else_the_person_wrote_is_answered_beside_it_and_after_it(person: Contact, written: Write) -> None:
    bursts = written(a_draft())
    row = damage(an_inbound(person, "lost"), "text")
    beside = an_inbound(person, "beside")
    answer(person)
    assert (status_of(beside), sealed(row).status) == (("answered", 1), "waiting")
    after = an_inbound(person, "after", received_at=LATER - SECOND)
    at = LATER + SECOND
    assert sealed(row).retry_at == at + SECOND
    assert answering.waiting_contacts(now=at) == [person.pk]
    answer(person, at=at)
    assert status_of(after) == ("answered", 1)
    assert (bursts, sealed(row).attempts) == ([["beside"], ["after"]], 1)


@pytest.mark.parametrize("payload", [b"garbage", None])
def test_a_payload_that_is_gone_or_damaged_costs_the_ticks_only(
    payload: bytes | None, person: Contact, written: Write, graph: Graph
) -> None:
    written(a_draft())
    row = damage(an_inbound(person), "payload") if payload else an_inbound(person, payload=None)
    answer(person)
    settle()
    assert (sealed(row).status, len(graph.words), graph.receipts) == ("answered", 1, [])


# The notice


def a_notice(**times: Any) -> HoldingNotice:
    usual = {"text": "We answer again at noon.", "starts_at": NOW - HOUR, "ends_at": NOW + HOUR}
    return HoldingNotice.objects.create(**usual | times)


def test_while_a_notice_is_in_force_it_is_said_once_and_the_question_answered_after_it(
    person: Contact, written: Write, graph: Graph
) -> None:
    bursts = written(a_draft("Rest."))
    a_notice()
    with time_machine.travel(LATER, tick=False):
        row = an_inbound(person)
    answer(person)
    assert graph.words == ["We answer again at noon."]
    assert status_of(row) == ("waiting", 0)
    an_inbound(person, "hello?", received_at=LATER + MINUTE)
    answer(person, at=LATER + 2 * MINUTE)
    assert (len(graph.words), bursts) == (1, [])
    answer(person, at=NOW + HOUR + MINUTE)
    assert bursts == [["How do I treat a fever?", "hello?"]]
    assert graph.words == ["We answer again at noon.", "Rest."]


def test_a_notice_that_is_ended_early_lets_the_answers_go_within_half_a_minute(
    person: Contact, written: Write, graph: Graph
) -> None:
    written(a_draft("Rest."))
    a_notice()
    with time_machine.travel(LATER, tick=False):
        row = an_inbound(person)
    answer(person)
    for number in range(1, 4):
        row.refresh_from_db()
        assert row.retry_at == LATER + number * 30 * SECOND
        answer(person, at=row.retry_at)
    settle()
    assert (graph.words, len(graph.receipts)) == (["We answer again at noon."], 1)
    assert status_of(row) == ("waiting", 0)
    HoldingNotice.objects.update(ends_at=LATER + 91 * SECOND)
    answer(person, at=LATER + 120 * SECOND)
    assert graph.words == ["We answer again at noon.", "Rest."]


def test_nobody_waits_longer_than_the_notice(person: Contact, written: Write) -> None:
    written(a_draft())
    a_notice(ends_at=LATER + 5 * SECOND)
    row = an_inbound(person)
    answer(person)
    row.refresh_from_db()
    assert row.retry_at == LATER + 5 * SECOND


def test_a_second_notice_is_said_too(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft())
    a_notice()
    an_inbound(person)
    answer(person)
    HoldingNotice.objects.all().delete()
    InboundMessage.objects.update(retry_at=None)
    a_notice(text="We answer again tonight.", starts_at=LATER + MINUTE, ends_at=LATER + HOUR)
    answer(person, at=LATER + 2 * MINUTE)
    assert graph.words == ["We answer again at noon.", "We answer again tonight."]


@pytest.mark.parametrize("times", [{"ends_at": NOW}, {"starts_at": NOW + MINUTE}])
def test_a_notice_that_is_over_or_to_come_is_not_said(
    times: dict[str, Any], person: Contact, written: Write, graph: Graph
) -> None:
    written(a_draft("Rest."))
    a_notice(**times)
    an_inbound(person)
    answer(person)
    assert graph.words == ["Rest."]


def test_a_notice_that_is_only_announced_holds_nobody_up(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft("Rest."))
    a_notice(holds=False)
    an_inbound(person)
    answer(person)
    assert graph.words == ["Rest."]


def test_a_notice_without_a_text_is_said_in_the_language_of_the_message(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft())
    a_notice(text="")
    an_inbound(person, "बुखार में क्या करूँ", language="hi")
    answer(person)
    assert graph.words == [wording.say("holding", "hi", "IN")]
    assert Answer.objects.get().language == "hi"


def test_who_should_see_a_doctor_today_is_told_so_while_answers_wait(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft())
    a_notice(text="")
    row = an_inbound(person)
    answer(person)
    row.refresh_from_db()
    an_inbound(person, "blood in my urine", triage_level="urgent", received_at=NOW)
    for step in range(1, 4):
        answer(person, at=LATER + step * 31 * SECOND)
    holding = wording.say("holding", "en", "IN")
    assert graph.words == [holding, wording.urgent("en", "IN") + "\n\n" + holding]


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
