"""A write counts when the received log has it: the server waits for the receiver, and no longer when that is away.

The operator's process lets it wait once the receiver follows (`Arming`). Whoever lives of two processes, that one and the
watcher, frees the writes when it does not (`Guard`): with a question and a setting, and never a commit of its own, which
would wait with the others. What was freed is written down, and a detector, the pages and /metrics say so.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.utils import timezone

from operations import databases, fresh, postgres, wal
from operations.models import Protection

log = structlog.get_logger(__name__)
# A write waits at most this long, the time between two looks and what the server takes to hear of it: some five seconds.
PATIENCE_SECONDS, LOOK_SECONDS = 4.0, 0.5
# How long it has to follow without a break after it was away, so that a slow one does not come and go.
STEADY_SECONDS = 10.0
# Between two looks that far apart this process itself stood still, and knows nothing of the receiver.
PAUSED_SECONDS = 3.0
HEARD_SECONDS = 3.0
_ASK = """
    SELECT current_setting('synchronous_standby_names'), pg_current_wal_flush_lsn()::text, coalesce(active, false),
           coalesce(active AND restart_lsn >= %(mark)s::pg_lsn, false)
    FROM (SELECT 1) AS one LEFT JOIN pg_replication_slots ON slot_name = %(slot)s
"""
_MAY = """
    SELECT has_parameter_privilege('synchronous_standby_names', 'ALTER SYSTEM')
           AND has_function_privilege('pg_reload_conf()', 'EXECUTE')
"""
TO_GRANT = (
    "As the superuser, in the database postgres: GRANT ALTER SYSTEM ON PARAMETER synchronous_standby_names TO our account, and"
    " GRANT EXECUTE ON FUNCTION pg_reload_conf() TO our account."
)
_BROKEN = (psycopg.Error, OSError, postgres.ToolProblem)


@dataclass(frozen=True)
class Standing:
    """`names` are the standbys that commits wait for, `stands` where the log stands, `passed` whether the receiver has
    everything up to the mark."""

    names: str
    stands: str
    active: bool
    passed: bool

    @property
    def waits(self) -> bool:
        return self.names == wal.SLOT


def connect() -> psycopg.Connection[Any]:
    """To the database that no restore exchanges; what it commits waits for nobody."""
    return fresh.connect("synchronous", database=databases.MAINTENANCE, options="-c synchronous_commit=local")


def ask(one: psycopg.Connection[Any], mark: str | None = None) -> Standing:
    row = one.execute(_ASK, {"mark": mark, "slot": wal.SLOT}).fetchone()
    assert row is not None
    return Standing(*row)


def may_switch(one: psycopg.Connection[Any]) -> bool:
    """Of our own server always; of another the superuser has to allow it."""
    if postgres.is_own():
        return True
    try:
        row = one.execute(_MAY).fetchone()
    except psycopg.errors.UndefinedFunction:  # before PostgreSQL 15 nobody but the superuser may
        return False
    return row is not None and bool(row[0])


def switch(one: psycopg.Connection[Any], *, on: bool) -> bool:
    """Whether the server has heard of it within a few seconds. Its checkpointer wakes the commits that wait."""
    if postgres.is_own():
        postgres.wait_for(wal.SLOT if on else "")
    else:
        one.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{wal.SLOT}'" if on else _RESET)
        one.execute("SELECT pg_reload_conf()")
    until = time.monotonic() + HEARD_SECONDS
    while time.monotonic() < until:
        if ask(one).waits == on:
            return True
        time.sleep(0.05)
    return False


_RESET = "ALTER SYSTEM RESET synchronous_standby_names"


@contextlib.contextmanager
def unwaiting() -> Iterator[None]:
    """One transaction of Django's that waits for no receiver: for what is no loss, in the process that starts it again."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO local")
        yield


