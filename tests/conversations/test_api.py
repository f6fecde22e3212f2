"""Asking over the API: triage first as for a patient, sources with the answer, and for whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from conversations import api
from conversations import trials as asking
from conversations.models import Answer, Contact, Handover, OutboundMessage
from knowledge.models import Document, Trial, UnansweredQuestion
from tests import factories

if TYPE_CHECKING:
    from tests.callers import Caller, MakeCaller

pytest_plugins = ("tests.callers",)
pytestmark = pytest.mark.django_db
READS = ("view_document",)
ASK = "/api/v1/ask/"


def ask(caller: Caller, question: str, **more: Any) -> dict[str, Any]:
    answer = caller.send(ASK, {"question": question, **more})
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = json.loads(answer.content)
    return body


@pytest.fixture
def fever(fake_embed: None) -> Document:
    text = "# Fever\n\n## What to do\n\nDrink plenty of water when you have a fever. Rest in a cool room."
    return factories.a_document("Fever", text, status=Document.Status.IN_REVIEW)


def test_a_question_is_answered_with_its_sources_and_that_it_is_general(caller: Caller, fever: Document, worker: None) -> None:
    said = ask(caller, "Drink plenty of water when you have a fever. Rest in a cool room.")
    assert (said["status"], said["kind"], said["triage_level"]) == ("done", "extractive", "routine")
    assert said["confidence"] >= said["enough"]
    (cited,) = said["citations"]
    assert (cited["number"], cited["document"], "[1]" in said["text"]) == (1, str(fever.pk), True)
    assert cited["unreviewed"]
    assert "starter" in said["notice"].lower() or "reviewed" in said["notice"].lower()


def test_an_emergency_is_answered_with_what_to_do_now_and_nothing_is_searched(caller: Caller, worker: None) -> None:
    said = ask(caller, "My father has crushing chest pain and cannot breathe", country="IN")
    assert (said["kind"], said["triage_level"], said["handover"]) == ("emergency", "emergency", True)
    assert "112" in said["text"].splitlines()[0]
    assert (said["citations"], said["confidence"], said["timings"]) == ([], None, {})
    assert said["notice"].startswith("General information")


def test_the_numbers_are_those_of_the_country_that_is_named(caller: Caller, worker: None) -> None:
    assert "999" in ask(caller, "I have crushing chest pain and cannot breathe", country="GB")["text"].splitlines()[0]


def test_words_of_self_harm_are_answered_with_a_helpline(caller: Caller, worker: None) -> None:
    said = ask(caller, "I want to kill myself")
    assert (said["kind"], said["triage_level"]) == ("self_harm", "self_harm")


def test_what_nothing_here_answers_is_declined(caller: Caller, fever: Document, worker: None) -> None:
    said = ask(caller, "How do doctors treat kidney stones with lasers?")
    assert (said["kind"], said["citations"]) == ("declined", [])
    assert said["confidence"] < said["enough"]


def test_another_language_is_answered_in_it(caller: Caller, worker: None) -> None:
    said = ask(caller, "मुझे दो दिन से बुखार है, क्या करूं?")
    assert (said["language"], said["kind"]) == ("hi", "fixed")


def test_asking_leaves_nothing_in_the_conversations(caller: Caller, fever: Document, worker: None) -> None:
    ask(caller, "I want to kill myself")
    ask(caller, "How do doctors treat kidney stones with lasers?")
    tables = (Answer, Contact, Handover, OutboundMessage, UnansweredQuestion)
    assert [model.objects.count() for model in tables] == [0] * len(tables)


def test_without_a_worker_the_answer_says_where_to_ask_again(caller: Caller, fever: Document, no_wait: None) -> None:
    answer: Any = caller.send(ASK, {"question": "fever", "country": "KE"})
    trial = Trial.objects.get()
    assert (answer.status_code, answer["Location"]) == (202, f"/api/v1/asks/{trial.pk}/")
    assert (trial.kind, trial.asked) == ("ask", {"question": "fever", "country": "KE"})
    assert caller.get(answer["Location"]).status_code == 202
    asking.run(trial.pk, now=timezone.now())
    assert caller.get(answer["Location"]).json()["question"] == "fever"


def test_an_answer_belongs_to_who_asked(a_caller: MakeCaller, no_wait: None) -> None:
    address = a_caller("one").send(ASK, {"question": "fever"})["Location"]
    assert a_caller("other").get(address).status_code == 404


def test_reading_documents_is_not_enough_to_ask(a_caller: MakeCaller) -> None:
    reader = a_caller(may=READS)
    assert reader.send(ASK, {"question": "fever"}).status_code == 403
    assert Trial.objects.count() == 0


def test_an_answer_that_failed_says_so_without_the_words(
    caller: Caller, worker: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(question: str, **_: Any) -> None:
        raise RuntimeError(question)

    monkeypatch.setattr("conversations.compose.ask", broken)
    answer = caller.send(ASK, {"question": "my secret lump"})
    assert answer.status_code == 503
    assert "lump" not in answer.content.decode() + "".join(capfd.readouterr())


@pytest.mark.parametrize("country", ["India", "", "1N", 91, "I\x00"])
def test_a_wrong_country_is_refused(caller: Caller, country: Any) -> None:
    answer: Any = caller.send(ASK, {"question": "fever", "country": country})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["country"])


@pytest.mark.parametrize("question", ["", "fe\x00ver", 7, None, "x" * 4097])
def test_a_wrong_question_is_refused(caller: Caller, question: Any) -> None:
    answer: Any = caller.send(ASK, {"question": question})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["question"])


def test_the_example_has_the_fields_of_an_answer(caller: Caller, fever: Document, worker: None) -> None:
    said = ask(caller, "Drink plenty of water when you have a fever. Rest in a cool room.")
    assert set(said) == set(api._EXAMPLE)
    assert set(said["citations"][0]) == set(api._EXAMPLE["citations"][0])  # type: ignore[index]
