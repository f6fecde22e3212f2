"""Taking backups: a full or incremental base backup, or a dump, sealed while it streams and with a manifest beside it.

The manifest is the truth: `recover` works from the files alone. The row follows what happens, so that a page can show
it; a backup whose process died is found by its row and said to have failed. A backup is good only when it was restored:
see `operations.verification`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import psycopg
import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from operations import backup_keys, contents, kept_files, postgres, sealed, wal
from operations.locks import held
from operations.models import Backup, Protection
from operations.tar_watch import TarWatch

log = structlog.get_logger(__name__)
Kind, Status = Backup.Kind, Backup.Status

FORMAT = 1
MANIFEST, PG_MANIFEST = "manifest.json", "backup_manifest"
# A row that was not written to for so long belongs to a process that hangs.
SILENT_FOR = timedelta(minutes=10)
# Whoever takes one verifies it at once.
LEFT_AFTER = timedelta(minutes=1)
TELL_EVERY = 64 * 1024 * 1024
# Free space asked for before a backup begins, as a share of the database.
ROOM = 1.1


class NotTaken(Exception):
    """One sentence for an operator: why there is no backup now."""


class Cancelled(Exception):
    """An operator asked for its end."""


def folder() -> Path:
    return Path(settings.ENVIRONMENT.data) / "backups"


def place(backup: Backup) -> Path:
    return folder() / str(backup.pk)


def take(kind: str, *, now: datetime, by: User | None = None, scheduled_for: datetime | None = None) -> Backup:
    """One backup, asked for and made. Raises NotTaken, with the row saying why, when it could not be."""
    return make(request(kind, now=now, by=by, scheduled_for=scheduled_for), now=now)


def request(kind: str, *, now: datetime, by: User | None = None, scheduled_for: datetime | None = None) -> Backup:
    """A row that whoever makes backups will find."""
    try:
        with transaction.atomic():
            return Backup.objects.create(kind=kind, requested_by=by, scheduled_for=scheduled_for, requested_at=now)
    except IntegrityError as error:
        raise NotTaken("The backup of this time was asked for already.") from error


def cancel(backup: Backup, *, by: User, now: datetime) -> bool:
    """At once when it has not begun; else at its next step. False when it is done already."""
    rows = Backup.objects.filter(pk=backup.pk)
    if rows.filter(status=Status.REQUESTED).update(status=Status.CANCELLED, cancelled_by=by, cancel_asked_at=now, ended_at=now):
        return True
    return bool(rows.filter(status=Status.RUNNING).update(cancelled_by=by, cancel_asked_at=now))


def make(backup: Backup, *, now: datetime) -> Backup:
    """Make what was asked for. One at a time: the database refuses a second that runs."""
    with _alone():
        _begin(backup, now=now)
        return _made(backup)


@contextmanager
def _alone() -> Iterator[None]:
    """Held by whoever makes a backup on this machine; it goes with the process, so that a row whose lock is free is left
    by one that died."""
    with held(Path(settings.ENVIRONMENT.data, "backup.lock")) as ours:
        if not ours:
            raise NotTaken("Another backup is being made; this one waits for it.")
        yield


def _made(backup: Backup) -> Backup:
    try:
        check_room(factor=0.1 if backup.parent or backup.kind == Kind.CONFIGURATION else ROOM)
        with sealed.new_folder(place(backup)) as draft:
            manifest = _MAKERS.get(backup.kind, _base)(backup, draft)
            (draft / MANIFEST).write_text(json.dumps(manifest, indent=1))
    except Cancelled as error:
        _ended(backup, Status.CANCELLED, "")
        raise NotTaken("It was cancelled.") from error
    except (postgres.ToolProblem, backup_keys.KeyProblem, NotTaken, OSError, psycopg.Error) as error:
        _ended(backup, Status.FAILED, _sentence(error))
        raise NotTaken(_sentence(error)) from error
    except BaseException:
        _ended(backup, Status.FAILED, "It was interrupted.")
        raise
    size = sum(each.stat().st_size for each in place(backup).iterdir())
    Backup.objects.filter(pk=backup.pk).update(
        status=Status.TAKEN, taken_at=timezone.now(), step="", bytes=size, done_bytes=size, manifest=manifest
    )
    # Whoever took it may look at once for the instants it brings.
    Protection.objects.update(surveyed_at=None)
    backup.refresh_from_db()
    log.info("backup taken", backup=str(backup.pk), kind=backup.kind, bytes=size)
    return backup


def newest_base() -> Backup | None:
    """What an incremental one can build on: the latest base backup whose files are here."""
    rows = Backup.objects.kept().filter(kind__in=[Kind.FULL, Kind.INCREMENTAL])
    return next((row for row in rows if (place(row) / PG_MANIFEST).exists()), None)


def chain(backup: Backup) -> list[Backup]:
    """The full backup it rests on first, then every incremental one up to itself."""
    found = [backup]
    while found[0].parent is not None:
        found.insert(0, found[0].parent)
    return found


def fail_silent(*, now: datetime) -> int:
    """Rows of processes that died: said to have failed at once, their half-written files removed. One whose process lives and
    has written nothing for long is given up."""
    running = Backup.objects.filter(status=Status.RUNNING)
    if not running.exists():
        return 0
    try:
        with _alone():
            return _fail(list(running))
    except NotTaken:
        rows = running.filter(started_at__lt=now - SILENT_FOR)
        return _fail([row for row in rows if not _is_growing(row, now=now)])


def _fail(gone: list[Backup]) -> int:
    for row in gone:
        _ended(row, Status.FAILED, "Its process ended before it was done.")
    return len(gone)


def unverified(*, now: datetime) -> Iterator[Backup]:
    """Taken, and left by a process that died before it had restored them to see whether they are good."""
    for row in Backup.objects.filter(status=Status.TAKEN, taken_at__lt=now - LEFT_AFTER).order_by("-taken_at"):
        if place(row).is_dir() and not postgres.is_used(f"verify-{row.pk}"):
            yield row


def _is_growing(backup: Backup, *, now: datetime) -> bool:
    draft = place(backup).with_name(f"{backup.pk}.tmp")
    latest = max((each.stat().st_mtime for each in draft.glob("*")), default=0.0)
    return now.timestamp() - latest < SILENT_FOR.total_seconds()


def _begin(backup: Backup, *, now: datetime) -> None:
    if backup.kind == Kind.INCREMENTAL:
        backup.parent = newest_base()
        if backup.parent is None:
            backup.kind = Kind.FULL  # there is nothing to build on, and a full one is what was meant
    changes = {"status": Status.RUNNING, "started_at": now, "step": "beginning", "kind": backup.kind, "parent": backup.parent}
    try:
        with transaction.atomic():
            begun = Backup.objects.filter(pk=backup.pk, status=Status.REQUESTED).update(**changes)
    except IntegrityError as error:
        raise NotTaken("Another backup is being made; this one waits for it.") from error
    if not begun:
        raise NotTaken("It was begun or cancelled by somebody else.")
    backup.refresh_from_db()


def check_room(*, factor: float) -> None:
    """Free space of so many times the database, or NotTaken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        needed = int(cursor.fetchone()[0] * factor)
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(folder()).free
    if free < needed:
        raise NotTaken(
            f"The disk has {free // 1_000_000:,} MB free and this may need {needed // 1_000_000:,} MB: "
            "free some space or move the backups to a larger disk."
        )


