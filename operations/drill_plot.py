"""What drills measured over time as a small plot with its goal drawn, and as rows for the table behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from operations.figures import State
from operations.models import Drill
from operations.phrases import lasted
from operations.recovery_state import RPO, RTO

WIDTH, HEIGHT = 360, 96
HEADROOM = 1.15
# Beside the edges, so that a dot is not cut.
MARGIN = 8


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    at: datetime
    said: str
    state: State


@dataclass(frozen=True)
class DrillPlot:
    """`goal_y` is where the goal lies; `since` is the first drill of the plot."""

    key: str
    title: str
    about: str
    goal: str
    latest: str
    state: State
    dots: tuple[Dot, ...]
    goal_y: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def line(self) -> str:
        return " ".join(f"{dot.x},{dot.y}" for dot in self.dots) if len(self.dots) > 1 else ""

    @property
    def since(self) -> datetime | None:
        return self.dots[0].at if self.dots else None


def plots(drills: Sequence[Drill]) -> tuple[DrillPlot, ...]:
    """Of the drills that passed, the oldest first."""
    about_rto = "From the beginning of a drill to a database that answers."
    about_rpo = "How much before its instant the newest count in the copy lies; one is made each minute."
    return (
        _plot("rto", "Time to restore", about_rto, drills, lambda drill: drill.rto_seconds, RTO),
        _plot("rpo", "Work that a restore lacked, at the most", about_rpo, drills, lambda drill: drill.rpo_seconds, RPO),
    )


def _plot(
    key: str, title: str, about: str, drills: Sequence[Drill], figure: Callable[[Drill], float | None], goal: timedelta
) -> DrillPlot:
    known = [(drill.requested_at, value) for drill in drills if (value := figure(drill)) is not None]
    limit = goal.total_seconds()
    top = HEADROOM * max([limit, *(value for _, value in known)])
    dots = tuple(_dot(at, value, known[0][0], known[-1][0], top, limit) for at, value in known)
    return DrillPlot(
        key,
        title,
        about,
        f"must be less than {lasted(goal)}",
        dots[-1].said if dots else "unknown",
        dots[-1].state if dots else "unknown",
        dots,
        _height(limit, top),
    )


def _dot(at: datetime, value: float, first: datetime, last: datetime, top: float, limit: float) -> Dot:
    whole = (last - first).total_seconds()
    share = (at - first).total_seconds() / whole if whole else 1.0
    said = lasted(timedelta(seconds=value)) if value >= 1 else f"{value:.1f} seconds"
    state: State = "breached" if value > limit else "at_risk" if value > limit * 0.8 else "good"
    return Dot(round(MARGIN + share * (WIDTH - 2 * MARGIN), 1), _height(value, top), at, said, state)


def _height(value: float, top: float) -> float:
    """From the upper edge, as SVG counts."""
    return round(HEIGHT * (1 - value / top), 1)
