"""Says CRITICAL when a part has been away for long: once after a while, then again and again until it is back.

A short absence is a warning where it happens; people wait then and nothing is lost. One that lasts is for somebody to mend.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)
LONG_SECONDS = 60.0
AGAIN_SECONDS = 60.0
# Nobody looked for so long: it may have been back meanwhile.
UNSEEN_SECONDS = 30.0


@dataclass
class Outage:
    """`lasting` is said while it lasts and `over` when it is. `now` is a clock that never goes back."""

    lasting: str
    over: str
    since: float | None = None
    last: float = 0.0
    told: float | None = None

    def seen(self, away: bool, *, now: float) -> None:
        if not away:
            self._ended(now)
            return
        if self.since is None or now - self.last > UNSEEN_SECONDS:
            self.since, self.told = now, None
        self.last = now
        due = self.since + LONG_SECONDS if self.told is None else self.told + AGAIN_SECONDS
        if now >= due:
            self.told = now
            log.critical(self.lasting, seconds=round(now - self.since))

    def _ended(self, now: float) -> None:
        if self.since is not None and self.told is not None:
            log.info(self.over, seconds=round(now - self.since))
        self.since = self.told = None
