"""What is due on an incident, in minutes and in the console's meanings of colour. Read from timers, never from a clock of
the browser, so that two people see the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from operations.models import Timer
from operations.phrases import count

State = Literal["good", "at_risk", "breached"]


@dataclass(frozen=True)
class Due:
    key: int
    kind: str
    label: str
    state: State
    said: str
    due_at: datetime
    met_at: datetime | None = None

    @property
    def runs(self) -> bool:
        return self.met_at is None


def running(timers: Iterable[Timer], *, now: datetime) -> list[Due]:
    """What somebody must still do, the most urgent first."""
    rows = [timer for timer in timers if timer.met_at is None and timer.dropped_at is None]
    return [due(timer, now=now) for timer in sorted(rows, key=lambda timer: timer.due_at)]


def met(timers: Iterable[Timer], *, now: datetime) -> list[Due]:
    """What was done, in the order it was due. Updates come by the dozen: only their last one stands here."""
    rows = sorted((timer for timer in timers if timer.met_at is not None), key=lambda timer: timer.due_at)
    last = {timer.kind: timer for timer in rows}
    return [due(timer, now=now) for timer in sorted(last.values(), key=lambda timer: timer.due_at)]


def due(timer: Timer, *, now: datetime) -> Due:
    if timer.met_at is not None:
        late = timer.met_at > timer.due_at
        said = f"done, {spoken(timer.met_at - timer.due_at)} late" if late else "done in time"
        state: State = "breached" if late else "good"
    else:
        state = state_of(timer, now=now)
        said = f"{spoken(now - timer.due_at)} late" if state == "breached" else f"in {spoken(timer.due_at - now)}"
    return Due(timer.pk, timer.kind, timer.get_kind_display(), state, said, timer.due_at, timer.met_at)


def state_of(timer: Timer, *, now: datetime) -> State:
    if now >= timer.due_at:
        return "breached"
    return "at_risk" if now >= timer.at_risk_at else "good"


def spoken(length: timedelta) -> str:
    """ "4 minutes", "1 h 5 min": a target of twenty minutes is read in minutes, not in the largest unit."""
    minutes = int(length.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 100:
        return count(minutes, "minute", "minutes")
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 48 else count(hours // 24, "day", "days")
