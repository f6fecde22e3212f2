"""A place for a pair of embedded servers, and what tests ask of it while it runs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from jeevo import embedded
from jeevo.embedded import Services

ROOT = Path(__file__).resolve().parent.parent.parent
AS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="needs root")


@dataclass
class Place:
    data: Path
    keys: Path
    said: list[str]

    def start(self) -> Services:
        return embedded.start(self.data, self.keys, report=self.said.append)

    def find(self) -> Services | None:
        return embedded.find(self.data, self.keys)

    @property
    def home(self) -> Path:
        pointer = self.data / embedded.POINTER
        return Path(pointer.read_text().strip()) if pointer.exists() else self.data

    def pids(self) -> tuple[int, int]:
        postgres = (self.home / "postgres" / "postmaster.pid").read_text().split()[0]
        return int(postgres), int((self.home / "valkey" / "valkey.pid").read_text())

    def run(self, code: str) -> subprocess.Popen[str]:
        """Another Python process that has `data`, `keys` and `embedded`."""
        start = f"from pathlib import Path; from jeevo import embedded; data, keys = Path({str(self.data)!r}), "
        start += f"Path({str(self.keys)!r})\n{code}"
        return subprocess.Popen(
            [sys.executable, "-c", start],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@contextlib.contextmanager
def make_place(folder: Path) -> Iterator[Place]:
    place = Place(folder / "data", folder / "keys", [])
    try:
        yield place
    finally:
        embedded.stop(place.data)
        with contextlib.suppress(AssertionError):
            # The collector of PostgreSQL's log ends a moment after the server.
            wait_until(lambda: not servers_of(place), seconds=10)
        left = servers_of(place)
        for process in left:
            process.kill()
    assert left == [], "left running"


def servers_of(place: Place) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if str(place.home) in process.cwd():
                found.append(process)
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def ask(services: Services, query: str) -> object:
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def found(place: Place) -> Services:
    services = place.find()
    assert services is not None
    return services


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])
