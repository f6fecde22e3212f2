"""Trials in the answers lane: handed out by the dispatcher once, answered as a patient would be, and nothing is sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from kombu.exceptions import OperationalError as BrokerError

from conversations import answering, compose, dispatch, tasks, trials
from conversations.dispatcher import Dispatcher
from conversations.models import Answer, OutboundMessage
from knowledge import embedding_indexes, embeddings, grouping
from knowledge import trials as waiting_room
from knowledge.models import Trial, UnansweredQuestion
from tests import factories
from tests.factories import MINUTE, NOW, SECOND
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db
STROKE = "my father's face is drooping and he cannot lift his arm"


def a_trial(kind: str = Trial.Kind.ASK, question: str = "How do I bring down a fever?", **asked: Any) -> Trial:
    by = factories.staff(f"staff{Trial.objects.count()}")
    return waiting_room.ask_for(kind, {"question": question} | asked, by=by, now=NOW)


def result(trial: Trial) -> dict[str, Any]:
    trials.run(trial.pk, now=NOW)
    trial.refresh_from_db()
    assert (trial.status, trial.reason) == ("done", "")
    told: dict[str, Any] = trial.result
    return told


# What Jeevo would say


@pytest.mark.usefixtures("fake_embed")
def test_a_question_is_answered_as_a_person_would_get_it_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    passage = factories.a_passage("Fever", page=4)
    draft = factories.a_draft(cited=(passage,), confidence=0.8, timings={"search": 4}, preface="Go on.")
    monkeypatch.setattr(compose, "for_text", lambda *_, **__: draft)
    told = result(a_trial())
    assert (told["kind"], told["text"], told["preface"]) == ("extractive", "Drink plenty of water. [1]", "Go on.")
    assert (told["confidence"], told["enough"], told["handover"], told["triage_level"]) == (0.8, 0.5, False, "routine")
    (cited,) = told["citations"]
    assert (cited["number"], cited["title"], cited["url"], cited["page"]) == (1, "Fever", passage.url, 4)
    assert (cited["quote"], cited["publisher"], cited["document"]) == (passage.text, "WHO", str(passage.document))
    assert told["timings"] == {"search": 4}
    assert not Answer.objects.exists()
    assert not OutboundMessage.objects.exists()
    assert not UnansweredQuestion.objects.exists()


def test_a_red_flag_is_seen_first_and_the_country_is_the_one_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "embed", None)
    told = result(a_trial(question=STROKE, country="US"))
    assert (told["kind"], told["triage_level"], told["handover"], told["citations"]) == ("emergency", "emergency", True, [])
    assert "911" in told["text"]
    assert "112" in result(a_trial(question=STROKE))["text"]
    assert settings.ENVIRONMENT.country == "IN"


@pytest.mark.usefixtures("fake_embed")
def test_a_question_nothing_answers_is_declined_and_not_kept() -> None:
    told = result(a_trial(question="what is zorbitis"))
    assert (told["kind"], told["confidence"], told["handover"]) == ("declined", 0.0, True)
    assert not UnansweredQuestion.objects.exists()


@pytest.mark.usefixtures("fake_embed")
def test_searches_and_golden_questions_are_done_here_too() -> None:
    assert result(a_trial(Trial.Kind.SEARCH))["passages"] == []
    assert result(a_trial(Trial.Kind.GOLDEN))["total"] == 0


@pytest.mark.usefixtures("fake_embed")
def test_the_task_does_a_trial_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(question: str, *, country: str) -> Any:
        asked.append(question)
        return factories.a_draft()

    monkeypatch.setattr(compose, "ask", ask)
    trial = a_trial()
    for _ in range(3):
        tasks.run_trial(str(trial.pk))
    assert asked == ["How do I bring down a fever?"]


def test_a_fault_tells_no_word_of_what_was_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def choke(question: str, *, country: str) -> None:
        raise RuntimeError(f"cannot {question}")

    monkeypatch.setattr(compose, "ask", choke)
    trial = a_trial(question="zorbitis of my aunt")
    tasks.run_trial(str(trial.pk))
    trial.refresh_from_db()
    assert trial.status == "failed"
    assert "RuntimeError" in trial.reason
    said = capsys.readouterr()
    assert "zorbitis" not in trial.reason + said.out + said.err


def test_old_trials_are_forgotten_by_a_timer() -> None:
    trial = a_trial()
    Trial.objects.filter(pk=trial.pk).update(created_at=NOW - 400 * MINUTE * 60)
    tasks.forget_trials()
    assert not Trial.objects.exists()


@pytest.mark.parametrize("name", ["run_trial", "forget_trials", "fill_question_vectors"])
def test_every_task_goes_to_the_lane_that_has_the_model(name: str) -> None:
    route = current_app.amqp.router.route({}, f"conversations.{name}")
    assert route["queue"].name == "answers"
    assert f"conversations.{name}" in current_app.tasks


def test_every_timer_names_a_task_that_is_there() -> None:
    tasks_of_timers = {str(each["task"]) for each in settings.CELERY_BEAT_SCHEDULE.values()}
    named = {each for each in tasks_of_timers if each.startswith("conversations.")}
    assert named == {"conversations.forget_trials", "conversations.fill_question_vectors"}
    assert named <= set(current_app.tasks)


# Handed out by the dispatcher


def test_a_trial_is_handed_out_once_and_again_only_when_its_key_may_be_lost() -> None:
    trial, sent, handed = a_trial(), list[UUID](), dict[UUID, Any]()

    def take(key: UUID) -> bool:
        sent.append(key)
        return True

    def hand(at: Any) -> int:
        return dispatch.hand_out_trials(now=at, publish=take, handed=handed)

    assert [hand(NOW), hand(NOW + SECOND), hand(NOW + 10 * SECOND)] == [1, 0, 0]
    assert hand(NOW + answering.HANDED_FOR + SECOND) == 1
    assert sent == [trial.pk, trial.pk]
    Trial.objects.update(status="done")
    assert (hand(NOW + MINUTE), handed) == (0, {})


def test_a_broker_that_does_not_take_the_key_is_tried_again_at_once() -> None:
    trial, handed = a_trial(), dict[UUID, Any]()
    assert dispatch.hand_out_trials(now=NOW, publish=lambda key: False, handed=handed) == 0
    assert handed == {}
    assert dispatch.hand_out_trials(now=NOW + SECOND, publish=lambda key: key == trial.pk, handed=handed) == 1


def test_a_round_sends_the_key_alone_to_the_answers_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        "conversations.dispatcher.current_app.send_task", lambda name, args, queue, **_: sent.append((name, args, queue))
    )
    trial, dispatcher = a_trial(), Dispatcher()
    dispatcher.round(now=NOW)
    dispatcher.round(now=NOW + SECOND)
    assert sent == [("conversations.run_trial", [str(trial.pk)], "answers")]


def test_without_a_broker_trials_wait_and_keep_their_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise BrokerError

    monkeypatch.setattr("conversations.dispatcher.current_app.send_task", away)
    trial, dispatcher = a_trial(), Dispatcher()
    dispatcher.round(now=NOW)
    trial.refresh_from_db()
    assert (trial.status, trial.attempts, dispatcher.trials_handed) == ("waiting", 0, {})


def test_the_dispatcher_asks_one_question_a_round() -> None:
    with CaptureQueriesContext(connection) as asked:
        dispatch.hand_out_trials(now=NOW, publish=lambda key: True, handed={})
    assert len(asked) == 1


# What is kept of a question nothing answered


@pytest.mark.usefixtures("fake_embed")
def test_a_declined_question_carries_its_vector_and_the_model_that_made_it() -> None:
    draft = compose.answer_question("what is zorbitis", country="IN")
    assert draft.vector is not None
    assert draft.vector.shape == (384,)
    assert draft.embedding_model == embedding_indexes.current_model()


@pytest.mark.usefixtures("fake_embed")
def test_the_vector_of_a_declined_question_is_kept_sealed() -> None:
    person = factories.a_contact()
    message = factories.an_inbound(person, "what is zorbitis")
    draft = compose.answer_question("what is zorbitis", country="IN")
    answering.commit(person, [message], draft, token=None, now=NOW)
    kept = UnansweredQuestion.objects.get()
    assert draft.vector is not None
    assert kept.model == draft.embedding_model
    assert float(grouping.unpack(kept.vector) @ draft.vector) > 0.999
    with connection.cursor() as cursor:
        cursor.execute("SELECT vector FROM knowledge_unansweredquestion")
        assert bytes(cursor.fetchone()[0]).startswith(b"gAAAA")


def test_a_declined_answer_without_a_vector_is_kept_all_the_same() -> None:
    person = factories.a_contact()
    draft = factories.a_draft("I do not know.", kind="declined", question="what is x?")
    answering.commit(person, [factories.an_inbound(person)], draft, token=None, now=NOW)
    assert (UnansweredQuestion.objects.get().vector, UnansweredQuestion.objects.get().model) == ("", "")


def test_people_who_wait_always_find_a_worker(environment: ChangeEnvironment) -> None:
    """However much staff try: half of the workers at most are busy with it."""
    environment(answer_workers=4)
    keys = {a_trial(question=f"question {number}").pk for number in range(6)}
    handed: dict[UUID, Any] = {}
    assert dispatch.hand_out_trials(now=NOW, publish=lambda key: True, handed=handed) == 2
    assert dispatch.hand_out_trials(now=NOW + SECOND, publish=lambda key: True, handed=handed) == 0
    Trial.objects.filter(pk__in=handed).update(status=Trial.Status.DONE)
    assert dispatch.hand_out_trials(now=NOW + SECOND, publish=lambda key: True, handed=handed) == 2
    assert handed.keys() < keys
