"""Weights for the confidence, out of made-up questions whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from conversations.evaluation import answers_fitting


def made_up(count: int = 400) -> tuple[answers_fitting.Floats, NDArray[np.bool_], list[str]]:
    """One feature tells, the other is noise."""
    drawn = np.random.default_rng(3)
    answerable = np.arange(count) % 4 == 0
    features = drawn.uniform(size=(count, 2))
    features[:, 0] = np.clip(drawn.normal(np.where(answerable, 0.7, 0.4), 0.12), 0, 1)
    return features, answerable, [f"page {n // 2}" for n in range(count)]


def test_the_feature_that_tells_gets_the_weight() -> None:
    features, answerable, _ = made_up()
    fitted = answers_fitting.fit(features, answerable)
    assert fitted.weights[0] > 5 * abs(fitted.weights[1])
    said = fitted.confidence(features) >= 0.5
    assert said[answerable].mean() > 0.8
    assert said[~answerable].mean() < 0.2


def test_cross_validation_is_no_better_than_the_fit() -> None:
    features, answerable, groups = made_up()
    own = (answers_fitting.fit(features, answerable).confidence(features) >= 0.5) == answerable
    other = (answers_fitting.cross_validated(features, answerable, groups) >= 0.5) == answerable
    assert own.mean() >= other.mean() - 0.02
    assert other.mean() > 0.8


def test_one_side_alone_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="both"):
        answers_fitting.fit(np.ones((3, 2)), np.array([True, True, True]))