def _base(backup: Backup, draft: Path) -> dict[str, Any]:
    major, server = postgres.server_major(), postgres.live()
    watch = TarWatch(PG_MANIFEST)
    arguments = ["--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--manifest-checksums=SHA256"]
    if backup.parent is not None:
        arguments.append(f"--incremental={place(backup.parent) / PG_MANIFEST}")
    before = _counts()
    _step(backup, "copying the server's files")
    files: list[sealed.Sealed] = []

    def take(pipe: IO[bytes]) -> None:
        files.append(sealed.write(draft / "base.tar.age", _Watched(pipe, watch), told=_teller(backup)))

    postgres.stream("pg_basebackup", *arguments, server=server, major=major, take=take)
    if watch.found is None:
        raise NotTaken("pg_basebackup sent no manifest: the backup could not be checked and was not kept.")
    # File names and hashes only; the next incremental backup is told by it what has changed.
    (draft / PG_MANIFEST).write_bytes(watch.found)
    return _manifest(backup, files, major=major) | {
        "started_from": _started_from(watch.found),
        "before": before,
        "after": _counts(),
    }


def _dump(backup: Backup, draft: Path) -> dict[str, Any]:
    """With counts and hashes out of the very snapshot that is dumped."""
    major, server = postgres.server_major(), postgres.live()
    files: list[sealed.Sealed] = []

    def take(pipe: IO[bytes]) -> None:
        files.append(sealed.write(draft / "database.dump.age", pipe, told=_teller(backup)))

    with _own_connection() as own, own.transaction():
        own.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = own.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        _step(backup, "dumping the database")
        arguments = ("--format=custom", "--compress=gzip:1", f"--snapshot={row[0]}", "--no-owner", "--no-privileges")
        postgres.stream("pg_dump", *arguments, *contents.WITHOUT_BESIDE, server=server, major=major, take=take)
        _step(backup, "counting what was dumped")
        held = contents.counted(own, deep=True)
    return _manifest(backup, files, major=major) | {"contents": held}


