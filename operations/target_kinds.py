"""What a target is, and the ways a figure is made of roll-ups: a median, a share, an average, the last reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from operations.rollups import Sum

Unit = Literal["seconds", "share", "score", "days"]
# below: less than the limit; above: more than it; whole: nothing less than it.
Comparison = Literal["below", "above", "whole"]
Sums = Mapping[str, Sum]


@dataclass(frozen=True)
class Median:
    """The middle value, by interpolation in the bucket in which it lies."""

    name: str
    bounds: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def of(self, sums: Sums) -> float | None:
        return median(sums[self.name].buckets, self.bounds) if self.name in sums else None


@dataclass(frozen=True)
class Share:
    """How many of what there was."""

    part: tuple[str, ...]
    whole: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.part, *self.whole)

    def of(self, sums: Sums) -> float | None:
        whole = counted(sums, self.whole)
        return counted(sums, self.part) / whole if whole else None


@dataclass(frozen=True)
class Mean:
    """The average of what was read each minute."""

    name: str
    divisor: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def of(self, sums: Sums) -> float | None:
        found = sums.get(self.name)
        return found.total / found.count / self.divisor if found and found.count else None


@dataclass(frozen=True)
class Latest(Mean):
    """What was read last: an age does not average."""


@dataclass(frozen=True)
class Target:
    key: str
    title: str
    group: str
    limit: float
    unit: Unit
    figure: Median | Share | Mean
    # What it means, in one sentence.
    about: str
    # In docs/runbooks, without its ending.
    runbook: str
    comparison: Comparison = "below"
    paged: bool = False
    budgeted: bool = False


def counted(sums: Sums, wanted: Sequence[str]) -> int:
    return sum(sums[name].count for name in wanted if name in sums)


def median(buckets: Mapping[str, float], bounds: Sequence[float]) -> float | None:
    """In the last bucket, which has no end, it is at least where that begins."""
    half, below = sum(buckets.values()) / 2, 0.0
    if not half:
        return None
    edges = sorted({*bounds, *(float(bound) for bound in buckets if bound != "inf")})
    named = {float(bound): number for bound, number in buckets.items()}
    start = 0.0
    for edge in edges:
        inside = named.get(edge, 0.0)
        if inside and below + inside >= half:
            return start + (edge - start) * (half - below) / inside
        below += inside
        start = edge
    return edges[-1]
