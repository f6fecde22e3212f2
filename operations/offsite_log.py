"""The log of changes, outside as well: each finished piece, and the one being written every half minute.

So at most a minute is lost when everything here is gone. A piece is compressed, then sealed. The unfinished one goes under
a new name each time, and the one before is removed only when the new one was read back.
"""

from __future__ import annotations

import re
import zlib
from datetime import datetime
from functools import partial
from pathlib import Path

import pyrage

from operations import backup_keys, offsite, wal
from operations.models import OffsiteState

FOLDER, GROWING = "wal", "wal-growing"
PARTIAL_SECONDS = 30.0
_HISTORY = re.compile(r"^[0-9A-F]{8}\.history$")
# 000000010000000000000003.age, 000000010000000000000003.partial-1764241000000.age, 00000002.history.age
NAME = re.compile(r"^(?P<piece>[0-9A-F]{24}|[0-9A-F]{8}\.history)(?:\.partial-(?P<at>\d+))?\.age$")


class LogCopies:
    """What one process knows between two rounds: which unfinished piece it sent, and how far that was written."""

    def __init__(self) -> None:
        self.sent: tuple[str, float] | None = None
        self.sent_at: datetime | None = None
        self.histories: set[str] = set()

    def round(self, *, now: datetime) -> bool:
        return offsite.attempt("log", partial(self._step, now=now), now=now)

    def _step(self, place: offsite.Place, kept: OffsiteState, *, now: datetime) -> bool:
        self._histories(place)
        for piece in (each for each in wal.segments() if not each.partial and each.path.name > kept.position):
            offsite.send_bytes(place, f"{FOLDER}/{piece.path.name}.age", packed(piece.path))
            kept.position = piece.path.name
            OffsiteState.objects.filter(name=kept.name).update(position=kept.position)
        return self._partial(place, now=now)

    def _histories(self, place: offsite.Place) -> None:
        """Where one timeline left another: few, tiny, and without them a recovery cannot follow."""
        for path in sorted(each for each in wal.folder().iterdir() if _HISTORY.match(each.name)):
            if path.name not in self.histories:
                offsite.send_bytes(place, f"{FOLDER}/{path.name}.age", packed(path))
                self.histories.add(path.name)

    def _partial(self, place: offsite.Place, *, now: datetime) -> bool:
        """Whether all that was received lies outside, or has for less than half a minute not."""
        if self.sent_at is not None and 0 <= (now - self.sent_at).total_seconds() < PARTIAL_SECONDS:
            return False
        growing = next((each for each in reversed(wal.segments()) if each.partial), None)
        if growing is not None:
            written = growing.path.stat().st_mtime
            if self.sent != (growing.path.name, written):
                self._send_partial(place, growing.path, now=now)
            self.sent = (growing.path.name, written)
        self.sent_at = now
        return True

    def _send_partial(self, place: offsite.Place, path: Path, *, now: datetime) -> None:
        name = f"{path.name}-{now.timestamp() * 1000:.0f}.age"
        offsite.send_bytes(place, f"{GROWING}/{name}", packed(path))
        for each in offsite.names(place, GROWING)[1]:
            if each < name:
                offsite.remove(place, f"{GROWING}/{each}")


def packed(path: Path) -> bytes:
    """Compressed, then sealed: a piece has its whole size from the beginning, and what is not written yet is zeros."""
    sealed: bytes = pyrage.encrypt(zlib.compress(path.read_bytes(), 1), [backup_keys.recipient()])
    return sealed


def unpacked(data: bytes) -> bytes:
    """Raises NotOffsite when the seal or what is in it is damaged."""
    try:
        return zlib.decompress(pyrage.decrypt(data, backup_keys.identities()))
    except (pyrage.DecryptError, zlib.error) as error:
        raise offsite.NotOffsite("It cannot be opened: the key is not the one it was sealed with, or it is damaged.") from error


def expire(place: offsite.Place, *, before: str) -> int:
    """Remove pieces that lie wholly before this position, such as 0/3000028; how many went."""
    limit = wal.name_of(before, size=wal.segment_bytes())
    gone = 0
    for name in offsite.names(place, FOLDER)[1]:
        found = NAME.match(name)
        if found and len(found["piece"]) == 24 and found["piece"][8:] < limit:
            offsite.remove(place, f"{FOLDER}/{name}")
            gone += 1
    return gone
