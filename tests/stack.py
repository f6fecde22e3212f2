"""The whole program in a folder of its own, started by the command a newcomer types, driven over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import psycopg

from jeevo import embedded
from jeevo.environment import ROOT

T = TypeVar("T")
READY_SECONDS = 120
# Two workers of one run may start the same program at once.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


class Stack:
    def __init__(self, folder: Path, **variables: str) -> None:
        self.data, self.keys, self.log = folder / "data", folder / "keys", folder / "output.log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JEEVO_", "WHATSAPP_", "GROQ_", "DJANGO_", "PYTEST_"))}
        for name in ("DATABASE_URL", "REDIS_URL"):
            kept.pop(name, None)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("WEB_PORT", "SANDBOX_PORT"):
            if name in variables:
                variables[name] = str(int(variables[name]) + 500 * WORKER)
        self.variables = (
            kept
            | {
                "JEEVO_DATA_DIR": str(self.data),
                "JEEVO_KEYS_DIR": str(self.keys),
                "JEEVO_MODE": "sandbox",
                "PYTHONUNBUFFERED": "1",
            }
            | variables
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.chat = self.console = self.password = ""

    def start(self) -> None:
        self.chat = self.console = self.password = ""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jeevo.supervisor"],
                cwd=ROOT,
                env=self.variables,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        eventually(self._ready, seconds=READY_SECONDS, what="Jeevo to be running")

    def _ready(self) -> bool:
        text = self.output()
        block = text.rsplit("Jeevo is running.", 1)[-1] if "Jeevo is running." in text else ""
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError("Jeevo ended by itself:\n" + text[-4000:])
        for line in block.splitlines():
            name, _, value = line.strip().partition(" ")
            match name:
                case "Chat":
                    self.chat = value.strip()
                case "Console":
                    self.console = value.strip()
                case "Password":
                    self.password = value.strip()
        return bool(self.chat and self.console and self.password)

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        try:
            return self.process.wait(90)
        finally:
            self.process = None

    # What a person does and gets, through the sandbox.

    def says(self, phone: str, text: str) -> str:
        reply = httpx.post(f"{self.chat}sandbox/inbound", json={"from": phone, "text": text}, timeout=10)
        reply.raise_for_status()
        return str(reply.json()["wamid"])

    def received(self, phone: str) -> list[dict[str, Any]]:
        reply = httpx.get(f"{self.chat}sandbox/sent", params={"to": phone}, timeout=10)
        found: list[dict[str, Any]] = reply.json()["messages"]
        return found

    def fault(self, name: str, on: bool = True, **values: Any) -> None:
        httpx.post(f"{self.chat}sandbox/faults", json={"name": name, "on": on, **values}, timeout=10).raise_for_status()

    def answers(self, phone: str, count: int = 1, seconds: float = 30) -> list[dict[str, Any]]:
        eventually(lambda: len(self.received(phone)) >= count, seconds=seconds, what=f"{count} answers to {phone}")
        return self.received(phone)

    # What happened inside.

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        services = embedded.find(self.data, self.keys)
        assert services is not None, "the database does not run"
        with psycopg.connect(services.database_url, connect_timeout=30) as connection:
            return connection.execute(sql, values).fetchall()

    def pid(self, needle: str) -> list[int]:
        """Processes of this stack whose command line holds the words."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [each.pid for each in family if needle in _command_line(each)]


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ended a moment ago
        return ""


def eventually(check: Callable[[], T], *, seconds: float, what: str, every: float = 0.2) -> T:
    """The first truthy result within the time, or a failure that says what was waited for."""
    until = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[Stack]:
    stack = Stack(folder, **variables)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        embedded.stop(stack.data)
