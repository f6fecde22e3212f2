"""What is due, in minutes and meanings: good, at risk from 80 % of the time, breached when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from operations import countdown
from operations.models import Timer

START = datetime(2026, 3, 29, 0, 50, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def timer(kind: str = "mitigation", *, minutes: float = 20, **fields: object) -> Timer:
    return Timer(kind=kind, started_at=START, due_at=START + minutes * MINUTE, **fields)


@pytest.mark.parametrize(
    ("after", "state", "said"),
    [
        (0, "good", "in 20 minutes"),
        (15.9, "good", "in 4 minutes"),
        (16, "at_risk", "in 4 minutes"),
        (19, "at_risk", "in 1 minute"),
        (19.9, "at_risk", "in less than a minute"),
        (20, "breached", "less than a minute late"),
        (23, "breached", "3 minutes late"),
        (200, "breached", "3 h 0 min late"),
        (20 + 60 * 50, "breached", "2 days late"),
    ],
)
def test_a_running_target_is_said_in_minutes(after: float, state: str, said: str) -> None:
    due = countdown.due(timer(), now=START + after * MINUTE)
    assert (due.state, due.said, due.runs) == (state, said, True)


@pytest.mark.parametrize(
    ("after", "state", "said"),
    [(20, "good", "done in time"), (23.5, "breached", "done, 3 minutes late"), (1, "good", "done in time")],
)
def test_a_met_one_says_whether_it_came_in_time(after: float, state: str, said: str) -> None:
    due = countdown.due(timer(met_at=START + after * MINUTE), now=START + timedelta(days=1))
    assert (due.state, due.said, due.runs) == (state, said, False)


def test_the_most_urgent_comes_first_and_what_was_dropped_is_gone() -> None:
    timers = [timer(), timer("acknowledge", minutes=5), timer("severity", minutes=10, dropped_at=START)]
    assert [due.kind for due in countdown.running(timers, now=START)] == ["acknowledge", "mitigation"]
    assert countdown.met(timers, now=START) == []


def test_of_many_updates_only_the_last_stands_there() -> None:
    updates = [timer("update", minutes=15 * n, met_at=START + 15 * n * MINUTE) for n in range(1, 5)]
    found = countdown.met([*updates, timer("acknowledge", minutes=5, met_at=START)], now=START)
    assert [(due.kind, due.due_at) for due in found] == [("acknowledge", START + 5 * MINUTE), ("update", START + 60 * MINUTE)]
