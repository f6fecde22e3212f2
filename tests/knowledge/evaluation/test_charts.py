"""Every value finds its place inside the picture."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knowledge.evaluation import charts
from knowledge.evaluation.catalogue import SETS
from knowledge.evaluation.charts import BOTTOM, LEFT, RIGHT, TOP, Seen
from knowledge.evaluation.metrics import Interval
from tests.factories import NOW

MESSAGES = SETS["liveqa_message"]


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, value, high = sorted(draw(st.tuples(*[st.floats(0, 1)] * 3)))
    return Interval(value, low, high, 21)


RUNS = st.lists(st.fixed_dictionaries({"fused": intervals(), "dense": intervals(), "text": intervals()}), min_size=1, max_size=12)


@given(RUNS)
def test_every_mark_and_whisker_lies_inside(runs: list[dict[str, Interval]]) -> None:
    plot = charts.over_time(MESSAGES, "nDCG@10", [Seen(n, NOW, each) for n, each in enumerate(runs)])
    for mark in plot.marks:
        assert LEFT <= mark.x <= RIGHT
        assert TOP <= mark.high <= mark.y <= mark.low <= BOTTOM
    assert [mark.x for mark in plot.marks] == sorted({mark.x for mark in plot.marks})
    assert plot.goal_y is not None
    assert TOP <= plot.goal_y <= BOTTOM
    assert 2 <= len(plot.ticks) <= 6
    for line in plot.lines.values():
        points = [tuple(map(int, point.split(","))) for point in line.split()]
        assert len(points) == len(runs)
        assert all(TOP <= y <= BOTTOM for _, y in points)


@given(st.fixed_dictionaries({"fused": intervals(), "dense": intervals(), "text": intervals()}))
def test_the_systems_stand_on_one_line_from_nothing_to_all(found: dict[str, Interval]) -> None:
    row = charts.at_once(MESSAGES, found, "nDCG@10")
    assert [dot.system for dot in row.dots] == ["text", "dense", "fused"]
    assert all(0 < dot.low <= dot.x <= dot.high < charts.ROW_WIDTH for dot in row.dots)
    assert row.goal_x == 10 + 300 // 2


def test_a_single_run_stands_in_the_middle() -> None:
    one = {"fused": Interval(0.5, 0.5, 0.5, 1)}
    plot = charts.over_time(MESSAGES, "condensed nDCG@10", [Seen(1, NOW, one)])
    assert plot.marks[0].x == (LEFT + RIGHT) // 2
    assert (plot.goal, plot.goal_y, plot.met) == (None, None, None)
    assert plot.lines["dense"] == ""
    assert [tick.label for tick in plot.ticks][0] < "0.5" < [tick.label for tick in plot.ticks][-1]


def test_a_set_without_a_goal_has_no_line_for_one() -> None:
    row = charts.at_once(SETS["mediqa_own"], {"fused": Interval(0.9, 0.8, 1.0, 9)}, "nDCG@10")
    assert (row.goal, row.goal_x, len(row.dots)) == (None, None, 1)
