"""Where things stand in the pictures of these evaluations: whole numbers for an SVG, made on the server. Pure.

Over time: one figure with its intervals and its goal. Reliability: how often answers of a confidence were right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversations.evaluation.measured import Figure, Table
from knowledge.evaluation.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Tick

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
_INSET = 14
SIDE = 240
_LOW, _HIGH = 36, 228


@dataclass(frozen=True)
class Seen:
    """One figure in one run."""

    run: Any
    at: datetime
    figure: Figure


@dataclass(frozen=True)
class Dot:
    seen: Seen
    x: int
    y: int
    low: int
    high: int


@dataclass(frozen=True)
class OverTime:
    dots: tuple[Dot, ...]
    line: str
    ticks: tuple[Tick, ...]
    goal_y: int | None
    rows: tuple[Seen, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT

    @property
    def last(self) -> Figure:
        return self.dots[-1].seen.figure


def over_time(seen: Sequence[Seen]) -> OverTime:
    """The oldest on the left; at least one run."""
    goal = seen[-1].figure.goal
    bottom, top, step = _range(seen, goal)
    dots = tuple(_dot(each, _x(place, len(seen)), bottom, top) for place, each in enumerate(seen))
    count = round((top - bottom) / step)
    return OverTime(
        dots=dots,
        line=" ".join(f"{each.x},{each.y}" for each in dots),
        ticks=tuple(Tick(f"{bottom + step * n:.2f}", _y(bottom + step * n, bottom, top)) for n in range(count + 1)),
        goal_y=None if goal is None else _y(goal, bottom, top),
        rows=tuple(reversed(seen)),
    )


def _range(seen: Sequence[Seen], goal: float | None) -> tuple[float, float, float]:
    """Whole steps around everything that is drawn, at most five of them."""
    values = [bound for each in seen for bound in (each.figure.low, each.figure.high)] + ([] if goal is None else [goal])
    for step in _STEPS:
        bottom, top = math.floor(min(values) / step + 1e-9) * step, math.ceil(max(values) / step - 1e-9) * step
        if top - bottom < 2 * step:
            bottom, top = max(0.0, bottom - step), min(1.0, max(bottom, top) + step)
        if top - bottom <= 5 * step + 1e-9:
            return bottom, top, step
    return 0.0, 1.0, 0.2


def _dot(seen: Seen, x: int, bottom: float, top: float) -> Dot:
    found = seen.figure
    return Dot(seen, x, *(_y(value, bottom, top) for value in (found.value, found.low, found.high)))


def _x(place: int, count: int) -> int:
    """Runs stand at equal distances: they come in bursts, and days without one say nothing."""
    return (LEFT + RIGHT) // 2 if count == 1 else LEFT + _INSET + place * (RIGHT - LEFT - 2 * _INSET) // (count - 1)


def _y(value: float, bottom: float, top: float) -> int:
    return round(BOTTOM - (value - bottom) / (top - bottom) * (BOTTOM - TOP))


@dataclass(frozen=True)
class Bin:
    """Answers of like confidence: where they stand, and how large the circle is for how many they are."""

    name: str
    confidence: float
    right: float
    count: int
    x: int
    y: int
    radius: int


@dataclass(frozen=True)
class Step:
    """A tenth on both axes."""

    label: str
    x: int
    y: int


@dataclass(frozen=True)
class Reliability:
    bins: tuple[Bin, ...]
    steps: tuple[Step, ...]
    side: int = SIDE
    low: int = _LOW
    high: int = _HIGH


def reliability(table: Table) -> Reliability | None:
    """None where no bin holds an answer."""
    filled: Mapping[str, Mapping[str, float]] = {name: row for name, row in table.items() if row.get("n")}
    most = max((row["n"] for row in filled.values()), default=0)
    bins = tuple(
        Bin(
            name,
            row["confidence"],
            row["right"],
            int(row["n"]),
            _across(row["confidence"]),
            SIDE - _across(row["right"]),
            3 + round(7 * math.sqrt(row["n"] / most)),
        )
        for name, row in filled.items()
    )
    if not bins:
        return None
    tenths = [tenth / 10 for tenth in range(0, 11, 2)]
    return Reliability(bins, tuple(Step(f"{tenth:.1f}", _across(tenth), SIDE - _across(tenth)) for tenth in tenths))


def _across(value: float) -> int:
    return round(_LOW + value * (_HIGH - _LOW))
