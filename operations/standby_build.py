"""Building a standby: the newest verified base backup and the received log, and from there the live server's own stream.

The live server is asked for nothing but a slot and what it wrote since its last checkpoint, so that it is not loaded.
What fails half-way takes its slot away again: an abandoned one would keep the log until the disk is full.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from operations import (
    backup_keys,
    backups,
    offsite,
    offsite_reading,
    postgres,
    sealed,
    standby_folder,
    standby_server,
    standbys,
    tiers,
    verification,
    wal,
)
from operations.models import Backup, Standby
from operations.phrases import count
from operations.standby_folder import Facts, Folder, NoStandby

Report = Callable[[str], None]
# Unpacked beside the parts that it is put together from.
ROOM = 3
# Until the piece of the log before the slot's own lies in the archive.
ARCHIVE_SECONDS = 60.0
_HOST = re.compile(r"^[A-Za-z0-9.:_*-]+$")
_PRIMARY = """
    SELECT (SELECT system_identifier::text FROM pg_control_system()),
           (SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1),
           current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),
           current_setting('max_slot_wal_keep_size'), current_database(), pg_is_in_recovery()
"""


@dataclass(frozen=True)
class Wanted:
    """`listen` and `networks`: who may reach it once it was promoted. `primary`: where it finds its primary, when that is
    not where our settings do. `fresh`: copy the live server itself."""

    folder: Path
    name: str = "one"
    port: int = 5433
    listen: str = "127.0.0.1"
    networks: tuple[str, ...] = ()
    primary: tuple[str, str] | None = None
    fresh: bool = False


@dataclass(frozen=True)
class Created:
    standing: standby_server.Standing
    seconds: float
    to_do: tuple[str, ...]


def create(wanted: Wanted, *, now: datetime, report: Report) -> Created:
    began = time.monotonic()

    def told(words: str) -> None:
        report(f"{time.monotonic() - began:6.1f} s  {words}")

    folder = Folder(wanted.folder.resolve())
    facts, limits, to_do = _preflight(wanted, folder, now=now)
    with _slot(facts, now=now) as reserved, _own_folder(folder):
        told("The live server keeps its log for the standby from now on.")
        folder.write(folder.passfile, standby_folder.pass_line(facts.connection, postgres.live().password))
        archive = wal.folder()
        if wanted.fresh:
            told("Copying the live server ...")
            _fresh(folder, facts)
        else:
            base = _built(folder, told)
            archive = _archive(folder, base, reserved, told)
        standby_folder.configure(folder, facts, limits=limits, archive=archive, networks=wanted.networks)
        folder.keep(facts)
        standby_server.start(folder, facts)
        told("Its server is up, and replays the log.")
        standing = standby_server.follow(folder, facts, told=told)
        told(f"It follows, {standing.behind_bytes:,} bytes behind.")
        to_do = (*to_do, *_other_system(folder, facts), *_other_disk(folder))
        Standby.objects.filter(name=facts.name).update(state=Standby.State.FOLLOWING, since=timezone.now())
    return Created(standing, time.monotonic() - began, to_do)


def _preflight(wanted: Wanted, folder: Folder, *, now: datetime) -> tuple[Facts, Mapping[str, str], tuple[str, ...]]:
    slot = standbys.slot_of(wanted.name)
    if not all(map(_HOST.match, (wanted.listen, *(wanted.primary or ())))):
        raise NoStandby("An address is a name or a number such as 10.0.0.5.")
    standby_folder.check(folder.path, port=wanted.port)
    if Standby.objects.filter(slot=slot).exists() or standbys.slots([slot]):
        raise NoStandby(
            f"There is or was a standby named {wanted.name}: name another with --name, "
            f"or take that one away with `manage.py standby remove {wanted.name}`."
        )
    tier = tiers.detect()
    if tier.letter != "A":
        raise NoStandby(f"No standby can follow this server. {' '.join(tier.reasons)}")
    with connection.cursor() as cursor:
        cursor.execute(_PRIMARY)
        system, superuser, free_slots, limit, database, is_standby = cursor.fetchone()
        cursor.execute(
            "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)", [list(standby_folder.LIKE_PRIMARY)]
        )
        limits: dict[str, str] = dict(cursor.fetchall())
    if is_standby:
        raise NoStandby("This server is a standby itself: build from its primary.")
    if free_slots < 1:
        raise NoStandby("The server has no free slot: raise max_replication_slots and restart it.")
    major = postgres.server_major()
    facts = Facts(
        wanted.name, slot, system, major, wanted.port, wanted.listen, superuser, database, _reached(wanted), now.isoformat()
    )
    told = [_UNLIMITED] if limit == "-1" else []
    if facts.connection.get("sslmode", "prefer") not in ("disable", "allow", "prefer"):
        told.append(_ENCRYPTED)
    return facts, limits, tuple(told)


_ENCRYPTED = (
    "The service asks its database for encryption, and the standby has no certificate yet: put server.crt and server.key "
    "into `postgres` in its folder, set ssl = on in the postgresql.conf there, then `standby stop` and `standby start`."
)
_UNLIMITED = (
    "The live server keeps its log for the standby without a limit: should it stay away, the disk fills up and the "
    "service stops. Set max_slot_wal_keep_size (10GB, say) on that server."
)


def _reached(wanted: Wanted) -> dict[str, str]:
    """How a server reaches the one that Django is connected to, encryption included."""
    server, known = postgres.live(), connection.get_connection_params()
    host, port = wanted.primary or (server.host, server.port)
    also = {name: str(known[name]) for name in ("sslmode", "sslrootcert") if known.get(name)}
    return {"host": host, "port": port, "user": server.user, **also}


@contextlib.contextmanager
def _slot(facts: Facts, *, now: datetime) -> Iterator[str]:
    """The slot, and where the log that it keeps begins. It goes again when the block ends badly; where not even that can be
    done, the row is there, and the watcher tells of one that was never built."""
    values: dict[str, Any] = {"slot": facts.slot, "address": f"{facts.listen}:{facts.port}", "created_at": now, "since": now}
    Standby.objects.create(name=facts.name, state=Standby.State.BUILDING, **values)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_create_physical_replication_slot(%s, true)", [facts.slot])
            cursor.execute("SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = %s", [facts.slot])
            reserved = str(cursor.fetchone()[0])
        yield reserved
    except BaseException:
        with contextlib.suppress(standbys.NoSuchStandby, DatabaseError):
            standbys.remove(facts.name)
        raise


@contextlib.contextmanager
def _own_folder(folder: Folder) -> Iterator[None]:
    """Made here, and emptied again when the block ends badly; the server's own log stays, because it says why."""
    folder.make("logs")
    try:
        yield
    except BaseException:
        standby_server.stop(folder)
        for each in folder.path.iterdir():
            if each.is_dir() and each != folder.logs:
                shutil.rmtree(each, ignore_errors=True)
            elif each.is_file() and each.name != "start.log":
                each.unlink()
        raise


