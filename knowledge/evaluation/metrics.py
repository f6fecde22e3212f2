"""How good an order of answers is, and how sure the figure is. Pure.

An order is a list of keys, best first. Every measure lies between 0 and 1. Intervals are bootstrap intervals
over the questions with a fixed seed, so the same answers always give the same figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

RESAMPLES = 1_000
_SEED = 20240131


@dataclass(frozen=True)
class Judged:
    """What is known of the answers to one question."""

    # Worth of every judged answer, 0 for a wrong one; an answer that nobody judged is not here.
    gains: Mapping[str, float]
    # Those that count as right where only right and wrong are asked.
    relevant: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Interval:
    """A mean with the bounds of its 95 % interval, over `count` questions."""

    value: float
    low: float
    high: float
    count: int


def recall(order: Sequence[str], judged: Judged, depth: int) -> float:
    """The share of the right answers that stand among the first `depth`."""
    return len(judged.relevant & set(order[:depth])) / len(judged.relevant) if judged.relevant else 0.0


def reciprocal_rank(order: Sequence[str], judged: Judged) -> float:
    place = first_place(order, judged.relevant)
    return 1 / place if place else 0.0


def first_place(order: Sequence[str], relevant: frozenset[str]) -> int | None:
    """Where the first right answer stands, from 1."""
    return next((place for place, key in enumerate(order, 1) if key in relevant), None)


def ndcg(order: Sequence[str], judged: Judged, depth: int = 10) -> float:
    """Discounted gain against the best possible order of everything that was judged."""
    best = _discounted(sorted(judged.gains.values(), reverse=True)[:depth])
    return _discounted([judged.gains.get(key, 0.0) for key in order[:depth]]) / best if best else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, 1))


def judged_share(order: Sequence[str], judged: Judged, depth: int = 10) -> float:
    """The share of the first `depth` that anybody judged at all: how much of a low figure may be blamed on gaps."""
    first = order[:depth]
    return sum(key in judged.gains for key in first) / len(first) if first else 0.0


MEASURES: dict[str, Callable[[Sequence[str], Judged], float]] = {
    "R@1": lambda order, judged: recall(order, judged, 1),
    "R@5": lambda order, judged: recall(order, judged, 5),
    "R@10": lambda order, judged: recall(order, judged, 10),
    "MRR": reciprocal_rank,
    "nDCG@10": ndcg,
    "judged@10": judged_share,
}


def interval(values: Sequence[float], *, resamples: int = RESAMPLES) -> Interval:
    """The mean with its bootstrap interval. No value at all is 0 of 0."""
    if not values:
        return Interval(0.0, 0.0, 0.0, 0)
    measured = np.asarray(values, dtype=np.float64)
    draws = np.random.default_rng(_SEED)
    # In pieces, because 1,000 resamples of 16,000 questions are 128 MB.
    means = np.array([measured[draws.integers(0, len(measured), len(measured))].mean() for _ in range(resamples)])
    mean = float(measured.mean())
    low, high = np.percentile(means, [2.5, 97.5])
    # Rounding may put the mean of equal values a hair outside its own resamples.
    return Interval(mean, min(float(low), mean), max(float(high), mean), len(measured))


def difference(after: Sequence[float], before: Sequence[float], *, resamples: int = RESAMPLES) -> Interval:
    """By how much the mean changed, question by question: pairs vary far less than two means do."""
    return interval([new - old for new, old in zip(after, before, strict=True)], resamples=resamples)
