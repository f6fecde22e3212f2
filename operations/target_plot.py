"""A target over a window as a small plot for inline SVG, with its limit drawn, and as rows for the table behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from operations.figures import State
from operations.history import Slot
from operations.target_kinds import Target
from operations.targets import said, state, value_of

WIDTH, HEIGHT = 360, 96
# Room above the highest of the values and the limit.
HEADROOM = 1.15


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    at: datetime
    value: float
    said: str
    state: State


@dataclass(frozen=True)
class Line:
    at: datetime
    said: str


@dataclass(frozen=True)
class TargetPlot:
    # A gap in what is known is a gap in the line.
    lines: tuple[str, ...]
    dots: tuple[Dot, ...]
    limit_y: float
    rows: tuple[Line, ...]
    width: int = WIDTH
    height: int = HEIGHT


def draw(target: Target, slots: Sequence[Slot]) -> TargetPlot:
    values = [value_of(target, [slot], slot) for slot in slots]
    top = HEADROOM * max([target.limit, *(value for value in values if value is not None)])
    step = WIDTH / len(slots)
    dots: list[Dot | None] = []
    for place, (slot, value) in enumerate(zip(slots, values, strict=True)):
        if value is None:
            dots.append(None)
            continue
        x, y = round((place + 0.5) * step, 1), _height(value, top)
        dots.append(Dot(x, y, slot.at, value, said(value, target.unit), state(target, value)))
    rows = tuple(Line(slot.at, said(value, target.unit)) for slot, value in zip(slots, values, strict=True))
    return TargetPlot(_lines(dots), tuple(dot for dot in dots if dot), _height(target.limit, top), rows)


def _height(value: float, top: float) -> float:
    """From the upper edge, as SVG counts."""
    return round(HEIGHT * (1 - value / top), 1)


def _lines(dots: Sequence[Dot | None]) -> tuple[str, ...]:
    found: list[list[str]] = [[]]
    for dot in dots:
        if dot is None:
            found.append([])
        else:
            found[-1].append(f"{dot.x},{dot.y}")
    return tuple(" ".join(points) for points in found if len(points) > 1)
