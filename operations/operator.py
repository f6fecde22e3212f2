"""The operator's process: receives the server's log, makes and verifies backups, prepares restores and puts them in place.

Never part of the web process or a worker, whose database a restore may exchange. The receiver is kept in the main
thread; jobs are done one after the other in a second one, so that a long one does not keep the first from looking.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from uuid import UUID

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone

from operations import (
    backup_keys,
    backup_schedule,
    backups,
    first_backup,
    locks,
    low_priority,
    offsite_backups,
    offsite_erasures,
    offsite_log,
    postgres,
    protection,
    restore_upkeep,
    restores,
    retention,
    smoke,
    synchronous,
    tiers,
    verification,
    wal,
)
from operations.journal import Busy
from operations.models import Backup, Heartbeat, Restore

log = structlog.get_logger(__name__)
NAME, LOCK = "operator", "operator.lock"
ROUND_SECONDS = 2.0
# What is promised, with room for a receiver that is started again or a database that is exchanged.
BEAT_SECONDS = 5.0
# After a failure of the receiver, so that a server that restarts is not stormed; one that ran this long is started at once.
PAUSE_SECONDS, STEADY_SECONDS = 5.0, 10.0
HOUR, MINUTE = 3600.0, 60.0
# The first answers after a start are not slowed down by the first backup.
FIRST_SECONDS = 300.0
Status = Restore.Status


class Operator:
    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.next_hourly = time.monotonic() + FIRST_SECONDS
        self.next_minute = time.monotonic()
        self.log_copies = offsite_log.LogCopies()
        self.tried = dict[UUID, float]()

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        backups.folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        told = False
        while not self.stopping.is_set():
            with locks.held(backups.folder() / LOCK) as ours:
                if ours:
                    self.operate()
                elif not told:
                    told = True
                    log.warning("another operator works in this folder; this one waits until it ends")
            self.stopping.wait(ROUND_SECONDS)

    def operate(self) -> None:
        """Two at once would end each other's receiver for as long as both live."""
        jobs = threading.Thread(target=self._until_stopped, args=(self.work,), name="backups")
        # Apart from the backups and from one another: a long copy must not keep the log from leaving.
        copying = [threading.Thread(target=self._until_stopped, args=(each,)) for each in (self.copy_log, self.copy_backups)]
        for thread in (jobs, *copying):
            thread.start()
        with synchronous.guarded():
            self._until_stopped(self.receive)
        synchronous.release()
        for thread in (jobs, *copying):
            thread.join(timeout=30)

    def _until_stopped(self, step: Callable[[], None]) -> None:
        while not self.stopping.is_set():
            try:
                step()
            except (DatabaseError, InterfaceError):
                log.exception("the database did not answer; trying again", step=step.__name__)
                self.mend()
            except Exception:
                log.exception("a step of the operator failed; trying again", step=step.__name__)
            finally:
                close_old_connections()
            self.stopping.wait(ROUND_SECONDS)
        connection.close()

    def receive(self) -> None:
        """Keep the receiver for as long as it lives and the server can be received from."""
        if tiers.detect().letter != "A":
            self._beat_until(time.monotonic() + MINUTE)
            return
        began, arming = time.monotonic(), synchronous.Arming()
        with wal.received() as receiver, contextlib.closing(arming):
            while not self.stopping.is_set() and receiver.poll() is None:
                self.beat()
                arming.look(now=time.monotonic())
                self._while_it_lives(receiver)
            if self.stopping.is_set():
                synchronous.release()
        if not self.stopping.is_set():
            log.warning("the receiver of the log ended; it is started again")
            self.stopping.wait(0 if time.monotonic() - began > STEADY_SECONDS else PAUSE_SECONDS)

    def _while_it_lives(self, receiver: postgres.Running) -> None:
        """Until the next round, or until it ends: writes wait for the next one."""
        until = time.monotonic() + ROUND_SECONDS
        while time.monotonic() < until and receiver.poll() is None and not self.stopping.wait(0.2):
            pass

    def _beat_until(self, end: float) -> None:
        while not self.stopping.is_set() and time.monotonic() < end:
            self.beat()
            self.stopping.wait(ROUND_SECONDS)

    def copy_log(self) -> None:
        self.log_copies.round(now=timezone.now())
        offsite_erasures.round_of(now=timezone.now())

    def copy_backups(self) -> None:
        offsite_backups.round_of(now=timezone.now())

    def work(self) -> None:
        """A restore that was asked for, or else the next backup; each hour what is due, late or old."""
        self.look_after()
        restore = restore_upkeep.due()
        if restore is not None:
            self.restore(restore)
            return
        due = first_backup.owed(now=timezone.now())
        if due is None and not first_backup.is_owed():
            due = Backup.objects.filter(status=Backup.Status.REQUESTED).order_by("requested_at").first()
        if due is not None:
            low_priority.in_a_thread(partial(self.make, due))
        else:
            self.verify_what_was_left()
        protection.keep(now=timezone.now())

    def verify_what_was_left(self) -> None:
        """One at a time, and each once an hour: what stands in the way is a thing of the machine, such as a full disk."""
        for backup in backups.unverified(now=timezone.now()):
            if time.monotonic() - self.tried.get(backup.pk, -HOUR) >= HOUR:
                self.tried[backup.pk] = time.monotonic()
                low_priority.in_a_thread(partial(self.verify, backup))
                return

    def look_after(self) -> None:
        if time.monotonic() >= self.next_minute:
            self.next_minute = time.monotonic() + MINUTE
            for name in postgres.clear_scratch():
                log.info("what a process that died left in scratch was removed", scratch=name)
            backups.fail_silent(now=timezone.now())
            restore_upkeep.expire(now=timezone.now())
            restore_upkeep.take_down(now=timezone.now())
        if time.monotonic() >= self.next_hourly:
            self.next_hourly = time.monotonic() + HOUR
            backup_schedule.ask_for_missed(now=timezone.now())
            retention.expire(now=timezone.now())

    def restore(self, restore: Restore) -> None:
        """The part that is due. Each may have been begun by a process that died, and goes on where that one stood."""
        with contextlib.suppress(restores.NotNow, Busy):  # cancelled meanwhile, or somebody is at it in a terminal
            if restore.status in (Status.APPROVED, Status.PREPARING):
                restores.prepare(restore)
            elif restore.status == Status.SWAPPING:
                restores.put_in_place(restore, healthy=smoke.well)
            else:
                restores.undo(restore, healthy=smoke.well)

    def mend(self) -> None:
        """The connection of before may be to a database that went, and the door may have been left shut."""
        connection.close()
        with contextlib.suppress(psycopg.Error):
            if restore_upkeep.open_door():
                log.warning("the database let nobody in, because a restore was cut off; it does again")

    def make(self, backup: Backup) -> None:
        with contextlib.suppress(backups.NotTaken):  # the row says why
            self.verify(backups.make(backup, now=timezone.now()))

    def verify(self, backup: Backup) -> None:
        with contextlib.suppress(verification.NotGood):  # the row says why
            verification.verify(backup, now=timezone.now())

    def beat(self) -> None:
        """Without it the receiver goes on: a database that is away for a moment is no reason to let go of the log."""
        values = {"at": timezone.now(), "every_seconds": BEAT_SECONDS}
        try:
            # It may not wait for the receiver, which waits for this thread to start it again.
            with synchronous.unwaiting():
                Heartbeat.objects.update_or_create(name=NAME, defaults=values)
        except (DatabaseError, InterfaceError):
            log.warning("the heartbeat of the operator could not be written")
            connection.close()


def ready() -> str:
    """A sentence for the start: what will be kept, or what is missing."""
    try:
        with contextlib.suppress(psycopg.Error):
            restore_upkeep.open_door()
        tier = tiers.detect()
        backup_keys.recipient()
    except (backup_keys.KeyProblem, postgres.ToolProblem) as problem:
        return str(problem)
    except DatabaseError:
        return "The database does not answer yet."
    if tier.letter == "A":
        return "Every change is received as it happens; any instant can be restored."
    return "Dumps only. " + " ".join(tier.reasons)
