"""Fetching from the copies outside when nothing else is left: manifests, the files of a base backup, and the log.

Every file is compared with its manifest before it is used. Nothing here needs a database.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.storage import storages
from django.utils.dateparse import parse_datetime

from jeevo.environment import Offsite
from operations import backups, offsite, offsite_backups, offsite_log, sealed, wal
from operations.models import Backup
from operations.models.backups import BASE_KINDS

Manifests = dict[str, dict[str, Any]]
READ = (*BASE_KINDS, Backup.Kind.CONFIGURATION)


@dataclass(frozen=True)
class Fetched:
    """`holes` are sentences: what the log lacks. It is complete up to the first of them. `received_here` are the pieces that
    came from this machine."""

    pieces: int
    holes: tuple[str, ...]
    received_here: int


def place_of(where: Offsite, *, system: str) -> offsite.Place:
    """The copies of one server; which, where there are several, the kit says."""
    storage = storages.create_storage(where.storage)
    roots = [each for each in offsite.names(offsite.Place(storage), "")[0] if each.isdigit()]
    if not roots:
        raise offsite.NotOffsite("There is no copy: check the address, and that the key may list it.")
    if system in roots:
        return offsite.Place(storage, system)
    if len(roots) > 1:
        raise offsite.NotOffsite(f"Copies of several servers lie there and the kit names none of them: {', '.join(roots)}.")
    return offsite.Place(storage, roots[0])


def manifests(place: offsite.Place) -> tuple[Manifests, list[str]]:
    """Those of whole base backups and of settings and files by key, and the keys of those that cannot be read."""
    found, damaged = Manifests(), list[str]()
    for key in offsite.names(place, offsite_backups.FOLDER)[0]:
        into = io.BytesIO()
        try:
            offsite.fetch(place, f"{offsite_backups.FOLDER}/{key}/{backups.MANIFEST}", into)
            manifest = json.loads(into.getvalue())
            if manifest["format"] == backups.FORMAT and manifest["kind"] in READ and UUID(manifest["key"]) == UUID(key):
                found[key] = manifest
        except (offsite.NotOffsite, ValueError, KeyError, TypeError):
            damaged.append(key)
    return found, damaged


def bases(found: Manifests, *, until: datetime | None) -> list[Backup]:
    """Base backups that were complete by then and whose chain is there, the newest first; rows that are in no database."""
    return [row for row in _complete(found, until=until) if row.kind in BASE_KINDS]


def files(found: Manifests, *, until: datetime | None) -> list[Backup]:
    """Settings and files as they were kept by then, the newest first."""
    return [row for row in _complete(found, until=until) if row.kind == Backup.Kind.CONFIGURATION]


def _complete(found: Manifests, *, until: datetime | None) -> list[Backup]:
    rows = []
    for key, manifest in found.items():
        finished = parse_datetime(str(manifest["finished_at"]))
        row = _row(found, key)
        if row is not None and finished is not None and (until is None or finished <= until):
            rows.append((finished, row))
    return [row for _, row in sorted(rows, key=lambda each: each[0], reverse=True)]


def _row(found: Manifests, key: str) -> Backup | None:
    manifest = found.get(key)
    if manifest is None:
        return None
    parent = _row(found, str(manifest["parent"])) if manifest["parent"] else None
    if manifest["parent"] and parent is None:
        return None
    return Backup(pk=UUID(key), kind=manifest["kind"], parent=parent, manifest=manifest)


def fetch_backup(place: offsite.Place, backup: Backup) -> None:
    """Into the folder of backups, where the recovered service will look for it; what is there and whole is kept."""
    final = backups.place(backup)
    if final.exists():
        with contextlib.suppress(sealed.Damaged):
            _check(final, backup)
            return
        shutil.rmtree(final)
    shutil.rmtree(final.with_name(final.name + ".tmp"), ignore_errors=True)
    folder = f"{offsite_backups.FOLDER}/{backup.pk}"
    with sealed.new_folder(final) as draft:
        for name in offsite.names(place, folder)[1]:
            with (draft / Path(name).name).open("wb") as file:
                offsite.fetch(place, f"{folder}/{name}", file)
        _check(draft, backup)


def _check(folder: Path, backup: Backup) -> None:
    for each in backup.manifest["files"]:
        entry = sealed.Sealed(**each)
        sealed.check(folder / Path(entry.name).name, expected=entry)


def fetch_log(place: offsite.Place, into: Path, *, start: str, system: str) -> Fetched:
    """Every piece from this position on, opened, and the newest of the one that was being written; what was received here of
    this server (its `system_identifier`) and had not gone out is added."""
    names, unread = offsite.names(place, offsite_log.FOLDER)[1], dict[str, str]()
    first = wal.name_of(start, size=_segment_bytes(place, names))
    for name in names:
        found = offsite_log.NAME.match(name)
        if found and (found["piece"].endswith(".history") or found["piece"][8:] >= first):
            try:
                (into / found["piece"]).write_bytes(_opened(place, f"{offsite_log.FOLDER}/{name}"))
            except offsite.NotOffsite as problem:
                unread[found["piece"]] = str(problem)
    _fetch_growing(place, into, first=first)
    here = _add_received(into, start=start, system=system)
    holes = [f"{piece}: {problem}" for piece, problem in unread.items() if not (into / piece).exists()]
    holes += list(wal.gaps([each for each in wal.segments(into) if each.end > wal.bytes_of(start)]))
    return Fetched(len(wal.segments(into)), tuple(holes), here)


def _segment_bytes(place: offsite.Place, names: Sequence[str]) -> int:
    """By the newest whole piece that opens; where three do not, the usual size, with which more than is needed is fetched."""
    for name in sorted((each for each in names if not each.endswith(".history.age")), reverse=True)[:3]:
        with contextlib.suppress(offsite.NotOffsite):
            size = wal.bytes_said(_opened(place, f"{offsite_log.FOLDER}/{name}"))
            if size is not None:
                return size
    return wal.USUAL_BYTES


def _add_received(into: Path, *, start: str, system: str) -> int:
    """The disk of the database may be gone and that of the received log whole. What lies outside was read back and comes
    first; of the piece that was being written the one here is never the older."""
    taken = 0
    for each in wal.segments():
        whole = into / each.path.name.removesuffix(".partial")
        if each.end <= wal.bytes_of(start) or whole.exists() or wal.system_of(each.path) != system:
            continue
        shutil.copyfile(each.path, into / each.path.name)
        if not each.partial:
            whole.with_name(f"{whole.name}.partial").unlink(missing_ok=True)
        taken += 1
    for history in wal.histories() if taken else ():
        if not (into / history.name).exists():
            shutil.copyfile(history, into / history.name)
    return taken


def _fetch_growing(place: offsite.Place, into: Path, *, first: str) -> None:
    """The newest that opens: a kill in mid-copy may have left a half one."""
    for name in reversed(offsite.names(place, offsite_log.GROWING)[1]):
        found = offsite_log.NAME.match(name)
        if not found or found["piece"][8:] < first or (into / found["piece"]).exists():
            continue
        try:
            data = _opened(place, f"{offsite_log.GROWING}/{name}")
        except offsite.NotOffsite:
            continue
        (into / f"{found['piece']}.partial").write_bytes(data)
        return


def _opened(place: offsite.Place, name: str) -> bytes:
    into = io.BytesIO()
    offsite.fetch(place, name, into)
    return offsite_log.unpacked(into.getvalue())


def cut_at_first_hole(folder: Path, *, start: str) -> None:
    """Take away what lies behind a hole: PostgreSQL would stop there all the same, and must not begin behind it."""
    expected, broken = wal.bytes_of(start), False
    for each in wal.segments(folder):
        broken = broken or each.start > expected
        if broken:
            each.path.unlink()
        expected = max(expected, each.start if each.partial else each.end)
