"""What retrieval gives to the answering path. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

# Unit vectors, one a row.
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Passage:
    chunk: UUID
    document: UUID
    title: str
    publisher: str
    url: str
    heading: str
    # Place in its document, from 0.
    position: int
    page: int | None
    unreviewed: bool
    # What it was ranked by (`knowledge.ranking`), and the cosine in it.
    score: float
    cosine: float
    text: str
    sentences: tuple[str, ...]
    # Shape (len(sentences), dimensions).
    vectors: Vectors = field(repr=False, compare=False)
    # The share of each reason in the score: ("meaning", .61), ("words", .2), ("section", .05).
    parts: tuple[tuple[str, float], ...] = ()
