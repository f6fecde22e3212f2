"""Questions of one meaning together, out of their vectors alone. Pure: numpy, no rows, no model.

Leader clustering: each question in its order joins the group whose middle is nearest, or begins one. It is
deterministic, needs one pass, and a question that comes later never moves an earlier one.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge.passages import Vectors

# Different questions of tests/knowledge/questions.toml lie at .64 at most; the same in other words mostly at .8 and above.
ALIKE = 0.65


@dataclass(frozen=True)
class Group:
    # Places in what was given: the one nearest the middle first, the others in their order.
    members: tuple[int, ...]

    @property
    def middle(self) -> int:
        return self.members[0]


def pack(vector: Vectors) -> str:
    """A vector as text for an encrypted column."""
    return base64.b64encode(np.asarray(vector, dtype=np.float16).tobytes()).decode()


def unpack(packed: str) -> Vectors:
    """Raises ValueError for what is no vector."""
    vector = np.frombuffer(base64.b64decode(packed, validate=True), dtype=np.float16).astype(np.float32)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise ValueError("not a vector")
    return np.asarray(vector / length, dtype=np.float32)


def groups(vectors: Vectors, *, alike: float = ALIKE) -> list[Group]:
    """Groups of unit vectors, one a row, the largest first and equal ones in the order of their first member."""
    # All cosines at once are quicker than each vector with each middle: a middle is the sum of its members.
    cosines = vectors @ vectors.T
    labels, sizes = _labels(cosines, alike)
    ordered = sorted(range(len(sizes)), key=lambda each: (-sizes[each], each))
    return [Group(_middle_first(np.flatnonzero(labels == each), cosines)) for each in ordered]


def _labels(cosines: Vectors, alike: float) -> tuple[NDArray[np.int64], list[int]]:
    """The group of each, and how many are in each group."""
    labels = np.zeros(len(cosines), dtype=np.int64)
    lengths: list[float] = []
    sizes: list[int] = []
    for place in range(len(cosines)):
        sums = np.bincount(labels[:place], weights=cosines[place, :place], minlength=len(sizes))
        nearest = sums / np.sqrt(np.maximum(lengths, 1e-9))
        group = int(np.argmax(nearest)) if sizes else 0
        if not sizes or nearest[group] < alike:
            group = len(sizes)
            lengths.append(0.0)
            sizes.append(0)
            sums = np.append(sums, 0.0)
        # The squared length of the group's sum with one more.
        lengths[group] += 1 + 2 * float(sums[group])
        labels[place] = group
        sizes[group] += 1
    return labels, sizes


def _middle_first(members: NDArray[np.int64], cosines: Vectors) -> tuple[int, ...]:
    """The member nearest the others first; of equal ones the earliest."""
    nearness = np.round(cosines[np.ix_(members, members)].sum(axis=1), 4)
    first = int(members[int(np.argmax(nearness))])
    return (first, *(int(each) for each in members if each != first))
