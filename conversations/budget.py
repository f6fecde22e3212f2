"""The time that one answer may take: reading, writing and translating by the model share one deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from conversations import llm

log = structlog.get_logger(__name__)
T = TypeVar("T")
# With less than this no model answers; the person waits for nothing.
LEAST_SECONDS = 0.3


@dataclass
class Budget:
    """Starts when it is made. A model that failed once is not asked again for this answer: the next call would fail as slowly."""

    seconds: float = field(default_factory=llm.deadline)
    started: float = field(default_factory=time.monotonic)
    # Milliseconds by step.
    timings: dict[str, int] = field(default_factory=dict)
    failed: bool = False

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.started)

    @property
    def has_model(self) -> bool:
        return llm.is_on() and not self.failed and self.left >= LEAST_SECONDS

    def timed(self, step: str, work: Callable[[], T]) -> T:
        started = time.monotonic()
        try:
            return work()
        finally:
            self.timings[step] = self.timings.get(step, 0) + round(1000 * (time.monotonic() - started))

    def ask(self, step: str, system: str, user: str, *, share: float = 1.0) -> llm.Completion | None:
        """One completion within a share of the seconds that are left; None when there is none to be had."""
        if not self.has_model:
            return None
        seconds = max(LEAST_SECONDS, share * self.left)
        try:
            return self.timed(step, lambda: llm.complete(system, user, seconds=seconds))
        except llm.ModelError as error:
            log.info("going on without the model", step=step, reason=error.reason)
            self.failed = True
            return None
