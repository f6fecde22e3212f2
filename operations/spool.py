"""An incident in a file, for when the database is away: one file for each step, read in once it is back.

A file is written whole or not at all, for its owner only, and named by the key of the step; whoever reads it in twice
changes nothing. Beside the files lies a copy of the contacts on call, which the watcher keeps, so that they can be told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from jeevo.ids import new_id

DECLARE, UPDATE = "declare", "update"
LARGEST = 64 * 1024


class Unreadable(Exception):
    """The file is not one of ours, or is damaged; the message says what is wrong with it."""


@dataclass(frozen=True)
class Step:
    """What somebody did. `of` is the number or the key of the incident that an update is about."""

    key: UUID
    what: str
    at: datetime
    by: str = ""
    title: str = ""
    severity: int = 2
    kind: str = "manual"
    details: str = ""
    text: str = ""
    of: str = ""

    @property
    def reference(self) -> str:
        """What people type: short, and other than a number."""
        return f"F{self.key.hex[-7:]}"


def folder() -> Path:
    found: Path = settings.ENVIRONMENT.data / "spool" / "incidents"
    found.mkdir(parents=True, exist_ok=True)
    found.chmod(0o700)
    return found


def write(step: Step) -> Path:
    values = asdict(step) | {"key": str(step.key), "at": step.at.isoformat()}
    path = folder() / f"{step.key}.jsonl"
    _replace(path, json.dumps(values, ensure_ascii=False) + "\n")
    return path


def _replace(path: Path, text: str) -> None:
    """Whole or not at all, also where the machine loses power."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def waiting() -> list[Path]:
    """Files that nobody has read in yet, the oldest first: their names begin with their time."""
    return sorted(folder().glob("*.jsonl"))


def read(path: Path) -> Step:
    try:
        if path.stat().st_size > LARGEST:
            raise Unreadable("it is too large")
        values = json.loads(path.read_text(encoding="utf-8"))
        step = Step(**values)
        step = replace(step, key=UUID(str(values["key"])), at=datetime.fromisoformat(values["at"]))
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise Unreadable("it is not a step of an incident") from problem
    if step.what not in (DECLARE, UPDATE) or step.severity not in (1, 2, 3, 4) or step.at.tzinfo is None:
        raise Unreadable("it does not say what was done and when")
    return step


def steps() -> Iterator[Step]:
    """What waits and can be read."""
    for path in waiting():
        try:
            yield read(path)
        except Unreadable:
            continue


def put_away(path: Path, place: str) -> None:
    """To a folder beside the others: `imported` or `unreadable`. Nothing is thrown away."""
    (path.parent / place).mkdir(mode=0o700, exist_ok=True)
    path.replace(path.parent / place / path.name)


def key_of(reference: str) -> UUID | None:
    """The incident of a reference, from the files that wait and those read in already."""
    ending = f"*{reference.strip().lower().removeprefix('f')}.jsonl"
    if len(reference.strip()) != 8 or not reference.strip()[1:].isalnum():
        return None
    found = [*folder().glob(ending), *(folder() / "imported").glob(ending)]
    return UUID(found[0].stem) if len(found) == 1 else None


def new_step(what: str, *, now: datetime, **values: Any) -> Step:
    return Step(key=new_id(), what=what, at=now, **values)


# The copy of the contacts.


@dataclass(frozen=True)
class Known:
    name: str
    email: str


def keep_contacts(contacts: list[Known]) -> bool:
    """Write the copy where it differs; whether it did."""
    text = json.dumps([asdict(each) for each in contacts], ensure_ascii=False, indent=1)
    path = folder().parent / "contacts.json"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    _replace(path, text)
    return True


def kept_contacts() -> list[Known]:
    try:
        return [Known(**each) for each in json.loads((folder().parent / "contacts.json").read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
