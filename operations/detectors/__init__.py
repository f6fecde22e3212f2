"""Looks for trouble in rows and on the machine: each detector is one cheap question with a threshold.

A detector says what it sees now, as signals; it opens nothing itself. `operations.detection` decides when a signal is an
incident and when it has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

CRITICAL, HIGH, MEDIUM, LOW = 1, 2, 3, 4


@dataclass(frozen=True)
class Signal:
    """Trouble as it is now. `since` is when people began to feel it, where rows know that."""

    title: str
    severity: int
    scope: str = ""
    details: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Detector:
    """`lasting` is how long it must be seen before it counts, `clear` how long it must not be before it is over."""

    name: str
    look: Callable[[datetime], Sequence[Signal]]
    runbook: str
    every: float = 15
    lasting: timedelta = timedelta(0)
    clear: timedelta = timedelta(minutes=5)
