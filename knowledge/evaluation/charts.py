"""Where things stand in the pictures of the evaluation page: whole numbers for an SVG, made on the server. Pure.

Over time: the program's own order with its intervals, and each half alone as a line. At one time: the three
beside each other, one row a set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knowledge.evaluation.catalogue import DENSE, FUSED, GOALS, SYSTEMS, TEXT, Set
from knowledge.evaluation.metrics import Interval

WIDTH, HEIGHT = 340, 150
LEFT, RIGHT, TOP, BOTTOM = 32, 328, 10, 138
ROW_WIDTH, ROW_HEIGHT = 320, 36
_ROW_LEFT, _ROW_RIGHT = 10, 310


@dataclass(frozen=True)
class Seen:
    """The figures of one set and one measure in one run, by system."""

    key: Any
    at: datetime
    by_system: Mapping[str, Interval]


@dataclass(frozen=True)
class Mark:
    """One value as drawn: its place, and its interval as a line through it."""

    seen: Seen
    interval: Interval
    x: int
    y: int
    low: int
    high: int


@dataclass(frozen=True)
class Tick:
    label: str
    y: int


@dataclass(frozen=True)
class OverTime:
    title: str
    metric: str
    about: str
    marks: tuple[Mark, ...]
    # Points of the three lines, as SVG wants them.
    lines: Mapping[str, str]
    ticks: tuple[Tick, ...]
    goal: float | None
    goal_y: int | None
    rows: tuple[Seen, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT

    @property
    def last(self) -> Interval:
        return self.marks[-1].interval

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.last.value >= self.goal


@dataclass(frozen=True)
class Dot:
    system: str
    title: str
    interval: Interval
    x: int
    low: int
    high: int


@dataclass(frozen=True)
class Row:
    """One set at one time: a dot for each system on a line from 0 to 1."""

    about: Set
    dots: tuple[Dot, ...]
    goal: float | None
    goal_x: int | None
    width: int = ROW_WIDTH
    height: int = ROW_HEIGHT


def over_time(about: Set, metric: str, seen: Sequence[Seen]) -> OverTime:
    """The oldest on the left; at least one run."""
    goal = GOALS.get((about.name, metric))
    bottom, top = _range(seen, goal.value if goal else None)
    marks = tuple(_mark(each, _x(place, len(seen)), bottom, top) for place, each in enumerate(seen))
    return OverTime(
        title=about.title,
        metric=metric,
        about=about.about,
        marks=marks,
        lines={system: _line(system, seen, bottom, top) for system in SYSTEMS},
        ticks=tuple(Tick(f"{value:.1f}", _y(value, bottom, top)) for value in _ticks(bottom, top)),
        goal=goal.value if goal else None,
        goal_y=_y(goal.value, bottom, top) if goal else None,
        rows=tuple(reversed(seen)),
    )


def at_once(about: Set, by_system: Mapping[str, Interval], metric: str) -> Row:
    goal = GOALS.get((about.name, metric))
    dots = tuple(
        Dot(system, SYSTEMS[system], by_system[system], *(_across(value) for value in _bounds(by_system[system])))
        for system in (TEXT, DENSE, FUSED)
        if system in by_system
    )
    return Row(about, dots, goal.value if goal else None, _across(goal.value) if goal else None)


def _bounds(interval: Interval) -> tuple[float, float, float]:
    return interval.value, interval.low, interval.high


def _range(seen: Sequence[Seen], goal: float | None) -> tuple[float, float]:
    """Whole tenths around everything that is drawn, at least three of them."""
    values = [each for found in seen for each in _bounds(found.by_system[FUSED])[1:]]
    values += [interval.value for found in seen for interval in found.by_system.values()]
    values += [goal] if goal is not None else []
    bottom, top = math.floor(min(values) * 10) / 10, math.ceil(max(values) * 10) / 10
    while top - bottom < 0.29:
        bottom, top = max(0.0, bottom - 0.1), min(1.0, top + 0.1)
    return bottom, top


def _ticks(bottom: float, top: float) -> list[float]:
    tenths = range(round(bottom * 10), round(top * 10) + 1)
    return [tenth / 10 for tenth in tenths if len(tenths) <= 6 or not tenth % 2]


def _mark(seen: Seen, x: int, bottom: float, top: float) -> Mark:
    interval = seen.by_system[FUSED]
    return Mark(seen, interval, x, *(_y(value, bottom, top) for value in _bounds(interval)))


def _line(system: str, seen: Sequence[Seen], bottom: float, top: float) -> str:
    return " ".join(
        f"{_x(place, len(seen))},{_y(each.by_system[system].value, bottom, top)}"
        for place, each in enumerate(seen)
        if system in each.by_system
    )


def _x(place: int, count: int) -> int:
    """Runs stand at equal distances: they come in bursts, and days without one say nothing."""
    inset = 14
    return (LEFT + RIGHT) // 2 if count == 1 else LEFT + inset + place * (RIGHT - LEFT - 2 * inset) // (count - 1)


def _y(value: float, bottom: float, top: float) -> int:
    return round(BOTTOM - (value - bottom) / (top - bottom) * (BOTTOM - TOP))


def _across(value: float) -> int:
    return round(_ROW_LEFT + value * (_ROW_RIGHT - _ROW_LEFT))
