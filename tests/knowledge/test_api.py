"""The API over knowledge: what is given of documents, and how a search waits for a worker."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from knowledge import api, api_trials, embeddings, trials
from knowledge.models import Document, Trial
from tests import factories

if TYPE_CHECKING:
    from tests.callers import Caller, MakeCaller

pytest_plugins = ("tests.callers",)
pytestmark = pytest.mark.django_db
DOCUMENTS, SEARCH = "/api/v1/documents/", "/api/v1/search/"


def said(answer: Any) -> str:
    detail: str = answer.json()["detail"]
    return detail


def a_note(title: str, **fields: Any) -> Document:
    return Document.objects.create(title=title, text="Rest.", content_hash=title, **fields)


def titles(answer: Any) -> list[str]:
    return [each["title"] for each in answer.json()["results"]]


# Documents


def test_documents_come_by_title_a_window_at_a_time(caller: Caller) -> None:
    for title in ("Cough", "Asthma", "Burns"):
        a_note(title)
    first = caller.get(DOCUMENTS, {"limit": 2})
    assert (first.json()["count"], titles(first), first.json()["previous"]) == (3, ["Asthma", "Burns"], None)
    second = caller.get(first.json()["next"])
    assert (titles(second), second.json()["next"]) == (["Cough"], None)
    assert titles(caller.get(second.json()["previous"])) == ["Asthma", "Burns"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"status": "in_review"}, ["Fever"]),
        ({"language": "hi"}, ["बुखार"]),
        ({"topic": "LUNGS"}, ["Asthma"]),
        ({"q": "who asth"}, ["Asthma"]),
        ({"q": "100%"}, []),
        ({"status": "uploaded", "language": "en"}, ["Asthma"]),
        ({"offset": 50}, []),
    ],
)
def test_filters_narrow_the_list(caller: Caller, asked: dict[str, Any], found: list[str]) -> None:
    a_note("Asthma", topic="Lungs", publisher="WHO")
    a_note("Fever", status=Document.Status.IN_REVIEW)
    a_note("बुखार", language="hi", status=Document.Status.RETIRED)
    assert titles(caller.get(DOCUMENTS, asked)) == found


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "101"},
        {"limit": "0"},
        {"limit": "ten"},
        {"limit": "٣"},
        {"limit": ""},
        {"offset": "-1"},
        {"offset": "9" * 30},
        {"status": "gone"},
        {"language": "the english one"},
        {"q": "\x00"},
        {"q": " "},
        {"topic": "x" * 81},
    ],
)
def test_a_wrong_filter_is_refused_and_named(caller: Caller, asked: dict[str, str]) -> None:
    answer = caller.get(DOCUMENTS, asked)
    assert answer.status_code == 400
    (name,) = asked
    assert list(answer.json()["fields"]) == [name]
    assert said(answer).startswith(f"{name}: It ") or "language code" in said(answer)


def test_a_misspelt_filter_is_not_silently_left_out(caller: Caller) -> None:
    answer = caller.get(DOCUMENTS, {"langauge": "hi"})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["body"])
    assert "language" in said(answer)


def test_a_document_is_read_with_its_passages(caller: Caller, fake_embed: None) -> None:
    document = factories.a_document("Fever", "# Fever\n\n## What to do\n\nDrink water.\n\n## Danger\n\nGo now.")
    body = caller.get(f"{DOCUMENTS}{document.pk}/", {"limit": 1}).json()
    assert (body["document"]["title"], body["document"]["passages"]) == ("Fever", body["passages"]["count"])
    (passage,) = body["passages"]["results"]
    assert (passage["position"], "Drink water." in passage["text"]) == (0, True)


def test_the_list_counts_the_passages_of_each(caller: Caller, fake_embed: None) -> None:
    factories.a_document("Fever", "# Fever\n\nDrink water.")
    a_note("Cough")
    counts = {each["title"]: each["passages"] for each in caller.get(DOCUMENTS).json()["results"]}
    assert counts == {"Fever": 1, "Cough": 0}


def test_a_list_takes_as_many_statements_for_many_documents_as_for_one(
    caller: Caller, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        a_note(f"Note {number}")
    with django_assert_max_num_queries(6):
        assert len(titles(caller.get(DOCUMENTS, {"limit": 100}))) == 30


@pytest.mark.parametrize("path", [f"{DOCUMENTS}{factories.NOBODYS_KEY}/", f"{DOCUMENTS}x/", "/api/v1/search", "/api/v2/", "/api"])
def test_what_is_not_there_is_said_in_json(caller: Caller, path: str) -> None:
    answer = caller.get(path)
    assert (answer.status_code, "Nothing is here" in said(answer)) == (404, True)


# Search


@pytest.fixture
def fever(fake_embed: None) -> Document:
    text = "# Fever\n\n## What to do\n\nDrink water and rest when you have a fever."
    return factories.a_document("Fever", text, status=Document.Status.IN_REVIEW)


def test_a_search_is_answered_at_once_while_a_worker_is_at_hand(caller: Caller, fever: Document, worker: None) -> None:
    answer = caller.send(SEARCH, {"question": " How do I treat a fever? "})
    body: Any = json.loads(answer.content)
    assert (answer.status_code, body["status"], body["question"]) == (200, "done", "How do I treat a fever?")
    best = body["passages"][0]
    assert (best["document"], best["title"], "Drink water" in best["text"]) == (str(fever.pk), "Fever", True)
    assert {"name", "share"} == set(best["reasons"][0])


def test_the_web_process_never_reads_a_question_with_the_model(
    caller: Caller, no_wait: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "embed", lambda *_, **__: pytest.fail("the model was used"))
    assert caller.send(SEARCH, {"question": "fever"}).status_code == 202


def test_without_a_worker_the_answer_says_where_to_ask_again(caller: Caller, fever: Document, no_wait: None) -> None:
    answer: Any = caller.send(SEARCH, {"question": "fever", "language": None, "audience": "public", "limit": 3})
    trial = Trial.objects.get()
    assert (answer.status_code, answer["Retry-After"]) == (202, "1")
    assert answer["Location"] == answer.json()["url"] == f"/api/v1/searches/{trial.pk}/"
    assert trial.asked == {"question": "fever", "language": None, "audience": "public", "limit": 3}
    assert caller.get(answer["Location"]).json()["status"] == "waiting"
    trials.run(trials.claim(trial.pk, now=timezone.now()) or trial, now=timezone.now())
    again = caller.get(answer["Location"])
    assert (again.status_code, again.json()["passages"][0]["title"]) == (200, "Fever")


def test_a_search_belongs_to_who_asked(a_caller: MakeCaller, no_wait: None) -> None:
    address = a_caller("one").send(SEARCH, {"question": "fever"})["Location"]
    assert a_caller("other").get(address).status_code == 404


def test_an_answer_is_not_found_among_the_searches(caller: Caller) -> None:
    trial = trials.ask_for(Trial.Kind.ASK, {"question": "fever"}, by=caller.user, now=timezone.now())
    assert caller.get(f"/api/v1/searches/{trial.pk}/").status_code == 404


def test_a_search_that_failed_says_why(caller: Caller, monkeypatch: pytest.MonkeyPatch, worker: None) -> None:
    monkeypatch.setattr(embeddings, "embed", lambda *_, **__: 1 / 0)
    answer: Any = caller.send(SEARCH, {"question": "fever"})
    assert (answer.status_code, "Try again" in said(answer)) == (503, True)
    assert caller.get(f"/api/v1/searches/{Trial.objects.get().pk}/").status_code == 503


def test_the_wait_ends_after_its_time(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_trials, "SECONDS", 0.12)
    assert caller.send(SEARCH, {"question": "fever"}).status_code == 202


def test_those_who_wait_leave_threads_for_whatsapp(
    caller: Caller, fever: Document, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_trials, "_waiting", threading.BoundedSemaphore(1))
    assert caller.send(SEARCH, {"question": "fever"}).status_code == 200
    assert caller.send(SEARCH, {"question": "fever"}).status_code == 200
    api_trials._waiting.acquire()
    assert caller.send(SEARCH, {"question": "fever"}).status_code == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": " \n "}, "question"),
        ({"question": None}, "question"),
        ({"question": 7}, "question"),
        ({"question": True}, "question"),
        ({"question": ["fever"]}, "question"),
        ({"question": {"text": "fever"}}, "question"),
        ({"question": "x" * 4097}, "question"),
        ({"question": "fe\x00ver"}, "question"),
        ({"question": "fever", "limit": 21}, "limit"),
        ({"question": "fever", "limit": 0}, "limit"),
        ({"question": "fever", "limit": "5"}, "limit"),
        ({"question": "fever", "limit": 2.5}, "limit"),
        ({"question": "fever", "limit": True}, "limit"),
        ({"question": "fever", "limit": None}, "limit"),
        ({"question": "fever", "language": "; DROP"}, "language"),
        ({"question": "fever", "audience": ""}, "audience"),
        ({"question": "fever", "document": str(uuid4())}, "body"),
        ([], "body"),
        ("fever", "body"),
        (None, "body"),
    ],
)
def test_a_wrong_question_is_refused_with_its_field(caller: Caller, body: Any, field: str) -> None:
    answer: Any = caller.send(SEARCH, json.dumps(body))
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert said(answer).startswith(f"{field}: ")
    assert Trial.objects.count() == 0


# The page


def test_the_page_of_the_api_needs_no_token_and_nothing_written_into_it(client: Client) -> None:
    page = client.get("/api/v1/docs/")
    text = page.content.decode()
    assert (page.status_code, "<style" in text, "style=" in text, "<script>" in text) == (200, False, False, False)
    assert "unsafe" not in page["Content-Security-Policy"]
    assert 'data-schema="/api/v1/schema/"' in text


def test_the_example_of_a_search_has_the_fields_of_a_search(caller: Caller, fever: Document, worker: None) -> None:
    body: Any = json.loads(caller.send(SEARCH, {"question": "fever"}).content)
    assert set(body) == set(api._EXAMPLE)
    assert set(body["passages"][0]) == set(api._EXAMPLE["passages"][0])  # type: ignore[index]
