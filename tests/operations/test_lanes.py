"""Whether a worker lives: one that is busy for a moment is not said to be gone."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from celery import current_app
from redis.exceptions import ConnectionError as NoBroker

from operations import lanes

Answers = dict[str, object] | None | Exception


def asked(monkeypatch: pytest.MonkeyPatch, *answers: Answers) -> list[float]:
    """The seconds that each asking waits, noted while it is given the next of these answers."""
    waits, left = list[float](), list(answers)

    def ping() -> Answers:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def inspect(*, timeout: float) -> SimpleNamespace:
        waits.append(timeout)
        return SimpleNamespace(ping=ping)

    monkeypatch.setattr(current_app.control, "inspect", inspect)
    return waits


def of(*names: str) -> Answers:
    return {f"{name}@host": {"ok": "pong"} for name in names}


def test_where_all_answer_they_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = asked(monkeypatch, of("answers", "indexing", "operations"))
    assert lanes.known() == {"answers", "indexing", "operations"}
    assert waits == [lanes.ANSWER_SECONDS]


def test_a_busy_one_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = asked(monkeypatch, of("answers", "operations"), of("indexing"))
    assert lanes.known() == {"answers", "indexing", "operations"}
    assert waits == [lanes.ANSWER_SECONDS, lanes.LATE_SECONDS]


def test_one_that_is_gone_is_missing_after_two(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, of("answers", "operations"), None)
    assert lanes.known() == {"answers", "operations"}


def test_a_broker_that_stumbled_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, NoBroker(), of("answers"))
    assert lanes.known() == {"answers"}
    asked(monkeypatch, NoBroker(), NoBroker())
    assert lanes.known() is None
