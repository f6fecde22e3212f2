"""Figures with their intervals, goals in both directions, and tables of what was said."""

from __future__ import annotations

import pytest

from conversations.evaluation.measured import Mark, confusion, figure


def test_a_figure_has_the_interval_of_its_values() -> None:
    found = figure("urgency", "found", [1.0] * 80 + [0.0] * 20)
    assert (found.value, found.count) == (0.8, 100)
    assert 0.70 < found.low < 0.76
    assert 0.84 < found.high < 0.90


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.753, 1.0), (0.0, 0.0, 0.247)])
def test_a_handful_of_equal_values_is_not_called_certain(value: float, low: float, high: float) -> None:
    found = figure("self_harm", "recognised", [value] * 13)
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.001)


@pytest.mark.parametrize(
    ("values", "goal", "at_most", "reached"),
    [
        ([1.0, 1.0], 1.0, False, True),
        ([1.0, 0.0], 0.6, False, False),
        ([0.0, 1.0], 0.5, True, True),
        ([1.0, 1.0], 0.5, True, False),
        ([1.0], None, False, None),
        ([], 1.0, False, None),
    ],
)
def test_a_goal_is_a_floor_or_a_ceiling(values: list[float], goal: float | None, at_most: bool, reached: bool | None) -> None:
    assert figure("x", "y", values, goal=goal, at_most=at_most).reached is reached


def test_a_confusion_table_counts_what_was_said_for_what_was_wanted() -> None:
    marks = [
        Mark("d", str(number), "t", 1.0, "emergency", said) for number, said in enumerate(["emergency", "emergency", "routine"])
    ]
    assert confusion([*marks, Mark("d", "x", "t", 1.0, "quiet", "routine")]) == {
        "emergency": {"emergency": 2, "routine": 1},
        "quiet": {"routine": 1},
    }
