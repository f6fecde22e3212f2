"""Is there enough evidence to answer? A figure from 0 to 1 out of what retrieval found. Pure.

Meaning alone is not enough: a question about a bridge is near to nothing and yet nearest to something, so
the words of the question must be found in the passages too, and those of a title count most. The weights were fitted on
questions that a library answers and questions that it does not (docs/adr/0022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from conversations.content_words import content, matches
from knowledge.passages import Passage
from knowledge.ranking import TOPIC_WEIGHT

ENOUGH = 0.5
_READ = 3
_ASKING = frozenset(
    """
    what when where which how why who much many long often should would could need want know tell please help mean
    means get take give happen happens do does doing thing things way ways best good bad safe year old years month
    months day days today yesterday tomorrow since morning evening night now lot very really hi hello thanks thank you
    """.split()
)


@dataclass(frozen=True)
class Features:
    """Each from 0 to 1."""

    # The best cosine.
    cosine: float
    # The share of the question's topic words that stand in one passage.
    coverage: float
    # How much of a title the question names.
    topic: float


_WEIGHTS = Features(cosine=7.36, coverage=3.28, topic=4.1)
_BIAS = -7.32


def confidence(question: str, found: Sequence[Passage]) -> float:
    """0 to 1: how likely it is that these passages answer the question. `question`: as it was searched."""
    if not found:
        return 0.0
    weighed = sum(weight * value for weight, value in zip(astuple(_WEIGHTS), astuple(features(question, found)), strict=True))
    return round(1 / (1 + math.exp(-weighed - _BIAS)), 3)


def features(question: str, found: Sequence[Passage]) -> Features:
    """What the best passages show. `found`: at least one, best first."""
    best = found[:_READ]
    return Features(
        cosine=max(0.0, max(each.cosine for each in best)),
        coverage=coverage(question, best),
        topic=min(1.0, _part("topic", best) / TOPIC_WEIGHT),
    )


def _part(name: str, found: Sequence[Passage]) -> float:
    """The largest share that a reason has in the rank of one of the passages."""
    return max((figure for each in found for part, figure in each.parts if part == name), default=0.0)


def coverage(question: str, found: Sequence[Passage]) -> float:
    """The share of the question's topic words that stand in one passage or its title, the best of them; the words
    that the vocabulary added in brackets count as well as the person's own."""
    own, _, added = question.partition(" (")
    return max(_coverage(own, found), _coverage(added, found))


def _coverage(question: str, found: Sequence[Passage]) -> float:
    asked = {word for word in content(question) if word not in _ASKING and len(word) > 2}
    if not asked:
        return 0.0
    return max(_share(asked, frozenset(content(f"{each.title} {each.heading} {each.text}"))) for each in found)


def _share(asked: set[str], there: frozenset[str]) -> float:
    return sum(matches(word, there) for word in asked) / len(asked)
