"""Is there enough evidence to answer? A figure from 0 to 1 out of what retrieval found. Pure.

Meaning alone is not enough: a question about a bridge is near to nothing and yet nearest to something,
so the words of the question must be found in the passages too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from conversations.questions import words
from conversations.validation import _COMMON, _stem
from knowledge.passages import Passage

# Chosen on the labelled questions in tests/knowledge/questions.toml; see docs/adr.
ENOUGH = 0.5
_MIDDLE, _STEEPNESS = 0.60, 9.0
_ASKING = set(
    """
    what when where which how why who much many long often should would could need want know tell please help mean
    means get take give happen happens do does doing thing things way ways best good bad safe year old years month
    months day days today yesterday tomorrow since morning evening night now lot very really
    """.split()
)


def confidence(question: str, found: Sequence[Passage]) -> float:
    """0 to 1: a logistic curve over the best cosine and the share of the question's own words in the best passages."""
    if not found:
        return 0.0
    cosine = max(passage.cosine for passage in found[:3])
    return round(1 / (1 + math.exp(-_STEEPNESS * (cosine + 0.35 * coverage(question, found[:3]) - _MIDDLE - 0.1))), 3)


def coverage(question: str, found: Sequence[Passage]) -> float:
    """The share of the question's topic words that stand in one passage or its title, the best of them; the words
    that the vocabulary added in brackets count as well as the person's own."""
    own, _, added = question.partition(" (")
    return max(_coverage(own, found), _coverage(added, found))


def _coverage(question: str, found: Sequence[Passage]) -> float:
    asked = {_stem(word) for word in words(question) if word not in _COMMON and word not in _ASKING and len(word) > 2}
    if not asked:
        return 0.0
    return max(
        len(asked & {_stem(word) for word in words(f"{each.title} {each.heading} {each.text}")}) / len(asked) for each in found
    )
