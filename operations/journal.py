"""What a restore has done so far, in a file outside the database that it rewinds.

Lines of JSON, each with the hash of the one before it, on the disk before the step it tells of begins. A process that
died in the middle of a line leaves a torn last line, which is dropped; anything else that does not fit is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from operations import sealed
from operations.locks import held

_FIRST = "0" * 64


class Broken(Exception):
    """One sentence: the journal was changed or lost, so nothing may be built on it."""


class Busy(Exception):
    """Another process works on a restore of this service."""


@dataclass(frozen=True)
class Line:
    step: str
    state: str
    at: str
    facts: dict[str, Any]


def folder() -> Path:
    return Path(settings.ENVIRONMENT.data) / "restores"


class Journal:
    """One restore's file. `write` returns when the line is on the disk."""

    def __init__(self, key: UUID | str) -> None:
        self.key = str(key)
        self.path = folder() / f"{self.key}.jsonl"

    def write(self, step: str, state: str, *, now: datetime, **facts: Any) -> None:
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = self._lines()
            last = known[-1]["hash"] if known else _FIRST
            body = {"step": step, "state": state, "at": now.isoformat(), "facts": facts, "before": last}
            line = json.dumps(body | {"hash": _hash(body)}, sort_keys=True)
            kept = "".join(json.dumps(each, sort_keys=True) + "\n" for each in known)
            # A torn line of a process that died is cut off before the next one is put there.
            file.truncate(len(kept.encode()))
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sealed.sync_folder(folder())

    def read(self) -> list[Line]:
        return [Line(each["step"], each["state"], each["at"], each["facts"]) for each in self._lines()]

    def done(self, step: str) -> Line | None:
        """The last time this step was finished."""
        return self._last(step, "done")

    def begun(self, step: str) -> Line | None:
        return self._last(step, "begun")

    def _last(self, step: str, state: str) -> Line | None:
        return next((line for line in reversed(self.read()) if line.step == step and line.state == state), None)

    def _lines(self) -> list[dict[str, Any]]:
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return []
        whole, _, _torn = raw.rpartition(b"\n")
        lines = [_parsed(each) for each in whole.split(b"\n") if each]
        if any(line is None for line in lines):
            raise Broken("The journal of this restore holds a line that cannot be read.")
        found = [line for line in lines if line is not None]
        before = _FIRST
        for line in found:
            body = {key: value for key, value in line.items() if key != "hash"}
            if line.get("before") != before or line.get("hash") != _hash(body):
                raise Broken("The journal of this restore is not what was written into it.")
            before = line["hash"]
        return found


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _hash(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


@contextmanager
def alone() -> Iterator[None]:
    """One restore at a time on this machine. A lock in the database would die with the connections that a swap ends."""
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    with held(folder() / "lock") as ours:
        if not ours:
            raise Busy("Another restore is under way on this machine; wait until it has ended.")
        yield
