"""Figures over time, as a line for an inline SVG, rows for the table behind it, and a trend in words.

A gap in the figures is a gap in the line: nothing is drawn where nothing was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 720, 96
MOST_ROWS = 100


@dataclass(frozen=True)
class Point:
    at: datetime
    value: float


@dataclass(frozen=True)
class Series:
    """`lines` are stretches without a gap, each the text of a polyline's points; `top` is the value at the upper edge."""

    title: str
    unit: str
    points: tuple[Point, ...]
    lines: tuple[str, ...]
    top: float
    said: str = ""
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def table(self) -> list[Point]:
        """About a hundred of the points, the latest first: nobody reads 1,440 rows."""
        every = max(1, len(self.points) // MOST_ROWS)
        return list(reversed(self.points))[::every]


def draw(
    points: Sequence[Point], *, title: str, unit: str, since: datetime, until: datetime, step: timedelta, said: str = ""
) -> Series:
    """Points that lie more than three steps apart are not joined."""
    top = max((point.value for point in points), default=0) * 1.1 or 1.0
    span = (until - since).total_seconds()
    lines: list[list[str]] = []
    last: datetime | None = None
    for point in points:
        x = WIDTH * (point.at - since).total_seconds() / span
        y = HEIGHT - HEIGHT * point.value / top
        if last is None or point.at - last > 3 * step:
            lines.append([])
        lines[-1].append(f"{x:.1f},{y:.1f}")
        last = point.at
    # A stretch of one point would be drawn as nothing: a short level line instead.
    drawn = [line if len(line) > 1 else [line[0], _beside(line[0])] for line in lines]
    return Series(title, unit, tuple(points), tuple(" ".join(line) for line in drawn), top, said)


def _beside(point: str) -> str:
    x, _, y = point.partition(",")
    return f"{float(x) + 4:.1f},{y}"


def slope_an_hour(points: Sequence[Point]) -> float | None:
    """How much a figure grows in an hour, by the straight line that lies nearest to all points; None below three points."""
    if len(points) < 3:
        return None
    first = points[0].at
    hours = [(point.at - first).total_seconds() / 3600 for point in points]
    mean_x, mean_y = sum(hours) / len(hours), sum(point.value for point in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x in hours)
    if not spread:
        return None
    return sum((x - mean_x) * (point.value - mean_y) for x, point in zip(hours, points, strict=True)) / spread
