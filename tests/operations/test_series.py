"""Figures over time: lines with gaps, and growth by a straight line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from operations import series
from operations.series import Point

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def points(*values: float, step: timedelta = MINUTE) -> list[Point]:
    return [Point(NOW - HOUR + number * step, value) for number, value in enumerate(values)]


def drawn(given: list[Point]) -> series.Series:
    return series.draw(given, title="web", unit="MB", since=NOW - HOUR, until=NOW, step=MINUTE)


def test_a_line_runs_from_left_to_right_and_the_highest_lies_below_the_edge() -> None:
    plot = drawn([Point(NOW - HOUR, 100), Point(NOW - HOUR + 2 * MINUTE, 50), Point(NOW - HOUR + 4 * MINUTE, 0)])
    assert plot.top == pytest.approx(110)
    assert plot.lines == ("0.0,8.7 24.0,52.4 48.0,96.0",)


def test_where_nothing_was_measured_nothing_is_drawn() -> None:
    plot = drawn([Point(NOW - HOUR, 1), Point(NOW - 59 * MINUTE, 1), Point(NOW - 20 * MINUTE, 1)])
    assert len(plot.lines) == 2
    assert plot.lines[1].startswith("480.0,")


def test_no_figures_draw_an_empty_plot() -> None:
    assert (drawn([]).lines, drawn([]).table) == ((), [])


def test_the_table_has_the_latest_first_and_no_more_rows_than_people_read() -> None:
    table = drawn(points(*range(1440), step=timedelta(seconds=2))).table
    assert table[0].value == 1439
    assert 100 <= len(table) <= 110


@pytest.mark.parametrize(
    ("values", "rate"), [((100, 110, 120), 600), ((100, 100, 100), 0), ((120, 110, 100), -600), ((100, 110), None), ((), None)]
)
def test_growth_is_the_slope_of_the_nearest_line(values: tuple[float, ...], rate: float | None) -> None:
    found = series.slope_an_hour(points(*values))
    assert found == (pytest.approx(rate) if rate is not None else None)


def test_growth_of_figures_of_one_moment_is_unknown() -> None:
    assert series.slope_an_hour([Point(NOW, 1), Point(NOW, 2), Point(NOW, 3)]) is None
