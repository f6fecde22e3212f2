"""One figure for each candidate, out of its two scores and what the question asks for. Pure.

    meaning   cosine with the question; with its condensed form too, where a long message has one: their mean
    words     BM25, over the geometric mean of the best found and the best possible, so from 0 to about 1
    topic     how much of the title the question names, and how rare that is beside the best-named title
    section   whether the heading announces what is asked for

Fusing scores beats fusing ranks here (docs/adr/0005): a cosine of .7 means the same whoever else was
found, a third place does not. What each part brings, and what brought nothing, is in docs/evaluation.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from knowledge import intents

TEXT_WEIGHT, TOPIC_WEIGHT, SECTION_WEIGHT = 0.3, 0.2, 0.05
# Of the cosine, where the model does not read the question's language: what it says then is mostly chance, and only
# names and loan words are left in another script.
UNREAD_WEIGHT, UNREAD_SCRIPT_WEIGHT = 0.3, 0.05
# An overview, or a heading that says nothing, may answer anything a little.
OVERVIEW_SHARE = 0.5
# Passages that share so much of their words are one passage that two documents print.
SAME = 0.8
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Candidate:
    chunk: UUID
    document: UUID
    title: str
    heading: str
    # With each of the question's vectors.
    cosines: tuple[float, ...]
    # BM25.
    text: float
    # Lexemes of the title and how rare each is; none where the question names none of them.
    title_words: Mapping[str, float]


@dataclass(frozen=True)
class Asked:
    """`words`: the question's lexemes and how rare each is (inverse document frequency). `attainable`: the BM25 of a
    passage that says nothing but these words, over and over."""

    question: str
    words: Mapping[str, float]
    attainable: float
    # Of the cosine in the figure.
    meaning: float = 1.0


@dataclass(frozen=True)
class Ranked:
    candidate: Candidate
    score: float
    cosine: float
    parts: tuple[tuple[str, float], ...]


def rank(asked: Asked, candidates: Sequence[Candidate]) -> list[Ranked]:
    """Best first; candidates of one score in the order of their keys."""
    wanted = intents.wanted_sections(asked.question)
    words, topics = _words(asked, candidates), _topics(asked, candidates)
    ranked = [
        _ranked(each, asked.meaning, TEXT_WEIGHT * said, TOPIC_WEIGHT * topic, SECTION_WEIGHT * _section(each.heading, wanted))
        for each, said, topic in zip(candidates, words, topics, strict=True)
    ]
    return sorted(ranked, key=lambda each: (-each.score, each.candidate.chunk.int))


def meaning_of(question: str, *, is_read: bool) -> float:
    """How much of the cosine counts; `is_read`: whether the model reads the question's language."""
    if is_read:
        return 1.0
    letters = [letter for letter in question if letter.isalpha()]
    latin = sum(letter.isascii() or "\u00c0" <= letter <= "\u024f" for letter in letters)
    return UNREAD_WEIGHT if 2 * latin >= len(letters) else UNREAD_SCRIPT_WEIGHT


def _ranked(candidate: Candidate, weight: float, words: float, topic: float, section: float) -> Ranked:
    cosine = sum(candidate.cosines) / len(candidate.cosines)
    parts = (("meaning", weight * cosine), ("words", words), ("topic", topic), ("section", section))
    return Ranked(candidate, sum(part for _, part in parts), cosine, parts)


def _words(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    best = max((each.text for each in candidates), default=0.0)
    norm = (best * asked.attainable) ** 0.5 or 1.0
    return [each.text / norm for each in candidates]


def _topics(asked: Asked, candidates: Sequence[Candidate]) -> list[float]:
    named = [sum(rarity for word, rarity in each.title_words.items() if word in asked.words) for each in candidates]
    most = max(named, default=0.0) or 1.0
    return [part * part / ((sum(each.title_words.values()) or 1.0) * most) for part, each in zip(named, candidates, strict=True)]


def _section(heading: str, wanted: frozenset[str]) -> float:
    kinds = _kinds(heading)
    return 1.0 if kinds & wanted else OVERVIEW_SHARE if "overview" in kinds or not kinds else 0.0


# Headings repeat: "Symptoms" stands over a passage of every illness.
_kinds = lru_cache(maxsize=4096)(intents.section_kinds)


def repeats(text: str, others: Sequence[str]) -> bool:
    """Whether it says, in nearly the same words, what one of the others says."""
    words = _distinct(text)
    return any(_alike(words, _distinct(other)) for other in others)


@lru_cache(maxsize=512)
def _distinct(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    shorter, longer = sorted((len(one), len(other)))
    # The lengths alone say no to most pairs.
    return shorter >= SAME * longer and len(one & other) >= SAME * len(one | other)
