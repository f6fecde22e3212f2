"""Questions are grouped by meaning: deterministic, everybody once, and by a threshold that holds for the real model."""

from __future__ import annotations

import sys
import time
import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge import embeddings, grouping, vocabulary
from knowledge.passages import Vectors

QUESTIONS = tomllib.loads(Path(__file__).with_name("questions.toml").read_text())
# The same question in other words, as two people would write it.
PARAPHRASES = [
    ("how do i bring down my 3 year olds fever", "my child is 3 and has fever how to reduce it"),
    ("is it ok to take brufen in dengue", "can i take ibuprofen if i have dengue"),
    ("what is zorbitis", "tell me about zorbitis"),
    ("how long does chikungunya joint pain last", "when will my joints stop hurting after chikungunya"),
    ("can i drink alcohol with metronidazole", "is beer ok when taking metrogyl"),
    ("which hospital is best for knee replacement", "best hospital for knee surgery"),
    ("price of insulin pen", "how much does an insulin pen cost"),
    ("my hair is falling out what to do", "hair loss treatment"),
    ("can thyroid patients eat cabbage", "is cabbage bad for thyroid"),
    ("what is the cost of mri scan", "how much is an MRI"),
    ("how to get rid of dark circles", "dark circles under eyes remedy"),
]


def unit(rows: object) -> Vectors:
    vectors = np.asarray(rows, dtype=np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def around(direction: int, count: int, *, seed: int, size: int = 16) -> Vectors:
    """Unit vectors near one axis."""
    base = np.zeros((count, size))
    base[:, direction] = 1
    return unit(base + np.random.default_rng(seed).normal(0, 0.05, (count, size)))


def test_questions_of_one_meaning_come_together_and_the_largest_group_comes_first() -> None:
    vectors = np.concatenate([around(0, 2, seed=1), around(1, 3, seed=2), around(2, 1, seed=3)])
    assert [sorted(each.members) for each in grouping.groups(vectors)] == [[2, 3, 4], [0, 1], [5]]


def test_groups_of_one_size_keep_the_order_of_their_first_member() -> None:
    vectors = np.concatenate([around(3, 2, seed=1), around(0, 2, seed=2)])
    assert [sorted(each.members) for each in grouping.groups(vectors)] == [[0, 1], [2, 3]]


def test_the_member_nearest_the_middle_is_named_first() -> None:
    vectors = unit([[1, 0.4, 0], [1, 0, 0], [1, -0.4, 0]])
    (only,) = grouping.groups(vectors)
    assert (only.middle, only.members) == (1, (1, 0, 2))


def test_nothing_makes_no_group() -> None:
    assert grouping.groups(np.zeros((0, 384), dtype=np.float32)) == []


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 40), alike=st.floats(-1, 1))
def test_everybody_is_in_one_group_exactly_and_twice_the_same_gives_the_same(seed: int, count: int, alike: float) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(count, 8)))
    found = grouping.groups(vectors, alike=alike)
    assert sorted(place for each in found for place in each.members) == list(range(count))
    assert found == grouping.groups(vectors, alike=alike)
    sizes = [len(each.members) for each in found]
    assert sizes == sorted(sizes, reverse=True)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 30))
def test_a_question_that_comes_later_moves_no_earlier_one(seed: int, count: int) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(count, 6)))
    before = {frozenset(each.members) for each in grouping.groups(vectors[:-1])}
    after = {frozenset(each.members) - {count - 1} for each in grouping.groups(vectors)} - {frozenset()}
    assert before == after


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 400))
def test_a_vector_survives_its_column(seed: int, size: int) -> None:
    vector = unit(np.random.default_rng(seed).normal(size=(1, size)))[0]
    assert float(grouping.unpack(grouping.pack(vector)) @ vector) > 0.9999


@pytest.mark.parametrize("packed", ["", "no base64 !", grouping.pack(np.zeros(8, dtype=np.float32)), "AAA=", "AHwAfA=="])
def test_what_is_no_vector_is_refused(packed: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        grouping.unpack(packed)


def test_two_thousand_questions_are_grouped_in_a_moment() -> None:
    vectors = unit(np.random.default_rng(7).normal(size=(2_000, 384)))
    started = time.process_time()
    assert len(grouping.groups(vectors)) > 1_900
    assert time.process_time() - started < 10


def test_the_threshold_keeps_different_questions_apart_and_brings_the_same_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    different = [each["text"] for each in QUESTIONS["answered"] + QUESTIONS["outside"]]
    texts = different + [text for pair in PARAPHRASES for text in pair]
    vectors = embeddings.embed([vocabulary.widened(each) for each in texts], model=embeddings.BUNDLED)
    apart, pairs = vectors[: len(different)], vectors[len(different) :]
    highest = max(float(apart[one] @ apart[other]) for one, other in combinations(range(len(different)), 2))
    together = sum(float(pairs[place] @ pairs[place + 1]) >= grouping.ALIKE for place in range(0, len(pairs), 2))
    groups = [each for each in grouping.groups(apart) if len(each.members) > 1]
    with capsys.disabled():
        sys.stdout.write(f"\n  same question grouped: {together} of {len(PARAPHRASES)}; nearest different pair {highest:.2f}")
    assert together >= 9
    assert groups == []
