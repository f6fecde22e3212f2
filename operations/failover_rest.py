"""What the received log holds and a standby lacks: brought to it before it is promoted.

Whole pieces of the log it takes by itself. The piece that was being written is another matter: when it is promoted, a
server reads its last piece once more and prefers the archive, so that an older copy of it would undo what was streamed.
That piece is given to it only when the stream has ended and the copy was found to go further than what it has.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from operations import backup_keys, offsite, offsite_reading, postgres, servers, standby_server, wal
from operations.standby_folder import Facts, Folder
from operations.standby_server import Standing

# For what is there to be replayed.
REST_SECONDS = 60.0
_LISTEN_NO_MORE = "ALTER SYSTEM SET primary_conninfo TO ''"
_LISTEN_AGAIN = "ALTER SYSTEM RESET primary_conninfo"


@dataclass(frozen=True)
class _Growing:
    """The newest unfinished piece, and where its last record begins, in bytes; None without any beyond the standby."""

    segment: wal.Segment
    last: int


def bring(folder: Folder, facts: Facts, *, told: Callable[[str], None]) -> str:
    """A sentence for what could not be brought; nothing when all is there. The standby listens to its primary no more."""
    standing = standby_server.standing(folder, facts)
    if standing.follows:  # it has what the primary ever said
        return ""
    _configure(folder, facts, _LISTEN_NO_MORE)
    _fetch(folder, facts, standing, told)
    growing = _growing(folder, facts, standing)
    if growing is not None:
        folder.make(folder.archive.name)
        placed = folder.archive / growing.segment.path.name.removesuffix(".partial")
        shutil.copyfile(growing.segment.path, placed)
        postgres.home().give(placed)
    left, until = _left(folder, standing, growing), time.monotonic() + REST_SECONDS
    if left:
        told(f"{left} It is replayed first.")
    while left and time.monotonic() < until:
        time.sleep(0.5)
        left = _left(folder, standby_server.standing(folder, facts), growing)
    return left


def listen_again(folder: Folder, facts: Facts) -> None:
    """It was not promoted after all."""
    _configure(folder, facts, _LISTEN_AGAIN)


def _configure(folder: Folder, facts: Facts, statement: str) -> None:
    with standby_server.connect(folder, facts, "postgres") as one:
        one.execute(statement)
        one.execute("SELECT pg_reload_conf()")


def _fetch(folder: Folder, facts: Facts, standing: Standing, told: Callable[[str], None]) -> None:
    """From the copies outside, to where the standby looks."""
    if not offsite.configured():
        return
    folder.make(folder.archive.name)
    try:
        place = offsite_reading.place_of(settings.ENVIRONMENT.offsite, system=facts.system)
        offsite_reading.fetch_log(place, folder.archive, start=standing.replayed or "0/0", system=facts.system)
    except (offsite.NotOffsite, backup_keys.KeyProblem) as problem:
        told(f"The copies outside could not be looked at. {problem}")
    for each in folder.archive.iterdir():
        postgres.home().give(each)


def _growing(folder: Folder, facts: Facts, standing: Standing) -> _Growing | None:
    here = _position(standing)
    places = [wal.folder(), *([folder.archive] if folder.archive.is_dir() else [])]
    found = [each for place in places for each in wal.segments(place) if each.partial and each.end > here]
    judged = [
        _Growing(each, last) for each in found if (last := _last_record(each, facts, standing)) is not None and last >= here
    ]
    return max(judged, key=lambda each: each.last, default=None)


def _last_record(segment: wal.Segment, facts: Facts, standing: Standing) -> int | None:
    """By PostgreSQL's own reader, which wants the piece under its whole name."""
    with postgres.scratch(f"read-{segment.start}") as scratch:
        piece = scratch / segment.path.name.removesuffix(".partial")
        shutil.copyfile(segment.path, piece)
        postgres.home().give(piece)
        here = standing.replayed if segment.start <= _position(standing) < segment.end else None
        start = here or "{:X}/{:X}".format(*divmod(segment.start, 1 << 32))
        return max(map(wal.bytes_of, servers.records(piece, start=start, major=facts.major)), default=None)


def _left(folder: Folder, standing: Standing, growing: _Growing | None) -> str:
    here = _position(standing)
    places = [place for place in (wal.folder(), folder.archive) if place.is_dir()]
    ahead = [each.end for place in places for each in wal.segments(place) if each.start > here]
    if growing is not None and growing.last >= here:
        ahead.append(growing.segment.end)
    more = math.ceil((max(ahead, default=here) - here) / 1_000_000)
    return f"The received log goes further than this standby, by up to {more:,} MB." if ahead else ""


def _position(standing: Standing) -> int:
    """In bytes: what was streamed, or what was replayed from the archive."""
    return max(wal.bytes_of(each) for each in (standing.received, standing.replayed, "0/0") if each)
