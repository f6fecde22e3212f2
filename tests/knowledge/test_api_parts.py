"""What all of the API shares: who may, what is taken, how it refuses, how often, and what it does when a part is away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from knowledge import trials
from knowledge.models import Trial
from tests.factories import NOBODYS_KEY

if TYPE_CHECKING:
    from tests.callers import Caller, MakeCaller

pytest_plugins = ("tests.callers",)
pytestmark = pytest.mark.django_db
DOCUMENTS, SEARCH = "/api/v1/documents/", "/api/v1/search/"


def said(answer: Any) -> str:
    detail: str = answer.json()["detail"]
    return detail


# Who may


def test_without_a_token_nothing_opens_and_the_answer_says_what_to_send(client: Client) -> None:
    for answer in (client.get(DOCUMENTS), client.post(SEARCH, {"question": "fever"}, content_type="application/json")):
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
        assert "Authorization: Token" in said(answer)


@pytest.mark.parametrize("key", ["", "a b", "\x00" * 40, "é" * 40, "0" * 40, "'; --"])
def test_a_token_that_is_not_known_opens_nothing(client: Client, key: str) -> None:
    assert client.get(DOCUMENTS, headers={"Authorization": f"Token {key}"}).status_code == 401


def test_a_session_of_the_console_opens_nothing(client: Client) -> None:
    client.force_login(User.objects.create(username="meera", is_staff=True, is_superuser=True))
    assert client.get(DOCUMENTS).status_code == 401


def test_an_account_that_was_switched_off_is_out_at_once(caller: Caller) -> None:
    assert caller.get(DOCUMENTS).status_code == 200
    User.objects.filter(pk=caller.user.pk).update(is_active=False)
    assert caller.get(DOCUMENTS).status_code == 401


@pytest.mark.parametrize("path", [DOCUMENTS, f"{DOCUMENTS}{NOBODYS_KEY}/", f"/api/v1/searches/{NOBODYS_KEY}/"])
def test_an_account_without_a_role_reads_nothing(a_caller: MakeCaller, path: str) -> None:
    answer = a_caller(may=()).get(path)
    assert (answer.status_code, said(answer)) == (
        403,
        "Your account may not do this. Ask whoever runs Jeevo for a role that may.",
    )


def test_an_account_without_a_role_leaves_no_trial_behind(a_caller: MakeCaller) -> None:
    assert a_caller(may=()).send(SEARCH, {"question": "fever"}).status_code == 403
    assert Trial.objects.count() == 0


def test_answers_are_kept_by_nobody_on_the_way(caller: Caller) -> None:
    assert caller.get(DOCUMENTS)["Cache-Control"] == "no-store"


# What is taken


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"question": "fever"',
        b'{"question": NaN}',
        b"[" * 60_000,
        b'{"question": "\xff\xfe"}',
        '{"question": "fever"}'.encode("utf-16"),
        b'{"question": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_is_refused(caller: Caller, raw: bytes) -> None:
    assert caller.send(SEARCH, raw).status_code == 400


@pytest.mark.parametrize("raw", [b'{"question": "fever \\ud800"}', b'{"question": "fever", "\\udfff": 1}'])
def test_half_a_character_is_refused_wherever_it_stands(caller: Caller, raw: bytes) -> None:
    answer = caller.send(SEARCH, raw)
    assert answer.status_code == 400
    assert b"\\ud" not in answer.content


def test_a_character_that_is_no_text_is_named_as_such(caller: Caller) -> None:
    assert said(caller.send(SEARCH, {"question": "fe\x00ver"})).startswith("question: It holds a character that no text has")


@pytest.mark.parametrize("charset", ["utf-16", "idna", "nonsense"])
def test_the_charset_that_is_named_changes_nothing(caller: Caller, no_wait: None, charset: str) -> None:
    kind = f"application/json; charset={charset}"
    assert caller.generic("POST", f"{SEARCH}?a=b", b'{"question": "fever"}', content_type=kind).status_code == 202
    assert caller.generic("GET", f"{DOCUMENTS}?q=fever", content_type=kind).status_code == 200


def test_the_longest_question_is_taken_however_it_is_written(caller: Caller, no_wait: None) -> None:
    question = "😀" * 4096
    assert caller.send(SEARCH, json.dumps({"question": question})).status_code == 202
    assert Trial.objects.get().asked["question"] == question


def test_a_body_that_is_too_large_is_refused_before_it_is_read(caller: Caller) -> None:
    answer = caller.send(SEARCH, b'{"question": "' + b"x" * 70_000 + b'"}')
    assert (answer.status_code, said(answer)) == (413, "The body is larger than 64 KB. Send a shorter question.")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"])
def test_only_json_is_taken(caller: Caller, kind: str) -> None:
    assert caller.send(SEARCH, b'{"question": "fever"}', content_type=kind).status_code == 415


def test_only_json_is_given(caller: Caller) -> None:
    answer = caller.get(DOCUMENTS, headers={"Accept": "text/html"})
    assert (answer.status_code, "JSON only" in said(answer)) == (406, True)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
def test_another_method_is_told_which_are_taken(caller: Caller, method: str) -> None:
    answer = caller.generic(method, SEARCH)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_too_many_fields_in_the_address_are_refused(caller: Caller) -> None:
    answer = caller.get(DOCUMENTS + "?" + "&".join(f"f{number}=1" for number in range(1001)))
    assert (answer.status_code, said(answer)) == (400, "The address names too many fields.")


# Rates, and parts that are away


def test_an_account_that_asks_too_often_is_told_when_to_ask_again(
    a_caller: MakeCaller, no_wait: None, settings: Settings
) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {"search": "2/min", "read": "9/min"}}
    eager, other = a_caller("eager"), a_caller("other")
    answers = [eager.send(SEARCH, {"question": "fever"}) for _ in range(3)]
    assert [each.status_code for each in answers] == [202, 202, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60
    assert said(answers[2]).startswith("Too many requests in a minute.")
    assert eager.get(DOCUMENTS).status_code == 200
    assert other.send(SEARCH, {"question": "fever"}).status_code == 202


def test_the_usual_rates_are_sixty_searches_and_twenty_questions(settings: Settings) -> None:
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    assert (rates["search"], rates["ask"]) == ("60/min", "20/min")


def test_nobody_is_refused_while_the_cache_is_away(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "get", lambda key, default=None: default)
    monkeypatch.setattr(cache, "set", lambda *_, **__: None)
    assert caller.get(DOCUMENTS).status_code == 200


def test_a_database_that_is_away_is_said_and_the_question_is_in_no_log(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("no connection for 'my secret lump'")

    monkeypatch.setattr(trials, "ask_for", away)
    answer = caller.send(SEARCH, {"question": "my secret lump"})
    assert (answer.status_code, said(answer)) == (503, "The database did not answer in time. Ask again in a minute.")
    assert "lump" not in "".join(capfd.readouterr())


def test_a_wrong_question_is_neither_repeated_nor_logged(caller: Caller, capfd: pytest.CaptureFixture[str]) -> None:
    answer = caller.send(SEARCH, json.dumps({"question": 7, "my secret lump": 1}))
    assert answer.status_code == 400
    assert "lump" not in answer.content.decode() + "".join(capfd.readouterr())