def _fresh(folder: Folder, facts: Facts) -> None:
    conninfo = standby_folder.conninfo(folder, facts)
    arguments = (f"--dbname={conninfo}", f"--pgdata={folder.cluster}", "--wal-method=stream", "--checkpoint=fast")
    postgres.run_as_server("pg_basebackup", *arguments, f"--slot={facts.slot}", "--no-password", major=facts.major)


def _built(folder: Folder, told: Report) -> Backup:
    """The data directory out of the newest verified base backup that is whole."""
    rows = Backup.objects.bases().filter(status=Backup.Status.VERIFIED).order_by("-taken_at")
    if not rows:
        raise NoStandby(
            "No base backup was verified yet: take one with `manage.py backup take full`, or say --fresh to copy the live server."
        )
    for number, base in enumerate(rows):
        place = folder.path / f"build-{number}"
        folder.make(place.name)
        told(f"Unpacking the base backup of {base.taken_at:%Y-%m-%d %H:%M:%S} UTC, and checking every file ...")
        try:
            _here(base)
            _room(folder.path, base)
            cluster = verification.materialise(base, place)
        except (sealed.Damaged, verification.NotGood, offsite.NotOffsite, backup_keys.KeyProblem) as problem:
            told(f"It is not good: {problem} An older one is tried.")
            shutil.rmtree(place, ignore_errors=True)
            continue
        cluster.rename(folder.cluster)
        shutil.rmtree(place, ignore_errors=True)
        return base
    raise NoStandby("No verified base backup is whole; the lines above say why. Take a full one, or say --fresh.")


