"""One machine with real servers and the processes of `manage.py`, each of which a test may freeze, kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from jeevo import embedded
from jeevo.environment import ROOT
from tests.stack import Stack, eventually

PASSPHRASE = "correct horse battery staple"


class Machine:
    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder, self.mnt = folder, folder / "mnt"
        stack = Stack(folder / "stack", OFFSITE_URL=self.mnt.as_uri(), SERVE_STARTER_CONTENT="false", **variables)
        self.data, self.keys, self.variables = stack.data, stack.keys, stack.variables
        self.url = ""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.opened: list[psycopg.Connection[Any]] = []

    @property
    def home(self) -> Path:
        """Where the servers' files are."""
        pointer = self.data / embedded.POINTER
        return Path(pointer.read_text().strip()) if pointer.exists() else self.data

    @property
    def cluster(self) -> Path:
        return self.home / "postgres"

    def start_servers(self) -> None:
        self.url = embedded.start(self.data, self.keys, report=lambda line: None).database_url

    def manage(self, *arguments: str, expected: int | None = 0) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.variables, capture_output=True, text=True, timeout=300)
        assert expected is None or done.returncode == expected, done.stdout + done.stderr
        return done.stdout + done.stderr

    def begin(self, name: str) -> subprocess.Popen[bytes]:
        """`manage.py operator` or `watch`, as the supervisor starts it."""
        with (self.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "manage.py", name],
                cwd=ROOT,
                env=self.variables | {"JEEVO_PROCESS": name},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.processes[name]

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def ask(self, kind: str) -> str:
        """A backup as the console asks for one; its key."""
        row = "INSERT INTO operations_backup (id, kind, status, requested_at, step, reason, done_bytes, bytes, manifest,"
        row += " verification) VALUES (gen_random_uuid(), %s, 'requested', now(), '', '', 0, 0, '{}', '{}') RETURNING id::text"
        return str(self.rows(row, kind)[0][0])

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait(30)

    def end(self, name: str) -> int:
        process = self.processes.pop(name)
        process.terminate()
        return process.wait(60)

    def receivers(self) -> list[psutil.Process]:
        return [each for each in _working() if "pg_receivewal" in _words(each) and str(self.home) in _words(each)]

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, connect_timeout=30, options="-c synchronous_commit=local") as one:
            return one.execute(sql, values).fetchall()

    def waits(self) -> bool:
        return bool(self.rows("SELECT current_setting('synchronous_standby_names') = 'jeevo_receiver'")[0][0])

    def strike(self) -> None:
        """The database's server is frozen with all its processes, then killed: nothing more is written or sent."""
        first = int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        family = [psutil.Process(first), *psutil.Process(first).children(recursive=True)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for each in family:
                try:
                    os.kill(each.pid, number)
                except ProcessLookupError:
                    continue
            time.sleep(0.3)
        psutil.wait_procs(family, timeout=10)

    def close(self) -> None:
        for own in self.opened:
            own.close()
        for name in list(self.processes):
            self.kill(name)
        for each in self.receivers():
            each.kill()
        embedded.stop(self.data)
        # What a kill left running in scratch.
        for each in _working(["postgres"]):
            if str(each.info["cwd"] or "").startswith(f"{self.home}/"):
                each.kill()
        shutil.rmtree(self.home, ignore_errors=True)


def _working(names: list[str] | None = None) -> list[psutil.Process]:
    found = psutil.process_iter(["name", "cwd", "cmdline"])
    return [each for each in found if names is None or each.info["name"] in names]


def _words(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or [])


@contextmanager
def machine(folder: Path, **variables: str) -> Iterator[Machine]:
    """Servers that run, with the tables of this release."""
    one = Machine(folder, **variables)
    try:
        one.start_servers()
        one.manage("migrate", "--verbosity=0")
        yield one
    finally:
        one.close()


def killed_at(one: Machine, reached: Callable[[], bool], *, seconds: float = 120) -> None:
    """The operator's process ends at the moment this is true. Looked at without a pause: a step may be short."""
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until, "the step was never seen"
    one.kill("operator")


class Step:
    """Where a backup stands now, asked over one connection."""

    def __init__(self, one: Machine, key: str) -> None:
        self.key = key
        self.own = psycopg.connect(one.url, autocommit=True)
        one.opened.append(self.own)

    def now(self) -> tuple[str, str]:
        row = self.own.execute("SELECT status, step FROM operations_backup WHERE id = %s", [self.key]).fetchone()
        assert row is not None
        return str(row[0]), str(row[1])

    def is_at(self, step: str) -> bool:
        status, now = self.now()
        assert (status, now) not in (("verified", ""), ("failed", now)), f"it was over before {step} was seen"
        return now == step


class Writers:
    """Several threads that write row after row; `acknowledged` are those whose commit returned, `longest` the slowest of them."""

    def __init__(self, url: str, *, count: int) -> None:
        self.url, self.acknowledged = url, set[tuple[int, int]]()
        self.stopping, self.longest, self.freed_at = threading.Event(), 0.0, 0.0
        self.threads = [threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(count)]
        with psycopg.connect(url, autocommit=True) as one:
            one.execute("CREATE TABLE IF NOT EXISTS written (writer int, number int)")
            one.execute("TRUNCATE written")
        for each in self.threads:
            each.start()

    def _write(self, writer: int) -> None:
        number = 0
        try:
            with psycopg.connect(self.url, autocommit=True) as one:
                while not self.stopping.is_set():
                    began = time.monotonic()
                    one.execute("INSERT INTO written VALUES (%s, %s)", [writer, number])
                    self.acknowledged.add((writer, number))
                    self.longest = max(self.longest, time.monotonic() - began)
                    number += 1
        except psycopg.OperationalError:
            return  # the server is gone

    def stop(self) -> None:
        self.stopping.set()
        for each in self.threads:
            each.join(30)
            assert not each.is_alive(), "a write still hangs"

    def goes_on(self) -> bool:
        before = len(self.acknowledged)
        time.sleep(0.3)
        return len(self.acknowledged) > before


def caught_up(one: Machine) -> None:
    eventually(one.waits, seconds=60, what="writes to wait for the received log")
