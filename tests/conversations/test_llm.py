"""Groq through its own SDK, against a server with moods: one error class, a deadline, and a breaker all workers share."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.cache import cache, caches
from django_redis.cache import RedisCache

from conversations import llm
from conversations.llm import ModelError
from tests import groq_server
from tests.fixtures import ChangeEnvironment
from tests.groq_server import Groq

PROMPT = '<passage number="1" title="Fever" section="">\nRest in bed. Drink water.\n</passage>\n<question>\nfever\n</question>'


@pytest.fixture
def groq(environment: ChangeEnvironment) -> Iterator[Groq]:
    with groq_server.serving() as server:
        environment(groq={"api_key": "gsk_made_up", "base_url": server.url, "model": groq_server.MODEL, "deadline_seconds": 1})
        groq_server.forget_client()
        cache.clear()
        yield server
    groq_server.forget_client()
    cache.clear()


def ask(seconds: float = 20) -> llm.Completion:
    return llm.complete("rules", PROMPT, seconds=seconds)


def failure(seconds: float = 20) -> ModelError:
    with pytest.raises(ModelError) as raised:
        ask(seconds)
    return raised.value


def test_without_a_key_the_model_is_off(environment: ChangeEnvironment) -> None:
    environment(groq={"api_key": ""})
    assert not llm.is_on()


def test_a_good_answer_comes_with_its_model_and_time(groq: Groq) -> None:
    done = ask()
    assert done.text == "Rest in bed [1]. Drink water [1]."
    assert done.model == groq_server.MODEL
    assert 0 <= done.milliseconds < 20_000


def test_one_call_is_sent_with_the_key_and_the_rules_and_no_tools(groq: Groq) -> None:
    ask()
    (call,) = groq.asked
    assert call["path"] == groq_server.PATH
    assert groq.keys == ["Bearer gsk_made_up"]
    assert [each["role"] for each in call["messages"]] == ["system", "user"]
    assert call["temperature"] == 0
    assert call["model"] == groq_server.MODEL
    assert call["max_completion_tokens"] <= llm.MOST_TOKENS
    assert "tools" not in call
    assert "user" not in call


STATUSES = [
    (400, True, "answered 400"),
    (401, True, "refused the key"),
    (403, True, "refused the key"),
    (404, True, "does not know the model"),
    (422, True, "answered 422"),
    (429, False, "limit was reached"),
    (500, False, "answered 500"),
    (503, False, "answered 503"),
]


@pytest.mark.parametrize(("status", "permanent", "reason"), STATUSES)
def test_a_refusal_says_why_and_whether_trying_again_helps(groq: Groq, status: int, permanent: bool, reason: str) -> None:
    groq.plays, groq.status = "error", status
    error = failure()
    assert (error.permanent, error.code) == (permanent, status)
    assert reason in error.reason
    assert len(groq.asked) == 1


@pytest.mark.parametrize("mood", [*groq_server.ODD, "html", "blank", "hanging up"])
def test_an_answer_in_a_wrong_form_is_a_failure_that_may_pass(groq: Groq, mood: str) -> None:
    groq.plays = mood
    assert failure().permanent is False


def test_nobody_listening_is_a_failure_that_may_pass(environment: ChangeEnvironment, groq: Groq) -> None:
    environment(groq={"base_url": f"http://127.0.0.1:{free_port()}"})
    groq_server.forget_client()
    started = time.monotonic()
    assert failure().permanent is False
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("mood", ["slow", "dripping"])
def test_the_deadline_holds_also_for_a_server_that_never_stops_writing(groq: Groq, mood: str) -> None:
    groq.plays, groq.seconds = mood, 10
    started = time.monotonic()
    assert "deadline" in failure(seconds=0.5).reason
    assert time.monotonic() - started < 5


def test_three_failures_rest_the_model_and_no_more_calls_are_made(groq: Groq) -> None:
    groq.plays = "error"
    for _ in range(llm.FAILURES_THAT_OPEN):
        failure()
    groq.plays = "good"
    assert "resting" in failure().reason
    assert len(groq.asked) == llm.FAILURES_THAT_OPEN


def test_two_failures_and_a_success_start_the_count_again(groq: Groq) -> None:
    for mood in ("error", "error", "good", "error", "error", "good"):
        groq.plays = mood
        ask() if mood == "good" else failure()
    assert len(groq.asked) == 6


@pytest.mark.parametrize("status", [401, 404])
def test_a_refused_key_rests_the_model_at_once_and_for_longer(groq: Groq, status: int) -> None:
    groq.plays, groq.status = "error", status
    failure()
    groq.plays = "good"
    assert "resting" in failure().reason
    assert len(groq.asked) == 1
    assert llm.OPEN_SECONDS < cache.ttl(llm._OPEN) <= llm.REFUSED_SECONDS  # type: ignore[attr-defined]


def test_the_breaker_closes_again_after_its_rest(groq: Groq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "OPEN_SECONDS", 1)
    groq.plays = "error"
    for _ in range(3):
        failure()
    groq.plays = "good"
    time.sleep(1.1)
    assert ask().text
    assert cache.get(llm.PROBLEM) is None


def test_failures_are_forgotten_after_a_minute(groq: Groq) -> None:
    groq.plays = "error"
    failure()
    failure()
    assert 0 < cache.ttl(llm._FAILURES) <= llm.WINDOW_SECONDS  # type: ignore[attr-defined]


def test_every_worker_sees_the_breaker_because_it_is_in_the_cache(groq: Groq) -> None:
    groq.plays, groq.status = "error", 401
    failure()
    other_worker = redis.Redis.from_url(settings.CACHE_URL)
    assert [key for key in other_worker.keys("*") if llm._OPEN.encode() in key]
    other_worker.flushdb()
    groq.plays = "good"
    assert ask().text


def test_the_console_is_told_what_is_wrong_and_since_when(groq: Groq) -> None:
    groq.plays, groq.status = "error", 401
    failure()
    problem = cache.get(llm.PROBLEM)
    assert (problem["code"], problem["reason"]) == (401, "Groq refused the key")
    assert problem["since"].startswith("20")


def test_what_groq_says_in_an_error_is_kept_out_of_reason_and_log(groq: Groq, caplog: pytest.LogCaptureFixture) -> None:
    groq.plays = "error"
    with caplog.at_level(logging.DEBUG):
        error = failure()
    assert "Ramesh" not in error.reason
    assert "Ramesh" not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("conversations"))


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache where nobody listens, with the options the program uses."""
    options: dict[str, Any] = dict(settings.CACHES["default"])
    dead = RedisCache(f"redis://127.0.0.1:{free_port()}/1", options | {"OPTIONS": dict(options["OPTIONS"])})
    monkeypatch.setattr(llm, "cache", dead)


@pytest.mark.usefixtures("no_cache")
def test_without_a_cache_the_model_still_answers(groq: Groq) -> None:
    started = time.monotonic()
    assert ask().text
    assert time.monotonic() - started < 15


@pytest.mark.usefixtures("no_cache")
def test_without_a_cache_a_failure_is_still_only_a_failure_of_the_model(groq: Groq) -> None:
    groq.plays = "error"
    assert [failure().code for _ in range(4)] == [500] * 4


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: Any = listener.getsockname()[1]
        return int(port)


def test_the_cache_of_the_program_is_the_one_under_test() -> None:
    assert isinstance(caches["default"], RedisCache)
