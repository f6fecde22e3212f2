"""The record of erasures: a file beside the journals of restores, outside the database that a restore rewinds.

One line a person, appended and chained by hashes: when they were erased, and keyed hashes of what they were known by. The
key is derived from the first of FIELD_KEYS and named by a mark; old ones are kept, so that older lines stay readable.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from conversations.erasure import Until
from operations.journal import Broken, Journal, Line, parsed

NAME, STEP, STATE = "erasures", "erased", "done"
_PURPOSE = b"jeevo record of erasures"
DAMAGED = (
    "The record of erasures was changed or cut short, so people who were erased could come back. "
    "`manage.py erasures mend` puts it back from the database; docs/erasure.md says what else can be done."
)
NO_KEY = (
    "Somebody was erased under a key that FIELD_KEYS no longer holds, so it cannot be told who: put that key behind the "
    "others, from the recovery kit."
)


class Damaged(Exception):
    """One sentence: why nothing may be restored before the record is mended."""


@dataclass(frozen=True)
class Entry:
    """A line. `people` are hashes, `key` the mark of the key they were made with."""

    number: int
    at: datetime
    people: tuple[str, ...]
    key: str
    before: str
    hash: str

    @property
    def line(self) -> Line:
        return Line(STEP, STATE, self.at.isoformat(), {"people": list(self.people), "key": self.key}, self.before)


def path() -> Path:
    return Journal(NAME).path


def read() -> list[Entry]:
    try:
        return _entries(Journal(NAME).read())
    except Broken as problem:
        raise Damaged(DAMAGED) from problem


def of(raw: bytes) -> list[Entry]:
    """A copy of the file. Raises Damaged."""
    try:
        return _entries(parsed(raw))
    except Broken as problem:
        raise Damaged(DAMAGED) from problem


def _entries(lines: Sequence[Line]) -> list[Entry]:
    return [
        Entry(number, datetime.fromisoformat(each.at), tuple(each.facts["people"]), each.facts["key"], each.before, each.hash)
        for number, each in enumerate(lines, 1)
    ]


def text(entries: Sequence[Entry]) -> bytes:
    return "".join(each.line.text for each in entries).encode()


def append(identities: Iterable[str], *, at: datetime) -> Entry:
    """On the disk when it returns. Raises Damaged."""
    read()
    secret = derived(settings.FIELD_KEYS[0])
    people = sorted(hashed(secret, each) for each in identities)
    line = Journal(NAME).write(STEP, STATE, now=at, people=people, key=mark(secret))
    return next(each for each in read() if each.hash == line.hash)


def replace(entries: Sequence[Entry]) -> None:
    Journal(NAME).replace([each.line for each in entries])


@lru_cache(maxsize=16)
def derived(field_key: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(field_key.encode())


def mark(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()[:12]


def hashed(secret: bytes, identity: str) -> str:
    return hmac.new(secret, identity.encode(), "sha256").hexdigest()


def until(entries: Sequence[Entry], *, field_keys: Sequence[str] | None = None) -> Until:
    """Up to when rows of an identity go. `field_keys`: of a kit, in place of those of the settings. Raises Damaged."""
    secrets = {mark(secret): secret for key in field_keys or settings.FIELD_KEYS if (secret := derived(key))}
    known: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
    for each in entries:
        if each.key not in secrets:
            raise Damaged(NO_KEY)
        known[each.key] |= dict.fromkeys(each.people, each.at)

    def latest(identity: str) -> datetime | None:
        found = (people.get(hashed(secrets[key], identity)) for key, people in known.items())
        return max((at for at in found if at is not None), default=None)

    return latest
