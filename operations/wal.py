"""Every change as it happens: pg_receivewal writes the server's log beside it, so that any instant can be restored.

The receiver runs under a slot, so that the server keeps what it has not yet taken; a slot that falls too far behind
would fill the disk and is watched. What is received lies in the servers' own folder, as plain segments.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from django.db import connection
from django.utils import timezone

from operations import postgres

# Also the name that commits wait for.
SLOT = "jeevo_receiver"
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
    timeline: int
    number: int
    partial: bool
    path: Path


def folder() -> Path:
    return postgres.home().make("wal")


@contextmanager
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
    found = []
    for path in (place or folder()).iterdir():
        name = _SEGMENT.match(path.name)
        if name:
            number = int(name[2], 16) * 0x100 + int(name[3], 16)
            found.append(Segment(int(name[1], 16), number, bool(name[4]), path))
    return sorted(found, key=lambda each: (each.timeline, each.number, each.partial))


def histories() -> list[Path]:
    """Where one timeline left another."""
    return sorted(each for each in folder().iterdir() if each.suffix == ".history")


def system_of(piece: Path) -> str:
    """The `system_identifier` of the server that wrote this piece, from the header of its first page (XLogLongPageHeaderData);
    recovery would stop at a piece of another server."""
    with piece.open("rb") as file:
        head = file.read(32)
    return str(int.from_bytes(head[24:32], sys.byteorder))


def gaps(found: list[Segment]) -> Iterator[str]:
    """A sentence for each hole. Only the last segment of a timeline may be one that is still being written."""
    for before, after in pairwise(found):
        if after.timeline != before.timeline:
            continue
        if after.number > before.number + 1:
            missing = after.number - before.number - 1
            pieces = "1 piece of the log is" if missing == 1 else f"{missing} pieces of the log are"
            yield f"{pieces} missing after {before.path.name}."
        if before.partial and after.number > before.number:
            yield f"{before.path.name} was never finished."


def bytes_of(position: str) -> int:
    """A position such as 0/3000028 as the number of bytes that were ever written before it."""
    upper, lower = (int(part, 16) for part in position.split("/"))
    return upper << 32 | lower


def number_of(position: str) -> int:
    """Of the piece that holds this position, such as 0/3000028."""
    return bytes_of(position) >> 24


def unbroken_from(start: str, place: Path | None = None) -> None:
    """Raises NoWal unless the received log goes on without a hole from this position, such as 0/3000028."""
    number = number_of(start)
    wanted = [each for each in segments(place) if each.number >= number]
    if not wanted or wanted[0].number > number:
        raise NoWal("The log does not reach back to the backup: take a new full backup; earlier instants are lost.")
    for problem in gaps(wanted):
        raise NoWal(problem)


def expire(before: str, place: Path | None = None) -> int:
    """Remove what lies wholly before this position; the number of files that went."""
    number = number_of(before)
    gone = [each for each in segments(place) if each.number < number]
    for each in gone:
        each.path.unlink()
    return len(gone)


def checkpoint() -> tuple[datetime, str]:
    """Now and where the log stands: for pages that say up to when one can restore."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn()::text")
        return timezone.now(), str(cursor.fetchone()[0])
