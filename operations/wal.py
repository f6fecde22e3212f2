"""Every change as it happens: pg_receivewal writes the server's log beside it, so that any instant can be restored.

The receiver runs under a slot, so that the server keeps what it has not yet taken; a slot that falls too far behind
would fill the disk and is watched. What is received lies in the servers' own folder, as plain segments.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from django.db import connection
from django.utils import timezone

from operations import postgres

# Also the name that commits wait for.
SLOT = "jeevo_receiver"
# PostgreSQL's own size, for a folder that does not say: a server may have been made with another (`initdb --wal-segsize`).
USUAL_BYTES = 16 * 1024 * 1024
_HEAD_BYTES = 36
_SIZES = frozenset(2**power for power in range(20, 31))
_SEGMENT = re.compile(r"^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?$")
# What pg_stat_replication knows is hidden from ordinary accounts; the slot stands where the receiver last wrote to its disk.
_STATE = """
    SELECT wal_status, active, safe_wal_size, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)::bigint
    FROM pg_replication_slots WHERE slot_name = %s
"""


class NoWal(Exception):
    """One sentence: why this instant cannot be restored."""


@dataclass(frozen=True)
class Receiving:
    """`status` is PostgreSQL's word for the slot: reserved, extended, unreserved, lost."""

    status: str
    active: bool
    behind_bytes: int
    safe_bytes: int | None

    @property
    def caught_up(self) -> bool:
        return self.active and self.behind_bytes <= 0


@dataclass(frozen=True)
class Segment:
    """`start` and `end`: which bytes of the log it has room for, as `bytes_of` counts them."""

    timeline: int
    start: int
    end: int
    partial: bool
    path: Path


def folder() -> Path:
    return postgres.home().make("wal")


@contextlib.contextmanager
def received() -> Iterator[postgres.Running]:
    """The receiver, running until the block ends. It ends by itself when the connection does: whoever keeps it looks."""
    ensure_slot()
    _end_orphan()
    flags = ("--synchronous", "--no-loop", "--status-interval=1", f"--slot={SLOT}", f"--directory={folder()}")
    server, major = postgres.live(), postgres.server_major()
    with postgres.kept_running("pg_receivewal", *flags, name=SLOT, server=server, major=major) as process:
        yield process


def ensure_slot() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", [SLOT])
        if cursor.fetchone() is None:
            cursor.execute("SELECT pg_create_physical_replication_slot(%s, true)", [SLOT])


def _end_orphan() -> None:
    """A receiver whose keeper was killed lives on and holds the slot; it ends with its connection. There is one keeper."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = %s AND active", [SLOT]
        )


def drop_slot() -> None:
    """For a service that no longer receives: an abandoned slot keeps the log until the disk is full."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", [SLOT])


def receiving() -> Receiving | None:
    """How the receiver stands now; None without a slot."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [SLOT])
        row = cursor.fetchone()
    if row is None:
        return None
    status, active, safe, behind = row
    return Receiving(status or "", active, int(behind) if behind is not None else 1, safe)


def exposure(*, now: datetime) -> float | None:
    """Seconds of work that would be lost if the server's disk were gone this moment; None when nothing is received."""
    state = receiving()
    if state is None or not state.active:
        return None
    if state.caught_up:
        return 0.0
    written = max((each.path.stat().st_mtime for each in segments()), default=0.0)
    return max(0.0, now.timestamp() - written)


def segments(place: Path | None = None) -> list[Segment]:
    """Those of one server, whose segments are of one size."""
    paths, found = _pieces(place), []
    size = _bytes_of_each(paths)
    for path in paths:
        name = _SEGMENT.match(path.name)
        assert name is not None
        start = int(name[2], 16) << 32 | int(name[3], 16) * size
        found.append(Segment(int(name[1], 16), start, start + size, bool(name[4]), path))
    return sorted(found, key=lambda each: (each.timeline, each.start, each.partial))


def segment_bytes(place: Path | None = None) -> int:
    """How large the server of the newest piece makes its pieces. Where none of them says, the usual size; in place of a smaller
    one it only ever takes a piece for older than it is."""
    return _bytes_of_each(_pieces(place))


def _pieces(place: Path | None) -> list[Path]:
    return sorted(path for path in (place or folder()).iterdir() if _SEGMENT.match(path.name))


def _bytes_of_each(pieces: Sequence[Path]) -> int:
    return next(filter(None, map(_said_bytes, reversed(pieces))), USUAL_BYTES)


def _said_bytes(piece: Path) -> int | None:
    """None for one that holds nothing yet, and for one whose beginning is damaged."""
    with contextlib.suppress(FileNotFoundError), piece.open("rb") as file:  # finished or removed meanwhile
        return bytes_said(file.read(_HEAD_BYTES))
    return None


def bytes_said(head: bytes) -> int | None:
    """By the header of the first page (XLogLongPageHeaderData)."""
    size = int.from_bytes(head[32:36], sys.byteorder)
    return size if size in _SIZES else None


def histories() -> list[Path]:
    """Where one timeline left another."""
    return sorted(each for each in folder().iterdir() if each.suffix == ".history")


def system_of(piece: Path) -> str:
    """The `system_identifier` of the server that wrote this piece, from the header of its first page (XLogLongPageHeaderData);
    recovery would stop at a piece of another server."""
    with piece.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return str(int.from_bytes(head[24:32], sys.byteorder))


def gaps(found: list[Segment]) -> Iterator[str]:
    """A sentence for each hole. Only the last segment of a timeline may be one that is still being written."""
    for before, after in pairwise(found):
        if after.timeline != before.timeline:
            continue
        if after.start > before.end:
            missing = (after.start - before.end) // (before.end - before.start)
            pieces = "1 piece of the log is" if missing == 1 else f"{missing} pieces of the log are"
            yield f"{pieces} missing after {before.path.name}."
        if before.partial and after.start > before.start:
            yield f"{before.path.name} was never finished."


def bytes_of(position: str) -> int:
    """A position such as 0/3000028 as the number of bytes that were ever written before it."""
    upper, lower = (int(part, 16) for part in position.split("/"))
    return upper << 32 | lower


def name_of(position: str, *, size: int) -> str:
    """Of the piece that holds this position, without its timeline: 16 digits."""
    upper, lower = divmod(bytes_of(position), 1 << 32)
    return f"{upper:08X}{lower // size:08X}"


def unbroken_from(start: str, place: Path | None = None) -> None:
    """Raises NoWal unless the received log goes on without a hole from this position, such as 0/3000028."""
    wanted = [each for each in segments(place) if each.end > bytes_of(start)]
    if not wanted or wanted[0].start > bytes_of(start):
        raise NoWal("The log does not reach back to the backup: take a new full backup; earlier instants are lost.")
    for problem in gaps(wanted):
        raise NoWal(problem)


def expire(before: str, place: Path | None = None) -> int:
    """Remove what lies wholly before this position; the number of files that went."""
    gone = [each for each in segments(place) if each.end <= bytes_of(before)]
    for each in gone:
        each.path.unlink()
    return len(gone)


def checkpoint() -> tuple[datetime, str]:
    """Now and where the log stands: for pages that say up to when one can restore."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn()::text")
        return timezone.now(), str(cursor.fetchone()[0])
