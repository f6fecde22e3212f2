"""The weights of the confidence, fitted anew on questions that are answered and questions that are not. Pure: numpy.

A logistic model with a small ridge, each side weighed the same however many questions it has. Cross-validation keeps
questions on one page together, so that no page is learnt from one of its questions and tested with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RIDGE = 1.0
FOLDS = 5


@dataclass(frozen=True)
class Fitted:
    # In the order of `evidence.Features`.
    weights: tuple[float, ...]
    bias: float

    def confidence(self, features: Floats) -> Floats:
        found: Floats = 1 / (1 + np.exp(-(features @ np.asarray(self.weights) + self.bias)))
        return found


def fit(features: Floats, answerable: NDArray[np.bool_], *, ridge: float = RIDGE, steps: int = 60) -> Fitted:
    """Newton's method; shapes (n, features) and (n,). Raises ValueError where one side has no question."""
    positive, negative = int(answerable.sum()), int((~answerable).sum())
    if not positive or not negative:
        raise ValueError("both answered and unanswered questions are needed")
    weight = np.where(answerable, 0.5 / positive, 0.5 / negative) * len(answerable)
    x = np.hstack([features, np.ones((len(features), 1))])
    held = np.diag([ridge] * features.shape[1] + [0.0])
    solution = np.zeros(x.shape[1])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-(x @ solution)))
        slope = x.T @ (weight * (p - answerable)) + held @ solution
        curve = (x * (weight * p * (1 - p))[:, None]).T @ x + held
        solution = solution - np.linalg.solve(curve + 1e-9 * np.eye(len(solution)), slope)
    return Fitted(tuple(float(each) for each in solution[:-1]), float(solution[-1]))


def cross_validated(features: Floats, answerable: NDArray[np.bool_], groups: Sequence[str], *, folds: int = FOLDS) -> Floats:
    """The confidence of each question by weights that never saw its group."""
    names = sorted(set(groups))
    fold_of = {name: place % folds for place, name in enumerate(np.random.default_rng(7).permutation(names))}
    place = np.asarray([fold_of[name] for name in groups])
    found = np.zeros(len(features))
    for fold in range(folds):
        tested = place == fold
        if tested.any():
            found[tested] = fit(features[~tested], answerable[~tested]).confidence(features[tested])
    return found