def release() -> None:
    """Commits wait no longer; nothing where they did not wait, or wait for standbys of somebody else."""
    try:
        with connect() as one:
            if ask(one).waits:
                switch(one, on=False)
    except _BROKEN:
        log.warning("the server could not be told to wait no longer; whoever starts next tells it")


class _Looking:
    """A connection that is kept, so that it is there when all others hang."""

    def __init__(self) -> None:
        self.one: psycopg.Connection[Any] | None = None

    def asked(self, mark: str | None) -> Standing | None:
        """None when the server does not answer: then nothing waits for the receiver either, or nobody can tell it."""
        try:
            if self.one is None or self.one.closed:
                self.one = connect()
            return ask(self.one, mark)
        except _BROKEN:
            self.close()
            return None

    def close(self) -> None:
        if self.one is not None:
            self.one.close()
            self.one = None


class Guard(_Looking):
    """Looks whether the receiver follows while commits wait for it, and frees them when it has not for some seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.mark: str | None = None
        self.since = self.last = 0.0
        self.to_be_told = False

    def run(self, stopping: threading.Event) -> None:
        while not stopping.wait(LOOK_SECONDS):
            try:
                self.look(now=time.monotonic())
            except Exception:
                log.exception("the guard of synchronous writes could not look; trying again")
                self.close()
        self.close()
        connection.close()

    def look(self, *, now: float) -> None:
        found = self.asked(self.mark)
        if now - self.last > PAUSED_SECONDS:
            self.mark = None
        self.last = now
        if found is None or not found.waits or self.one is None:
            self.mark = None
        elif self.mark is None or found.passed:
            self.mark, self.since = found.stands, now
        elif now - self.since >= PATIENCE_SECONDS:
            switch(self.one, on=False)
            log.error("writes no longer wait for the received log: its receiver is away", seconds=round(now - self.since, 1))
            self.mark, self.to_be_told = None, True
        if self.to_be_told:
            self._tell()

    def _tell(self) -> None:
        """With the time it was first seen, once the database takes it."""
        try:
            with unwaiting():
                Protection.objects.get_or_create(name="service")
                Protection.objects.filter(name="service", fell_back_at=None).update(fell_back_at=timezone.now(), waits=False)
            self.to_be_told = False
        except (DatabaseError, InterfaceError):
            connection.close()
        finally:
            close_old_connections()


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """A guard in a thread of its own for as long as the block runs."""
    stopping = threading.Event()
    thread = threading.Thread(target=Guard().run, args=(stopping,), name="guard of synchronous writes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(timeout=5)


class Arming(_Looking):
    """Lets commits wait once the receiver follows: has passed the mark of the look before, and after a time away for longer."""

    def __init__(self) -> None:
        super().__init__()
        self.mark: str | None = None
        self.steady_since: float | None = None

    def look(self, *, now: float) -> None:
        try:
            self._look(now=now)
        except _BROKEN:
            log.exception("the server could not be told to wait for the received log; trying again")
            self.close()

    def _look(self, *, now: float) -> None:
        found = self.asked(self.mark)
        if found is None or self.one is None:
            self.mark = self.steady_since = None
            return
        if not settings.ENVIRONMENT.synchronous_replication:
            if found.waits:
                switch(self.one, on=False)
            return
        if found.names or not found.active:  # it waits already, or for standbys of somebody else
            self.mark = self.steady_since = None
            return
        if self.mark is None or not found.passed:
            self.steady_since = now
        self.mark = found.stands
        if found.passed and now - (self.steady_since or now) >= self._long_enough() and may_switch(self.one):
            self._switch_on()

    def _long_enough(self) -> float:
        return STEADY_SECONDS if Protection.objects.filter(fell_back_at__isnull=False).exists() else 0.0

    def _switch_on(self) -> None:
        assert self.one is not None
        if switch(self.one, on=True):
            log.info("every write waits until the received log has it")
            with unwaiting():
                Protection.objects.filter(name="service").update(fell_back_at=None, waits=True)
