"""The operator's process: receives the server's log, makes and verifies the backups that were asked for, lets old ones go.

Never part of the web process or a worker, whose database a restore may exchange. The receiver is kept in the main
thread; backups are made one after the other in a second one, so that a long one does not keep the first from looking.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone

from operations import (
    backup_keys,
    backup_schedule,
    backups,
    first_backup,
    offsite_backups,
    offsite_log,
    postgres,
    retention,
    tiers,
    verification,
    wal,
)
from operations.models import Backup, Heartbeat

log = structlog.get_logger(__name__)
NAME = "operator"
ROUND_SECONDS = 2.0
# After a failure of the receiver, so that a server that restarts is not stormed.
PAUSE_SECONDS = 5.0
HOUR = 3600.0


class Operator:
    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.last_hourly = -HOUR
        self.log_copies = offsite_log.LogCopies()
        self.failed_before: dict[str, float] = {}

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        jobs = threading.Thread(target=self._until_stopped, args=(self.work,), name="backups")
        # Apart from the backups and from one another: a long copy must not keep the log from leaving.
        copying = [threading.Thread(target=self._until_stopped, args=(each,)) for each in (self.copy_log, self.copy_backups)]
        for thread in (jobs, *copying):
            thread.start()
        self._until_stopped(self.receive)
        for thread in (jobs, *copying):
            thread.join(timeout=30)

    def _until_stopped(self, step: Callable[[], None]) -> None:
        while not self.stopping.is_set():
            try:
                step()
            except (DatabaseError, InterfaceError):
                log.exception("the database did not answer; trying again", step=step.__name__)
                connection.close()
            except Exception:
                log.exception("a step of the operator failed; trying again", step=step.__name__)
            finally:
                close_old_connections()
            self.stopping.wait(ROUND_SECONDS)
        connection.close()

    def receive(self) -> None:
        """Keep the receiver for as long as it lives and the server can be received from."""
        if tiers.detect().letter != "A":
            self.beat()
            self.stopping.wait(60)
            return
        with wal.received() as receiver:
            while not self.stopping.is_set() and receiver.poll() is None:
                self.beat()
                self.stopping.wait(ROUND_SECONDS)
        if not self.stopping.is_set():
            log.warning("the receiver of the log ended; it is started again")
            self.stopping.wait(PAUSE_SECONDS)

    def copy_log(self) -> None:
        self.log_copies.round(now=timezone.now())

    def copy_backups(self) -> None:
        offsite_backups.round_of(now=timezone.now())

    def work(self) -> None:
        """The next backup that was asked for; each hour what is due, late or old."""
        if time.monotonic() - self.last_hourly >= HOUR:
            self.last_hourly = time.monotonic()
            backups.fail_silent(now=timezone.now())
            backup_schedule.ask_for_missed(now=timezone.now())
            retention.expire(now=timezone.now())
        due = first_backup.owed(now=timezone.now())
        if due is None and not first_backup.is_owed():
            due = Backup.objects.filter(status=Backup.Status.REQUESTED).order_by("requested_at").first()
        if due is not None:
            self.make(due)

    def make(self, backup: Backup) -> None:
        with contextlib.suppress(backups.NotTaken, verification.NotGood):  # the row says why
            verification.verify(backups.make(backup, now=timezone.now()), now=timezone.now())

    def beat(self) -> None:
        values = {"at": timezone.now(), "every_seconds": ROUND_SECONDS}
        Heartbeat.objects.update_or_create(name=NAME, defaults=values)


def ready() -> str:
    """A sentence for the start: what will be kept, or what is missing."""
    try:
        tier = tiers.detect()
        backup_keys.recipient()
    except (backup_keys.KeyProblem, postgres.ToolProblem) as problem:
        return str(problem)
    if tier.letter == "A":
        return "Every change is received as it happens; any instant can be restored."
    return "Dumps only. " + " ".join(tier.reasons)
