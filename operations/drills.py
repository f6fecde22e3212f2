"""Practice: the service as it was at a random instant, restored into scratch and laid beside what was counted then.

A drill measures how long a restore takes and how much it lacks, and sees what a backup lost without a word. It reads the
live database and cannot reach the code that puts another in its place: a test holds that.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from operations import backup_keys, backups, drill_compare, postgres, recovery, sealed, tiers, verification, wal
from operations.locks import held
from operations.models import Backup, Checkpoint, Drill

log = structlog.get_logger(__name__)
Status, Cause = Drill.Status, Drill.Cause
WEEK = timedelta(days=7)
# Not more than one a day, however many base backups are made.
APART = timedelta(hours=23)
# Once unpacked and once put together, beside what recovery writes.
ROOM = 2.5
# The first instant of a window is the end of a base backup; a few minutes later there is something to choose from.
ENOUGH = 3
STEPS = {
    "materialise": "putting the base backup together",
    "recover": "replaying the log up to the instant",
    "compare": "comparing with what was counted then",
}


class NoDrill(Exception):
    """One sentence: why there can be no drill now."""


class Failed(Exception):
    """One sentence: what a drill found."""


_PROBLEMS = (
    recovery.NotRestorable,
    wal.NoWal,
    postgres.ToolProblem,
    sealed.Damaged,
    verification.NotGood,
    backup_keys.KeyProblem,
    backups.NotTaken,
    drill_compare.Differs,
    NoDrill,
    OSError,
    psycopg.Error,
)


def run_due(*, now: datetime) -> Drill | None:
    """The drill that somebody asked for, or the one whose time has come. For the operator's loop."""
    fail_silent()
    waiting = Drill.objects.filter(status=Status.REQUESTED).first()
    if waiting is None:
        cause = due(now=now)
        if cause is None:
            return None
        waiting = request(cause, now=now)
    with suppress(NoDrill, Failed):  # the row says why
        return run(waiting, now=now)
    return waiting


def due(*, now: datetime) -> str | None:
    """Why one is due. One that failed is tried again a day later; its incident stays open until one passes."""
    last = Drill.objects.order_by("-requested_at").first()
    if last is not None and now - last.requested_at < APART:
        return None
    base = Backup.objects.bases().filter(status=Backup.Status.VERIFIED).order_by("-taken_at").first()
    taken = base.taken_at if base else None
    # Something must have been counted since, or the copy could not be compared.
    if taken is None or Checkpoint.objects.filter(at__gt=taken)[:ENOUGH].count() < ENOUGH or tiers.detect().letter != "A":
        return None
    if last is None or taken > last.requested_at:
        return Cause.BACKUP
    if last.status == Status.FAILED:
        return Cause.AGAIN
    return Cause.WEEKLY if now - last.requested_at >= WEEK else None


def request(cause: str, *, now: datetime, by: User | None = None, instant: datetime | None = None) -> Drill:
    """A row that the operator's process finds. One waits at a time: who asks again gets the one that waits."""
    try:
        with transaction.atomic():
            return Drill.objects.create(cause=cause, requested_by=by, requested_at=now, instant=instant)
    except IntegrityError:
        return Drill.objects.get(status=Status.REQUESTED)


def run(drill: Drill, *, now: datetime) -> Drill:
    """Restore, compare, and write down what it took. Raises Failed with the row saying why, NoDrill when another runs."""
    with alone():
        if not Drill.objects.filter(pk=drill.pk, status=Status.REQUESTED).update(status=Status.RUNNING, started_at=now):
            raise NoDrill("This drill was begun already.")
        drill.refresh_from_db()
        try:
            _practise(drill, now=now)
        except _PROBLEMS as error:
            _failed(drill, _sentence(error))
            raise Failed(drill.reason) from error
    log.info("drill passed", drill=str(drill.pk), rto_seconds=drill.rto_seconds)
    return drill


