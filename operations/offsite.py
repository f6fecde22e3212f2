"""Copies elsewhere, for the day when this machine and its disks are gone.

Through Django's storages: a bucket or a folder. A copy counts only when it was read back and its hash is that of what was
sent; a storage that lies, refuses or is away is a failure in words, tried again later, and harms nothing here. Everything
is sealed before it leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

import structlog
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage, storages
from django.db import connection

from operations.models import OffsiteState

log = structlog.get_logger(__name__)
ALIAS = "offsite"
BLOCK = 1024 * 1024
# After a failure, doubled with each in a row.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
# What a storage may raise. Their words may hold addresses and keys and are never passed on.
TROUBLE = (OSError, BotoCoreError, ClientError, Boto3Error)
_REFUSALS = {
    "NoSuchBucket": "the bucket does not exist",
    "AccessDenied": "it refuses our key",
    "403": "it refuses our key",
    "InvalidAccessKeyId": "it does not know our key",
    "SignatureDoesNotMatch": "the secret of our key is wrong",
    "SlowDown": "it asks for patience",
}


class NotOffsite(Exception):
    """One sentence: why there is no good copy outside now."""


@dataclass(frozen=True)
class Place:
    """`root` is the database server's own number: another server that is given the same storage overwrites nothing."""

    storage: Storage
    root: str = ""

    def full(self, name: str) -> str:
        return f"{self.root}/{name}" if self.root else name


def configured() -> bool:
    return ALIAS in storages.backends


def ours() -> Place:
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        return Place(storages[ALIAS], str(cursor.fetchone()[0]))


def send(place: Place, name: str, path: Path, *, sha256: str | None = None) -> None:
    """A file under this name, read back. `sha256`: what it must be; otherwise what it is here."""
    with path.open("rb") as file:
        _put(place, name, File(file))
    with path.open("rb") as file:
        here = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and here != sha256:
        raise NotOffsite("A file of the backup is no longer what it was when it was written; it was not counted as a copy.")
    compare(place, name, here)


def send_bytes(place: Place, name: str, data: bytes) -> None:
    _put(place, name, ContentFile(data))
    compare(place, name, hashlib.sha256(data).hexdigest())


def fetch(place: Place, name: str, into: IO[bytes]) -> None:
    """Raises NotOffsite when it is not there or cannot be read."""
    try:
        with place.storage.open(place.full(name)) as file:
            while block := file.read(BLOCK):
                into.write(block)
    except FileNotFoundError as error:
        raise NotOffsite(f"{name} is not there.") from error
    except TROUBLE as error:
        raise NotOffsite(f"The storage could not be read: {why(error)}.") from error


def names(place: Place, folder: str) -> tuple[list[str], list[str]]:
    """Folders and files directly in this folder; nothing where there is none yet."""
    try:
        folders, files = place.storage.listdir(place.full(folder))
    except FileNotFoundError:
        return [], []
    except TROUBLE as error:
        raise NotOffsite(f"The storage could not be listed: {why(error)}.") from error
    return sorted(filter(None, folders)), sorted(filter(None, files))


def remove(place: Place, name: str) -> None:
    try:
        place.storage.delete(place.full(name))
    except TROUBLE as error:
        raise NotOffsite(f"The storage would not remove what is too old: {why(error)}.") from error


def _put(place: Place, name: str, content: File[Any]) -> None:
    try:
        found = place.storage.save(place.full(name), content)
    except TROUBLE as error:
        raise NotOffsite(f"The storage did not take the copy: {why(error)}.") from error
    if found != place.full(name):  # a storage that keeps both would never be read under the right name
        raise NotOffsite("The storage keeps an older copy under the same name: let it overwrite.")


def compare(place: Place, name: str, sha256: str) -> None:
    found = hashlib.sha256()
    try:
        with place.storage.open(place.full(name)) as file:
            for block in iter(partial(file.read, BLOCK), b""):
                found.update(block)
    except TROUBLE as error:
        raise NotOffsite(f"The copy could not be read back: {why(error)}.") from error
    if found.hexdigest() != sha256:
        raise NotOffsite("The copy that was read back differs from what was sent. It does not count; it is sent again.")


def why(error: Exception) -> str:
    """For people, without the words of the error."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        return _REFUSALS.get(code, "it answered with an error")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if "checksum" in type(error).__name__.lower():
        return "what came back is damaged"
    return "it did not answer"


def state(name: str) -> OffsiteState:
    return OffsiteState.objects.get_or_create(name=name)[0]


def attempt(name: str, step: Callable[[Place, OffsiteState], bool], *, now: datetime) -> bool:
    """Run a step when it is time. It says whether all that is here lies outside now; a failure waits longer each time."""
    if not configured():
        return False
    kept = state(name)
    if kept.next_try_at is not None and kept.next_try_at > now:
        return False
    try:
        whole = step(ours(), kept)
    except NotOffsite as problem:
        _failed(kept, str(problem), now=now)
        return False
    except FileNotFoundError:  # a file of ours was finished or let go between the look and the copy: the next round sees it
        return False
    calm = {"failed_at": None, "attempts": 0, "next_try_at": None, "reason": ""}
    OffsiteState.objects.filter(name=name).update(**calm, **({"good_at": now} if whole else {}))
    if kept.attempts:
        log.info("copies go outside again", kind=name)
    return whole


def _failed(kept: OffsiteState, reason: str, *, now: datetime) -> None:
    pause = min(FIRST_PAUSE * 2 ** min(kept.attempts, 10), LONGEST_PAUSE)
    OffsiteState.objects.filter(name=kept.name).update(
        failed_at=kept.failed_at or now, attempts=kept.attempts + 1, next_try_at=now + pause, reason=reason[:300]
    )
    log.warning("a copy did not go outside; it is tried again", kind=kept.name, attempts=kept.attempts + 1)
