"""How the targets of the operations guide are kept, over an hour, a day and a month.

A figure at four fifths of its limit is at risk. One that nothing was measured for is unknown, never good. Where the
target is a share of failures it comes with a budget: how many more may fail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from operations import history
from operations.figures import State, Tile
from operations.history import Slot, Window
from operations.target_kinds import Latest, Mean, Share, Target, Unit, counted
from operations.target_list import ALL

AT_RISK = 0.8
# Fewer than these say more about the one slow answer than about the service.
ENOUGH_EVENTS = 20


@dataclass(frozen=True)
class Look:
    """A window read once, in slots and as a whole."""

    window: Window
    slots: Sequence[Slot]
    whole: Slot


@dataclass(frozen=True)
class Kept:
    """A target over a window: its figure, and how much of the window was measured."""

    target: Target
    window: Window
    value: float | None
    known_minutes: int
    # How many events it is made of, where it is made of events.
    events: int = 0

    @property
    def state(self) -> State:
        return state(self.target, self.value)

    @property
    def figure(self) -> str:
        return said(self.value, self.target.unit)

    @property
    def measured(self) -> float:
        """The part of the window of which anything is known."""
        return min(1.0, self.known_minutes * 60 / self.window.length.total_seconds())


@dataclass(frozen=True)
class Budget:
    """Of the failures that the target allows: how many there were, and how many more may come."""

    used: float
    left: int


def names(targets: Sequence[Target] = ALL) -> list[str]:
    """The figures that are read for them."""
    return sorted({name for target in targets for name in target.figure.names})


def paging(now: datetime) -> list[Kept]:
    """What people are woken for, over the last hour."""
    chosen = [target for target in ALL if target.paged]
    seen = look(history.HOUR, now=now, targets=chosen)
    return [over(target, seen) for target in chosen]


def look(window: Window, *, now: datetime, targets: Sequence[Target] = ALL) -> Look:
    slots = history.read(window, names(targets), now=now)
    return Look(window, slots, history.together(slots))


def over(target: Target, seen: Look) -> Kept:
    return Kept(target, seen.window, value_of(target, seen.slots, seen.whole), seen.whole.known, _events(target, seen))


def _events(target: Target, seen: Look) -> int:
    wanted = target.figure.whole if isinstance(target.figure, Share) else target.figure.names
    return counted(seen.whole.sums, wanted)


def tiles(kept: Sequence[Kept]) -> list[Tile]:
    """Those that are breached, as reasons for the verdict on the service: it works, and something needs a look."""
    broken = [each for each in kept if each.state == "breached"]
    return [_tile(each) for each in broken if isinstance(each.target.figure, Mean) or each.events >= ENOUGH_EVENTS]


def _tile(kept: Kept) -> Tile:
    bound = "less" if kept.target.comparison == "below" else "more"
    limit = said(kept.target.limit, kept.target.unit)
    text = f"{kept.figure} over the last hour, and should be {bound} than {limit}."
    href = reverse("admin:operations_targets")
    return Tile(kept.target.title, kept.figure, "", text, "at_risk", href=href, link="Targets")


def value_of(target: Target, slots: Sequence[Slot], whole: Slot) -> float | None:
    if isinstance(target.figure, Latest):
        found = (target.figure.of(slot.sums) for slot in reversed(slots))
        return next((value for value in found if value is not None), None)
    return target.figure.of(whole.sums)


def state(target: Target, value: float | None) -> State:
    if value is None:
        return "unknown"
    if target.comparison == "below":
        return "breached" if value >= target.limit else "at_risk" if value >= AT_RISK * target.limit else "good"
    if target.comparison == "above":
        return "breached" if value <= target.limit else "at_risk" if value * AT_RISK < target.limit else "good"
    return "good" if value >= target.limit else "breached"


def budget(target: Target, seen: Look) -> Budget | None:
    """None where nothing happened that could have failed."""
    if not target.budgeted or not isinstance(target.figure, Share):
        return None
    sums = seen.whole.sums
    allowed = target.limit * counted(sums, target.figure.whole)
    failed = counted(sums, target.figure.part)
    return Budget(failed / allowed, max(0, math.floor(allowed - failed))) if allowed else None


def said(value: float | None, unit: Unit) -> str:
    """A figure with its unit, as precise as it helps."""
    if value is None:
        return "not measured"
    if unit == "seconds":
        return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"
    if unit == "share":
        return f"{100 * value:.3g} %"
    return f"{value:.2f}" if unit == "score" else f"{value:.1f} days"
