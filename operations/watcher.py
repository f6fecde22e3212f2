"""The watcher's process: looks at everything that must happen in time, every few seconds, until it is told to stop.

Each watch has its own pace and its own failure: one that breaks is logged, counted and tried again, and the others
go on. Nothing depends on Celery or its broker. After each round the heartbeat row says that the loop lives.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone

from operations.models import Heartbeat

log = structlog.get_logger(__name__)
ROUND_SECONDS = 5.0
NAME = "watcher"


@dataclass
class Watch:
    """`run` is called with `now`, at most once in `every` seconds."""

    name: str
    run: Callable[[datetime], object]
    every: float = ROUND_SECONDS
    last: float = field(default=float("-inf"), init=False)


class Watcher:
    def __init__(self, watches: Sequence[Watch], *, after_good_round: Sequence[Watch] = ()) -> None:
        self.watches = list(watches)
        self.after_good_round = list(after_good_round)
        # Those whose last run broke.
        self.failing: set[str] = set()
        self.stopping = threading.Event()

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        while not self.stopping.is_set():
            started = time.monotonic()
            self.round(now=timezone.now())
            self.stopping.wait(max(0.1, ROUND_SECONDS - (time.monotonic() - started)))

    def round(self, *, now: datetime) -> None:
        started = time.monotonic()
        self._due(self.watches, now)
        written = self._beat(now, 1000 * (time.monotonic() - started))
        if written and not self.failing:
            self._due(self.after_good_round, now)

    def _due(self, watches: Sequence[Watch], now: datetime) -> None:
        for watch in watches:
            if time.monotonic() - watch.last >= watch.every:
                watch.last = time.monotonic()
                self._safely(watch, now)

    def _safely(self, watch: Watch, now: datetime) -> None:
        try:
            watch.run(now)
            self.failing.discard(watch.name)
        except Exception as error:
            self.failing.add(watch.name)
            log.exception("a watch failed; the others go on", watch=watch.name)
            if isinstance(error, OperationalError | InterfaceError):
                connection.close()

    def _beat(self, now: datetime, milliseconds: float) -> bool:
        values = {"at": now, "every_seconds": ROUND_SECONDS, "round_ms": round(milliseconds, 1)}
        try:
            Heartbeat.objects.update_or_create(name=NAME, defaults=values)
        except (DatabaseError, InterfaceError):
            log.exception("the heartbeat could not be written")
            connection.close()
            return False
        return True