def _here(base: Backup) -> None:
    """The files of its chain, from the copies outside where they are not on this machine."""
    for each in backups.chain(base):
        if not backups.place(each).is_dir():
            if not offsite.configured():
                raise sealed.Damaged("Its files are not on this machine, and OFFSITE_URL names no copies.")
            offsite_reading.fetch_backup(offsite.ours(), each)


def _room(place: Path, base: Backup) -> None:
    needed = ROOM * sum(int(entry["plain_bytes"]) for each in backups.chain(base) for entry in each.manifest["files"])
    free = shutil.disk_usage(place).free
    if free < needed:
        raise NoStandby(f"The disk has {free // 1_000_000:,} MB free and this may need {needed // 1_000_000:,} MB.")


def _archive(folder: Folder, base: Backup, reserved: str, told: Report) -> Path:
    """A folder with the log from the base backup up to where the live server keeps it for us."""
    manifest = backups.read_manifest(base.pk)
    start, system = str(manifest["started_from"]), str(manifest["system_identifier"])
    until = time.monotonic() + ARCHIVE_SECONDS
    while True:
        try:
            _reaches(wal.folder(), start, reserved)
            return wal.folder()
        except wal.NoWal as problem:
            missing = problem
        if offsite.configured():
            folder.make(folder.archive.name)
            fetched = offsite_reading.fetch_log(offsite.ours(), folder.archive, start=start, system=system)
            told(f"{count(fetched.pieces, 'piece', 'pieces')} of the log were fetched from outside.")
            with contextlib.suppress(wal.NoWal):
                _reaches(folder.archive, start, reserved)
                for each in folder.archive.iterdir():
                    postgres.home().give(each)
                return folder.archive
        if time.monotonic() > until:
            raise NoStandby(f"{missing} Take a full backup and try again, or say --fresh to copy the live server.")
        time.sleep(1)


def _reaches(place: Path, start: str, reserved: str) -> None:
    """Raises NoWal unless every piece lies there from the one position up to the piece that holds the other."""
    begin = wal.bytes_of(reserved)
    begin -= begin % wal.segment_bytes(place)
    if begin <= wal.bytes_of(start):
        return
    wal.unbroken_from(start, place)
    if max((each.end for each in wal.segments(place) if not each.partial), default=0) < begin:
        raise wal.NoWal("The received log ends before the one that the live server keeps: does `manage.py operator` run?")


def _other_system(folder: Folder, facts: Facts) -> tuple[str, ...]:
    """Text is ordered by the system's library; with another version of it the indexes of the copy are wrong."""
    with contextlib.suppress(psycopg.Error), standby_server.connect(folder, facts) as one:
        if one.execute(standby_server.OTHER_COLLATIONS).fetchone():
            return (
                "This machine orders text otherwise than the live server's does: use the same release of the operating "
                "system, or rebuild the indexes after a promotion (REINDEX DATABASE).",
            )
    return ()


def _other_disk(folder: Folder) -> tuple[str, ...]:
    if settings.ENVIRONMENT.database_url is not None or same_disk(folder):
        return ()
    return (
        "It lies on another disk than Jeevo's own server and cannot take its place by a rename: after a promotion it stays "
        "where it is, and DATABASE_URL and REDIS_URL must name servers.",
    )


def same_disk(folder: Folder) -> bool:
    """Whether it could take the place of the server that Jeevo runs itself by a rename."""
    return folder.path.stat().st_dev == postgres.own_cluster().parent.stat().st_dev
