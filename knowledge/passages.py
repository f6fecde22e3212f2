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
    # Fused score, from about 0 to 1.25, and the cosine in it.
    score: float
    cosine: float
    text: str
    sentences: tuple[str, ...]
    # Shape (len(sentences), dimensions).
    vectors: Vectors = field(repr=False, compare=False)
