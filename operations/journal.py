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
from typing import IO, Any
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
    before: str

    @property
    def body(self) -> dict[str, Any]:
        return {"step": self.step, "state": self.state, "at": self.at, "facts": self.facts, "before": self.before}

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()

    @property
    def text(self) -> str:
        return json.dumps(self.body | {"hash": self.hash}, sort_keys=True) + "\n"


def folder() -> Path:
    return Path(settings.ENVIRONMENT.data) / "restores"


class Journal:
    """One restore's file. `write` returns when the line is on the disk."""

    def __init__(self, key: UUID | str) -> None:
        self.key = str(key)
        self.path = folder() / f"{self.key}.jsonl"

    def write(self, step: str, state: str, *, now: datetime, **facts: Any) -> Line:
        with self._locked() as file:
            known = self.read()
            line = Line(step, state, now.isoformat(), facts, known[-1].hash if known else _FIRST)
            # A torn line of a process that died is cut off before the next one is put there.
            file.truncate(len(_text(known)))
            file.write(line.text.encode())
        return line

    def replace(self, lines: list[Line]) -> None:
        """The whole file anew, as it once was."""
        with self._locked() as file:
            file.truncate(0)
            file.write(_text(lines))

    @contextmanager
    def _locked(self) -> Iterator[IO[bytes]]:
        """The file to append to, alone; on the disk when the block has ended."""
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.fsync(file.fileno())
        sealed.sync_folder(folder())

    def read(self) -> list[Line]:
        try:
            return parsed(self.path.read_bytes())
        except FileNotFoundError:
            return []

    def done(self, step: str) -> Line | None:
        """The last time this step was finished."""
        return self._last(step, "done")

    def begun(self, step: str) -> Line | None:
        return self._last(step, "begun")

    def _last(self, step: str, state: str) -> Line | None:
        return next((line for line in reversed(self.read()) if line.step == step and line.state == state), None)


def parsed(raw: bytes) -> list[Line]:
    """The lines of such a file. Raises Broken where one was changed, taken out or put in."""
    whole, _, _torn = raw.rpartition(b"\n")
    before, found = _FIRST, list[Line]()
    for text in filter(None, whole.split(b"\n")):
        line, claimed = _line(text)
        if line.before != before or line.hash != claimed:
            raise Broken("The journal of this restore is not what was written into it.")
        before = claimed
        found.append(line)
    return found


def _line(text: bytes) -> tuple[Line, str]:
    """One line and the hash that it claims to have."""
    try:
        found = json.loads(text)
        claimed = str(found.pop("hash"))
        return Line(**found), claimed
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise Broken("The journal of this restore holds a line that cannot be read.") from error


def _text(lines: list[Line]) -> bytes:
    return "".join(line.text for line in lines).encode()


@contextmanager
def alone() -> Iterator[None]:
    """One restore at a time on this machine. A lock in the database would die with the connections that a swap ends."""
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    with held(folder() / "lock") as ours:
        if not ours:
            raise Busy("Another restore is under way on this machine; wait until it has ended.")
        yield
