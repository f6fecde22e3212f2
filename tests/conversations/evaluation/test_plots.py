"""Where a figure stands over time, and where answers of a confidence stand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from conversations.evaluation.measured import Figure
from conversations.evaluation.plots import SIDE, Seen, over_time, reliability

AT = datetime(2026, 11, 1, tzinfo=UTC)


def seen(*values: float, goal: float | None = None) -> list[Seen]:
    """Runs with these values and intervals of two points to each side."""
    return [
        Seen(n, AT, Figure("d", "m", value, max(0.0, value - 0.02), min(1.0, value + 0.02), 50, goal))
        for n, value in enumerate(values)
    ]


def test_a_higher_value_stands_higher_and_the_oldest_left() -> None:
    plot = over_time(seen(0.90, 0.95, goal=0.98))
    first, second = plot.dots
    assert first.x < second.x
    assert second.y < first.y
    assert all(dot.high < dot.y < dot.low for dot in plot.dots)
    assert plot.goal_y is not None
    assert plot.goal_y < second.y
    assert [each.run for each in plot.rows] == [1, 0]


@pytest.mark.parametrize("values", [(0.0,), (1.0,), (0.001, 0.002), (0.0, 1.0), (0.4, 0.45, 0.62)])
def test_everything_drawn_lies_within_the_picture_and_between_the_ticks(values: tuple[float, ...]) -> None:
    plot = over_time(seen(*values, goal=0.02))
    levels = [tick.y for tick in plot.ticks]
    assert 3 <= len(levels) <= 6
    assert levels == sorted(levels, reverse=True)
    for dot in plot.dots:
        assert min(levels) <= dot.high <= dot.y <= dot.low <= max(levels)
        assert plot.left <= dot.x <= plot.right
    assert [float(tick.label) for tick in plot.ticks] == sorted({float(tick.label) for tick in plot.ticks})


def test_small_shares_get_fine_steps() -> None:
    assert [tick.label for tick in over_time(seen(0.001, goal=0.02)).ticks] == ["0.00", "0.01", "0.02", "0.03"]


def test_bins_on_the_line_are_as_often_right_as_they_were_sure() -> None:
    found = reliability(
        {
            "0.0 to 0.5": {"confidence": 0.25, "right": 0.25, "n": 4},
            "0.5 to 1.0": {"confidence": 0.75, "right": 0.5, "n": 100},
            "empty": {"confidence": 0.0, "right": 0.0, "n": 0},
        }
    )
    assert found is not None
    low, high = found.bins
    assert low.x == SIDE - low.y
    assert high.x > SIDE - high.y
    assert low.radius < high.radius
    assert [(each.count, each.right) for each in found.bins] == [(4, 0.25), (100, 0.5)]


def test_without_answers_there_is_nothing_to_draw() -> None:
    assert reliability({}) is None
    assert reliability({"0 to 1": {"confidence": 0.0, "right": 0.0, "n": 0}}) is None
