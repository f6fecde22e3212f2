"""Figures are what their names say, and intervals hold them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.evaluation import metrics
from knowledge.evaluation.metrics import MEASURES, Judged, difference, interval, ndcg, recall

GRADED = Judged({"a": 3.0, "b": 2.0, "c": 0.0}, frozenset("ab"))
KEYS = st.sampled_from("abcdefghijklmnop")
ORDERS = st.lists(KEYS, unique=True, max_size=16)
SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@st.composite
def judgements(draw: st.DrawFn) -> Judged:
    gains = draw(st.dictionaries(KEYS, st.sampled_from([0.0, 1.0, 2.0, 3.0]), max_size=8))
    return Judged(gains, frozenset(key for key, gain in gains.items() if gain >= 2))


@pytest.mark.parametrize(
    ("order", "depth", "share"), [("xay", 1, 0.0), ("xay", 2, 0.5), ("xayb", 4, 1.0), ("", 10, 0.0), ("c", 10, 0.0)]
)
def test_recall_is_the_share_of_right_answers_among_the_first(order: str, depth: int, share: float) -> None:
    assert recall(list(order), GRADED, depth) == share


def test_the_best_order_of_what_was_judged_is_worth_one() -> None:
    assert ndcg(list("ab"), GRADED) == 1.0
    assert ndcg(list("ba"), GRADED) == pytest.approx((2 + 3 / math.log2(3)) / (3 + 2 / math.log2(3)))


def test_an_answer_nobody_judged_counts_as_wrong() -> None:
    assert ndcg(list("xab"), GRADED) == pytest.approx((3 / math.log2(3) + 2 / 2) / (3 + 2 / math.log2(3)))
    assert MEASURES["judged@10"](list("xabc"), GRADED) == 0.75


def test_the_ideal_is_no_longer_than_what_is_looked_at() -> None:
    many = Judged({str(number): 1.0 for number in range(20)})
    assert ndcg([str(number) for number in range(10)], many) == pytest.approx(1.0)


def test_the_rank_that_is_averaged_is_that_of_the_first_right_answer() -> None:
    assert MEASURES["MRR"](list("xyba"), GRADED) == pytest.approx(1 / 3)
    assert metrics.first_place(list("xyba"), GRADED.relevant) == 3
    assert metrics.first_place(list("xy"), GRADED.relevant) is None


@given(ORDERS, judgements())
def test_every_measure_lies_between_nothing_and_all(order: list[str], judged: Judged) -> None:
    for name, measure in MEASURES.items():
        assert 0.0 <= measure(order, judged) <= 1.0 + 1e-12, name


@given(ORDERS, judgements(), st.integers(1, 15))
def test_looking_further_never_finds_less(order: list[str], judged: Judged, depth: int) -> None:
    assert recall(order, judged, depth) <= recall(order, judged, depth + 1)


@given(ORDERS, judgements())
def test_moving_a_right_answer_to_the_front_never_makes_an_order_worse(order: list[str], judged: Judged) -> None:
    place = metrics.first_place(order, judged.relevant)
    if place is None:
        return
    best = max((key for key in order if key in judged.relevant), key=lambda key: judged.gains[key])
    moved = [best, *(key for key in order if key != best)]
    assert ndcg(moved, judged) >= ndcg(order, judged) - 1e-12
    assert MEASURES["MRR"](moved, judged) == 1.0


@settings(max_examples=25, deadline=None)
@given(SCORES)
def test_a_mean_lies_in_its_interval_and_the_interval_in_the_range(values: list[float]) -> None:
    found = interval(values, resamples=50)
    assert min(values) - 1e-9 <= found.low <= found.value <= found.high <= max(values) + 1e-9
    assert found.count == len(values)


def test_the_same_answers_always_give_the_same_interval() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    assert interval(values) == interval(values)


def test_more_questions_make_the_interval_narrower() -> None:
    few, many = interval([0.0, 1.0] * 10), interval([0.0, 1.0] * 500)
    assert few.value == many.value == 0.5
    assert few.high - few.low > 3 * (many.high - many.low)
    # By the binomial: 1.96 standard errors on each side.
    assert many.high - many.low == pytest.approx(2 * 1.96 * math.sqrt(0.25 / 1000), rel=0.15)


def test_no_question_at_all_is_nought_of_nought() -> None:
    assert interval([]) == metrics.Interval(0.0, 0.0, 0.0, 0)


def test_a_change_is_measured_question_by_question() -> None:
    before = [0.1, 0.9, 0.4, 0.6] * 10
    found = difference([each + 0.05 for each in before], before)
    assert (found.value, found.low, found.high) == pytest.approx((0.05, 0.05, 0.05))
    assert found.count == 40


def test_a_change_needs_the_same_questions_on_both_sides() -> None:
    with pytest.raises(ValueError):
        difference([1.0], [1.0, 0.0])
