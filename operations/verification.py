"""A backup is good when it was restored: into a scratch server nobody can reach, laid beside what it should hold.

A base backup is checked file by file against PostgreSQL's own manifest (`pg_verifybackup` of the wheel crashes), started,
recovered, and counted. A dump is restored into a new cluster and every row of every table is compared by hash. The live
database is not touched by any of it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import structlog
from django.utils import timezone

from operations import backup_keys, backups, contents, kept_files, postgres, sealed
from operations.models import Backup

log = structlog.get_logger(__name__)
BLOCK = 1024 * 1024
STEP = "restoring it to check it"
# Of what is in the files: the parts and what they are put together to; a dump grows when it is loaded. And an empty server with
# its log.
ROOM, SMALLEST_SERVER = 3, 150_000_000


class NotGood(Exception):
    """One sentence: what is wrong with the backup."""


class NotLooked(NotGood):
    """One sentence: why it could not be restored here now. The backup may be as good as any."""


@dataclass(frozen=True)
class Verified:
    tables: contents.Counts
    seconds: float


def verify(backup: Backup, *, now: datetime) -> Verified:
    """Restore it and compare; the row becomes `verified`, or `failed` with the reason, and NotGood is raised. Where there is no
    room to restore it the row stays as it was, with the reason, and NotLooked is raised."""
    began = timezone.now()
    Backup.objects.filter(pk=backup.pk).update(step=STEP)
    try:
        _check_room(backup)
        tables = _VERIFIERS.get(backup.kind, _base)(backup)
    except (NotLooked, OSError) as error:
        why = str(error) if isinstance(error, NotLooked) else f"It could not be restored here: {error.strerror}."
        Backup.objects.filter(pk=backup.pk).update(step="", reason=why[:300])
        log.error("backup could not be verified", backup=str(backup.pk), kind=backup.kind)
        raise NotLooked(why) from error
    except (NotGood, sealed.Damaged, postgres.ToolProblem, backup_keys.KeyProblem) as error:
        Backup.objects.filter(pk=backup.pk).update(
            status=Backup.Status.FAILED, step=STEP, reason=str(error)[:300], ended_at=timezone.now()
        )
        log.error("backup is not good", backup=str(backup.pk), kind=backup.kind)
        raise NotGood(str(error)) from error
    seconds = (timezone.now() - began).total_seconds()
    Backup.objects.filter(pk=backup.pk).update(
        status=Backup.Status.VERIFIED,
        step="",
        reason="",
        verified_at=now,
        verification={"tables": tables, "seconds": round(seconds, 1)},
    )
    log.info("backup verified", backup=str(backup.pk), kind=backup.kind)
    return Verified(tables, seconds)


def _check_room(backup: Backup) -> None:
    """A copy on a disk that runs full looks like a bad one."""
    held = sum(int(entry["plain_bytes"]) for each in backups.chain(backup) for entry in backups.read_manifest(each.pk)["files"])
    needed = ROOM * held + (0 if backup.kind == Backup.Kind.CONFIGURATION else SMALLEST_SERVER)
    free = shutil.disk_usage(postgres.home().make("scratch")).free
    if free < needed:
        raise NotLooked(
            f"The disk has {free // 1_000_000:,} MB free and restoring it to check it may need {needed // 1_000_000:,} MB: free "
            "some space; it is checked then."
        )


def _dump(backup: Backup) -> contents.Counts:
    manifest = backups.read_manifest(backup.pk)
    with postgres.scratch(f"verify-{backup.pk}") as place:
        cluster = postgres.new_cluster(place, major=manifest["major"])
        with postgres.started(cluster, major=manifest["major"], options=QUICK) as server:
            with server.connect("postgres") as one:
                one.execute("CREATE DATABASE restored")
            with server.connect("restored") as one:
                # A dump leaves it out where the server's template brings it.
                one.execute("CREATE EXTENSION IF NOT EXISTS vector")
            load_dump(backup, manifest, server=server.server("restored"))
            with server.connect("restored") as one:
                found = contents.counted(one, deep=True)
    _compare(contents.differences(manifest["contents"], found))
    return found


# A scratch server that may lose everything at any moment need not wait for the disk.
QUICK = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
}


def load_dump(backup: Backup, manifest: dict[str, Any], *, server: postgres.Server) -> None:
    entry = sealed.Sealed(**manifest["files"][0])

    def give(pipe: IO[bytes]) -> None:
        sealed.read(backups.place(backup) / entry.name, pipe, expected=entry)

    arguments = ("--dbname=" + server.database, "--no-owner", "--no-privileges", "--exit-on-error")
    # The password, were there one, would be in the environment.
    postgres.feed("pg_restore", *arguments, server=server, major=manifest["major"], give=give)


def _base(backup: Backup) -> contents.Counts:
    manifest = backups.read_manifest(backup.pk)
    with postgres.scratch(f"verify-{backup.pk}") as place:
        cluster = materialise(backup, place)
        running = postgres.started(cluster, major=manifest["major"], options=QUICK)
        with running as server, server.connect(manifest["database"]) as one:
            found = contents.counted(one, deep=False)
    _compare(contents.between(manifest["before"], manifest["after"], found))
    return found


def _configuration(backup: Backup) -> contents.Counts:
    with postgres.scratch(f"verify-{backup.pk}") as place:
        return {"files": {"rows": unpack_files(backup, place)}}


def unpack_files(backup: Backup, place: Path) -> int:
    """Settings and files into `unpacked` in this folder, every one compared with its hash; how many."""
    entry = sealed.Sealed(**backups.read_manifest(backup.pk)["files"][0])
    plain = place / "configuration.tar"
    with plain.open("wb") as file:
        sealed.read(backups.place(backup) / entry.name, file, expected=entry)
    try:
        return kept_files.check(plain, place / "unpacked")
    except kept_files.NotKept as problem:
        raise NotGood(str(problem)) from problem


_VERIFIERS: dict[str, Callable[[Backup], contents.Counts]] = {Backup.Kind.DUMP: _dump, Backup.Kind.CONFIGURATION: _configuration}


def materialise(backup: Backup, place: Path) -> Path:
    """The data directory of a base backup, put together from its whole chain, every file checked against its manifest."""
    parts = [_unpacked(each, place / f"part-{number}") for number, each in enumerate(backups.chain(backup))]
    if len(parts) == 1:
        return parts[0]
    cluster = place / "cluster"
    major = backups.read_manifest(backup.pk)["major"]
    postgres.run_as_server("pg_combinebackup", *map(str, parts), f"--output={cluster}", "--no-sync", major=major)
    return cluster


class _Tar(tarfile.TarFile):
    """Its files go to the disk piece by piece: a large one that goes there at its end holds up every commit."""

    def makefile(self, tarinfo: tarfile.TarInfo, targetpath: Any) -> None:
        source = self.extractfile(tarinfo)
        assert source is not None  # only for a file is this called
        with open(targetpath, "wb") as file:
            shutil.copyfileobj(source, sealed.Steady(file), BLOCK)


def _unpacked(backup: Backup, target: Path) -> Path:
    home = postgres.home()
    target.mkdir(mode=0o700)
    entry = sealed.Sealed(**backups.read_manifest(backup.pk)["files"][0])
    try:
        with (
            sealed.stream(backups.place(backup) / entry.name, expected=entry) as file,
            _Tar.open(fileobj=file, mode="r|", bufsize=BLOCK) as tar,
        ):
            tar.extractall(target, filter="data")
    except tarfile.TarError as error:
        raise NotGood(f"{entry.name} holds no archive that can be unpacked.") from error
    for each in (target, *target.rglob("*")):
        each.chmod(0o700 if each.is_dir() else 0o600)
        home.give(each)
    check_files(target)
    return target


def check_files(cluster: Path) -> None:
    """Every file that PostgreSQL's manifest names, with its size and SHA-256, as `pg_verifybackup` would."""
    try:
        named = json.loads((cluster / backups.PG_MANIFEST).read_text())["Files"]
    except (OSError, ValueError, KeyError) as error:
        raise NotGood("PostgreSQL's own manifest is missing or cannot be read.") from error
    for each in named:
        path = cluster / str(each["Path"])
        if not path.is_file() or path.stat().st_size != each["Size"] or _sha256(path) != each["Checksum"]:
            raise NotGood(f"The file {each['Path']} of the server is not what it was when it was copied.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()


def _compare(told: list[str]) -> None:
    if told:
        more = f", and {len(told) - 3} more" if len(told) > 3 else ""
        raise NotGood(f"The restored copy differs: {'; '.join(told[:3])}{more}.")
