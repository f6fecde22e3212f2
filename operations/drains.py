"""The shutdown of the operations guide, step by step: no new work, wait, SIGTERM, services, verify.

Each step says what it found and whether it held; one that fails is in no other's way, because a shutdown is wanted most
when something is broken. Without `stop` only the first two are taken, and `undo` takes them back.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from conversations.models import Contact, OutboundMessage
from operations import lanes, pauses
from operations.locks import held
from operations.models import Pause
from operations.phrases import count

LOOK_SECONDS = 0.5
# The supervisor gives each of its four stages 20 s, and then stops the services.
STAGE_SECONDS, STAGES = 20, 4
SERVICES_SECONDS = 20
IN_CONTAINERS = "docker compose stop --timeout 40"


@dataclass(frozen=True)
class Step:
    name: str
    held: bool
    said: str
    seconds: float


Report = Callable[[], tuple[bool, str]]


def drain(*, patience: float, stop: bool, reason: str = "") -> Iterator[Step]:
    yield _timed("No new work", lambda: _no_new_work(reason, stop))
    yield _timed("What is in flight", lambda: _wait(patience))
    if not stop:
        return
    family = Family.find(settings.ENVIRONMENT.data)
    yield _timed("Processes", lambda: _stop(family))
    yield _timed("Services", _services)
    yield _timed("All is stopped", lambda: _verify(family))


def undo() -> Step:
    def back() -> tuple[bool, str]:
        row = pauses.end(Pause.Kind.DRAIN, now=timezone.now())
        return True, "Answers are given again." if row else "Nothing was drained."

    return _timed("Work again", lambda: _with_database(back))


def _timed(name: str, work: Report) -> Step:
    began = time.monotonic()
    done, said = work()
    return Step(name, done, said, time.monotonic() - began)


def _with_database(work: Report) -> tuple[bool, str]:
    try:
        return work()
    except (DatabaseError, InterfaceError):
        return False, "The database did not answer. Without it nothing is handed out, and nothing is lost."


def _no_new_work(reason: str, stop: bool) -> tuple[bool, str]:
    def begin() -> tuple[bool, str]:
        now = timezone.now()
        pauses.begin(now=now, until=now + pauses.LONGEST, reason=reason, kind=Pause.Kind.DRAIN, ends_with_start=stop)
        return True, "People get a notice, emergencies their help, and /health/ready says 503."

    return _with_database(begin)


def _wait(patience: float) -> tuple[bool, str]:
    def until_calm() -> tuple[bool, str]:
        until = time.monotonic() + patience
        calm, said = _in_flight()
        while not calm and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
            calm, said = _in_flight()
        return calm, said if calm else f"{said} Nothing is lost: what is cut off is done again after the next start."

    return _with_database(until_calm)


def _in_flight() -> tuple[bool, str]:
    now = timezone.now()
    answers = Contact.objects.filter(lease_token__isnull=False, lease_until__gt=now).count()
    sends = OutboundMessage.objects.filter(status=OutboundMessage.Status.SENDING).count()
    tasks = lanes.running_tasks()
    busy = [
        text
        for number, text in (
            (answers, count(answers, "person is being answered", "people are being answered")),
            (sends, count(sends, "message is being sent", "messages are being sent")),
            (tasks, count(tasks or 0, "task runs", "tasks run")),
        )
        if number
    ]
    unknown = " The broker did not say whether tasks run." if tasks is None else ""
    return not busy, (f"{', '.join(busy).capitalize()}." if busy else "Nothing is in flight.") + unknown


@dataclass(frozen=True)
class Family:
    """The supervisor of a data folder and its children, as they were before they were asked to stop."""

    lock: Path
    supervisor: psutil.Process | None
    members: tuple[psutil.Process, ...]

    @classmethod
    def find(cls, data: Path) -> Family:
        lock = data / "supervisor.lock"
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            if is_held(lock):
                process = psutil.Process(int((data / "supervisor.pid").read_text()))
                return cls(lock, process, (process, *process.children(recursive=True)))
        return cls(lock, None, ())

    def alive(self) -> int:
        found = 0
        for each in self.members:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += each.is_running() and each.status() != psutil.STATUS_ZOMBIE
        return found


def is_held(lock: Path) -> bool:
    """Whether a supervisor lives: the system frees its lock however it ends."""
    if not lock.exists():
        return False
    with held(lock) as ours:
        return not ours


def _stop(family: Family) -> tuple[bool, str]:
    if family.supervisor is None:
        return False, f"No supervisor runs here with this data folder. In containers: {IN_CONTAINERS}"
    os.kill(family.supervisor.pid, signal.SIGTERM)
    until = time.monotonic() + STAGE_SECONDS * STAGES + SERVICES_SECONDS
    while time.monotonic() < until and family.alive():
        time.sleep(LOOK_SECONDS / 2)
    left = family.alive()
    if left:
        return False, f"{count(left, 'process has', 'processes have')} not ended. Look at them before you end them."
    return True, f"{count(len(family.members), 'process has', 'processes have')} ended in order."


def _services() -> tuple[bool, str]:
    if settings.ENVIRONMENT.database_url is not None:
        return True, "The database and Redis are not this supervisor's. In containers: docker compose down --timeout 10"
    at = settings.DATABASES["default"]
    if _answers(str(at.get("HOST") or "127.0.0.1"), int(at.get("PORT") or 5432)):
        return False, "The database of this data folder still answers."
    return True, "The database and Valkey of this data folder are stopped."


def _verify(family: Family) -> tuple[bool, str]:
    left = family.alive()
    if left or (family.supervisor is not None and is_held(family.lock)):
        return False, f"{count(left, 'process', 'processes')} of Jeevo still run."
    if _answers("127.0.0.1", settings.ENVIRONMENT.web_port):
        return False, f"Something still answers at port {settings.ENVIRONMENT.web_port}."
    return True, "No process of Jeevo is left, and nothing answers at its port."


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
