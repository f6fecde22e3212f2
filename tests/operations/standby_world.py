"""A live server with a verified base backup, a way to it that can be cut, and places for standbys."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection
from django.utils import timezone

from operations import backups, postgres, standby_build, standby_server, standbys, verification, wal
from operations.models import Backup
from operations.standby_folder import Folder

Said = list[str]


class Way:
    """Connections to the live server pass through it; once it is cut, nobody listens there."""

    def __init__(self) -> None:
        live = postgres.live()
        self.target = (live.host, int(live.port))
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.door.getsockname()[1])
        self.open: list[socket.socket] = []
        threading.Thread(target=self._let_in, daemon=True).start()

    def _let_in(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                came = self.door.accept()[0]
                went = socket.create_connection(self.target)
                self.open += [came, went]
                for pair in ((came, went), (went, came)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                target.sendall(block)
        self._hang_up(source, target)

    @staticmethod
    def _hang_up(*ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self) -> None:
        self._hang_up(self.door)
        self._hang_up(*self.open)


@contextmanager
def way() -> Iterator[Way]:
    found = Way()
    try:
        yield found
    finally:
        found.cut()


@contextmanager
def folder() -> Iterator[Folder]:
    """A place for one standby; it and its slot are gone afterwards."""
    found = Folder(place("standby"))
    try:
        yield found
    finally:
        standby_server.stop(found)
        for each in (found.path, *found.path.parent.glob("wal-*.before-*")):
            shutil.rmtree(each, ignore_errors=True)
        for name in slots():
            if name.startswith(standbys.PREFIX):
                standbys.remove(name.removeprefix(standbys.PREFIX))


def verified() -> Backup:
    taken = backups.take("full", now=timezone.now())
    verification.verify(taken, now=timezone.now())
    return taken


def piece_finished() -> None:
    """Only the server's account may end a piece of the log by name; a piece's worth of changes does it as well."""
    caught_up()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(pg_logical_emit_message(false, 'jeevo', repeat('x', 100000))) FROM generate_series(1, 170)")
    caught_up()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def built(folder: Folder, *, through: Way | None = None, name: str = "one", fresh: bool = False) -> Said:
    """A standby in this folder, and what was said meanwhile."""
    said: Said = []
    primary = ("127.0.0.1", str(through.port)) if through else None
    wanted = standby_build.Wanted(folder.path, name, free_port(), primary=primary, fresh=fresh)
    standby_build.create(wanted, now=timezone.now(), report=said.append)
    return said


def caught_up() -> None:
    until(lambda: (state := wal.receiving()) is not None and state.caught_up, what="the receiver to catch up")


def until(check: Callable[[], bool], *, what: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.05)


def groups(folder: Folder) -> set[str]:
    """Names of groups in the standby, asked as its superuser."""
    with standby_server.connect(folder, folder.facts()) as one:
        return {str(row[0]) for row in one.execute("SELECT name FROM auth_group")}


def slots() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT slot_name FROM pg_replication_slots")
        return {row[0] for row in cursor.fetchall()}


def by_address(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, connect_timeout=5, autocommit=True)


def place(name: str) -> Path:
    """Where the servers' account may go; a socket's name is short."""
    return Path(postgres.home().folder) / f"{name}-{time.time_ns() % 10**8}"