def fail_silent() -> None:
    """Rows of processes that died, and what they left in scratch. Whoever runs one holds the lock."""
    if not Drill.objects.filter(status=Status.RUNNING).exists():
        return
    with suppress(NoDrill), alone():
        for drill in Drill.objects.filter(status=Status.RUNNING):
            with postgres.scratch(_scratch(drill)):
                _failed(drill, "Its process ended before it was done.")


@contextmanager
def alone() -> Iterator[None]:
    """One drill at a time on this machine; the lock goes with the process."""
    with held(Path(settings.ENVIRONMENT.data, "drill.lock")) as ours:
        if not ours:
            raise NoDrill("A drill is under way.")
        yield


def random_instant(*, now: datetime) -> datetime:
    """Anywhere in the window, between the first checkpoint that can be in a copy and the last one."""
    window = recovery.window()
    if window is None:
        raise NoDrill("There is no base backup with an unbroken log yet, so no instant can be restored.")
    # What was committed just now may not have arrived, and recovery must see something later than its instant.
    known = Checkpoint.objects.filter(at__gte=window[0], at__lte=now - 5 * drill_compare.MARGIN).order_by("at")
    first, last = known.first(), known.last()
    if first is None or last is None or first.at == last.at:
        raise NoDrill("Too little was counted since the first instant that can be restored; wait for two minutes.")
    length = (last.at - first.at) // timedelta(milliseconds=1)
    return first.at + drill_compare.MARGIN + timedelta(milliseconds=secrets.randbelow(length + 1))


def _practise(drill: Drill, *, now: datetime) -> None:
    backups.check_room(factor=ROOM)
    instant = min(drill.instant or random_instant(now=now), now)
    base = recovery.base_for(instant)
    expected = drill_compare.expected(instant)
    clock = _Clock(drill)
    _write(drill, instant=instant, base=base, exposure_seconds=wal.exposure(now=now))
    with recovery.at(instant, name=_scratch(drill), now=now, told=clock.begins) as server:
        rto = clock.since_beginning()
        clock.begins("compare")
        with server.connect(backups.read_manifest(base.pk)["database"]) as copy:
            found = drill_compare.compare(copy, expected)
    seconds = clock.ended()
    _write(
        drill,
        status=Status.PASSED,
        step="",
        ended_at=timezone.now(),
        rto_seconds=rto,
        rpo_seconds=max(0.0, (instant - found.checkpoint_at).total_seconds()),
        checkpoint_at=found.checkpoint_at,
        tables=found.tables,
        **{f"{step}_seconds": took for step, took in seconds.items()},
    )


class _Clock:
    """How long each step took; the page follows the row."""

    def __init__(self, drill: Drill) -> None:
        self.drill, self.began = drill, time.monotonic()
        self.step, self.step_began = "", self.began
        self.seconds: dict[str, float] = {}

    def begins(self, step: str) -> None:
        self.ended()
        self.step, self.step_began = step, time.monotonic()
        _write(self.drill, step=STEPS[step])

    def ended(self) -> dict[str, float]:
        if self.step:
            self.seconds[self.step] = round(time.monotonic() - self.step_began, 2)
        return self.seconds

    def since_beginning(self) -> float:
        return round(time.monotonic() - self.began, 2)


def _scratch(drill: Drill) -> str:
    return f"drill-{drill.pk}"


def _write(drill: Drill, **values: object) -> None:
    Drill.objects.filter(pk=drill.pk).update(**values)
    drill.refresh_from_db()


def _failed(drill: Drill, reason: str) -> None:
    _write(drill, status=Status.FAILED, reason=reason[:300], ended_at=timezone.now())
    log.error("drill failed", drill=str(drill.pk), step=drill.step)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The copy could not be written: {error.strerror or type(error).__name__}."
    if isinstance(error, psycopg.OperationalError):
        return "The copy stopped answering while it was compared."
    if isinstance(error, psycopg.Error):
        return "A table of the copy cannot be read."
    return str(error)