def _configuration(backup: Backup, draft: Path) -> dict[str, Any]:
    _step(backup, "keeping settings and files")
    plain = draft / "configuration.tar"
    with plain.open("w+b") as file:
        count = kept_files.write(file)
        file.seek(0)
        entry = sealed.write(draft / "configuration.tar.age", file, told=_teller(backup))
    plain.unlink()
    return _manifest(backup, [entry], major=postgres.server_major()) | {"kept_files": count}


_MAKERS: dict[str, Callable[[Backup, Path], dict[str, Any]]] = {Kind.DUMP: _dump, Kind.CONFIGURATION: _configuration}


def _manifest(backup: Backup, files: list[sealed.Sealed], *, major: int) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text, pg_current_wal_lsn()::text FROM pg_control_system()")
        identifier, position = cursor.fetchone()
        cursor.execute("SELECT app, max(name) FROM django_migrations GROUP BY app")
        migrations = dict(cursor.fetchall())
        cursor.execute("SHOW server_version")
        server_version = cursor.fetchone()[0]
    return {
        "format": FORMAT,
        "key": str(backup.pk),
        "kind": backup.kind,
        "parent": str(backup.parent_id) if backup.parent_id else None,
        "started_at": (backup.started_at or backup.requested_at).isoformat(),
        "finished_at": timezone.now().isoformat(),
        "server": server_version,
        "major": major,
        "tools": postgres.version(major),
        "system_identifier": identifier,
        "position": position,
        "database": postgres.live().database,
        "migrations": migrations,
        "sealed_with": str(backup_keys.recipient()),
        "files": [each.as_json for each in files],
    }


def read_manifest(key: UUID | str) -> dict[str, Any]:
    """Of the files, not of the row."""
    try:
        found = json.loads((folder() / str(key) / MANIFEST).read_text())
    except FileNotFoundError as error:
        raise sealed.Damaged("The manifest of the backup is missing.") from error
    except ValueError as error:
        raise sealed.Damaged("The manifest of the backup cannot be read.") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise sealed.Damaged("The manifest of the backup is of a kind that this release does not know.")
    return found


def _started_from(manifest: bytes) -> str:
    """The first position of the log that the copy needs, by PostgreSQL's own manifest ("WAL-Ranges")."""
    return str(min((each["Start-LSN"] for each in json.loads(manifest)["WAL-Ranges"]), key=wal.bytes_of))


def _counts() -> contents.Counts:
    with _own_connection() as own:
        return contents.counted(own, deep=False)


def _own_connection() -> psycopg.Connection[Any]:
    """Beside Django's, because it stays open for as long as the backup takes and has no statement timeout."""
    server = postgres.live()
    return psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=server.database,
        application_name="backup",
        # One processor is enough for counting; the other answers people.
        options="-c max_parallel_workers_per_gather=0",
        connect_timeout=10,
    )


class _Watched:
    """A pipe whose bytes are also shown to the watch."""

    def __init__(self, pipe: IO[bytes], watch: TarWatch) -> None:
        self.pipe, self.watch = pipe, watch

    def read(self, size: int = -1) -> bytes:
        data = self.pipe.read(size)
        self.watch.feed(data)
        return data


def _teller(backup: Backup) -> Callable[[int], None]:
    """Writes progress now and then, not with every block."""
    told = 0

    def tell(done: int) -> None:
        nonlocal told
        if done - told >= TELL_EVERY:
            told = done
            Backup.objects.filter(pk=backup.pk).update(done_bytes=done)
            _stop_if_asked(backup)

    return tell


def _step(backup: Backup, step: str) -> None:
    Backup.objects.filter(pk=backup.pk).update(step=step)
    _stop_if_asked(backup)


def _stop_if_asked(backup: Backup) -> None:
    if Backup.objects.filter(pk=backup.pk, cancel_asked_at__isnull=False).exists():
        raise Cancelled


def _ended(backup: Backup, status: str, reason: str) -> None:
    shutil.rmtree(place(backup).with_name(f"{backup.pk}.tmp"), ignore_errors=True)
    Backup.objects.filter(pk=backup.pk).update(status=status, reason=reason[:300], ended_at=timezone.now())
    log.error("backup ended without a result", backup=str(backup.pk), kind=backup.kind, status=status)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The backup could not be written: {error.strerror or type(error).__name__}."
    if isinstance(error, psycopg.Error):
        return "The database ended the connection while it was being backed up."
    return str(error)
