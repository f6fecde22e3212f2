"""Zip archives: one member after the other into a temporary file, the bad ones said and the good ones kept.

What a member declares is not believed: bytes are counted as they come out, and the whole has a limit.
"""

from __future__ import annotations

import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from knowledge.readers.kinds import BROKEN_ZIP, DAMAGED_ZIP, check_list
from knowledge.readers.suspicions import Traces, clean
from knowledge.readers.values import MOST_BYTES, USUAL, Entry, Limits, Problem, Refused

# The MedQuAD collection, the largest that is known to be imported, has 11,274 files.
MOST_MEMBERS = 20_000
MOST_UNPACKED = 1024 * 1024 * 1024
# Text packs five to one; what packs a hundred to one was made to hurt.
MOST_RATIO, FREE_OF_RATIO = 100, 1024 * 1024
_JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
_PIECE = 1 << 18


def entries(path: Path, *, limits: Limits = USUAL) -> Iterator[Entry | Problem]:
    """Members in their order. Raises Refused for a zip that cannot be read at all."""
    if path.stat().st_size > MOST_BYTES:
        raise Refused(f"This zip is larger than {MOST_BYTES // 2**20} MB. Split it into smaller ones.")
    check_list(path)
    try:
        archive = zipfile.ZipFile(path)
    except BROKEN_ZIP as error:
        raise Refused(DAMAGED_ZIP) from error
    with archive, tempfile.TemporaryDirectory(prefix="jeevo-zip-") as folder:
        members = [each for each in archive.infolist() if not each.is_dir() and not _is_junk(each.filename)]
        if not members:
            raise Refused("This zip is empty. Check that the files were packed, then upload it again.")
        if len(members) > MOST_MEMBERS:
            raise Refused(f"This zip holds {len(members):,} files; {MOST_MEMBERS:,} is the most. Split it into smaller ones.")
        yield from _members(archive, members, Path(folder) / "member")


def _members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], place: Path) -> Iterator[Entry | Problem]:
    room = MOST_UNPACKED
    for member in members:
        name = _shown(member.filename)
        reason = _objection(member)
        if reason is None:
            reason = _unpacked(archive, member, place, room=room)
        if reason is not None:
            yield Problem(name, reason)
            continue
        size = place.stat().st_size
        if zipfile.is_zipfile(place) and not _is_office(place):
            yield Problem(name, "It is a zip inside a zip. Unpack it and upload it by itself.")
            continue
        room -= size
        yield Entry(name, place, size)
        if room <= 0:
            yield Problem(
                name,
                f"The zip unpacks to more than {MOST_UNPACKED // 2**20} MB; nothing after this file was read. Split the zip.",
            )
            return


def _objection(member: zipfile.ZipInfo) -> str | None:
    """Why a member is left alone, in a sentence, or None."""
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    if not parts or parts[0] in ("/", "//") or ".." in parts or parts[0][1:2] == ":":
        return "Its name points outside the zip, so it was not read. Pack the files again."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "It is a link to another file, not a file. Pack the file itself."
    if member.flag_bits & 1:
        return "It is locked with a password. Pack it again without one."
    # The others may take gigabytes of memory for their dictionaries alone.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "It is packed in an unusual way. Pack the files again as an ordinary zip."
    if member.file_size > MOST_BYTES:
        return f"It is larger than {MOST_BYTES // 2**20} MB. Split it into smaller files."
    if _is_bomb(member.file_size, member.compress_size):
        return "It unpacks to more than a hundred times its size, as harmful files do, so it was not read."
    return None


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path, *, room: int) -> str | None:
    """Write the member to the place; a sentence where that does not work."""
    written = 0
    try:
        with archive.open(member) as packed, place.open("wb") as file:
            while piece := packed.read(_PIECE):
                written += len(piece)
                if written > min(MOST_BYTES, room) or _is_bomb(written, member.compress_size):
                    return "It unpacks to more than it declares or more than there is room for, so it was not read."
                file.write(piece)
    except BROKEN_ZIP:
        return "It is damaged inside the zip. Pack the files again."
    return None if written else "It is empty."


def _is_bomb(size: int, packed: int) -> bool:
    return size > FREE_OF_RATIO and size > MOST_RATIO * max(packed, 1)


def _is_office(place: Path) -> bool:
    try:
        with zipfile.ZipFile(place) as inner:
            return not {"[Content_Types].xml", "mimetype"}.isdisjoint(inner.NameToInfo)
    except BROKEN_ZIP:
        return False


def _is_junk(name: str) -> bool:
    return not _JUNK.isdisjoint(PurePosixPath(name).parts)


def _shown(name: str) -> str:
    return " ".join(clean(name, Traces()).split())[-300:]
