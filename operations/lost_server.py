"""A server that is gone, built anew from the copies outside and the recovery kit: the keys, a base backup, the log since.

Needs no database and no running service. What lies here is moved away at most, never overwritten, and nothing is put in
its place before it was started, recovered and looked at. The first thing the new service does is a full backup: its log
goes on along a new line, on which the older backups cannot be continued.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from psycopg import sql
from psycopg.types.json import Jsonb

from jeevo.environment import Offsite
from jeevo.fields import unseal
from operations import (
    after_loss,
    contents,
    erasure_record,
    erasures,
    kit_keys,
    lost_files,
    offsite,
    offsite_erasures,
    offsite_reading,
    postgres,
    sealed,
    verification,
    wal,
)
from operations.erasure_record import Entry
from operations.first_backup import owe
from operations.models import Backup
from operations.phrases import count
from operations.recovery_kit import Kit

Report = Callable[[str], None]
# As the embedded server has it: our account by its password, from this machine only.
HBA = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
host replication all ::1/128 scram-sha-256
"""
_NO_RECORD = (
    "The record of who was erased cannot be read, so they might come back. See docs/erasure.md; --without-erasures goes on "
    "without it."
)
_LOST = "The server was lost; whether it went out is not known."


class NotRecovered(Exception):
    """One sentence: what stands in the way, and what to do."""


@dataclass(frozen=True)
class Wanted:
    """`to`: None is all there is. `before_hole`: go without what lies behind a hole of the log. `without_erasures`: although
    it is not known who was erased."""

    to: datetime | None
    source: Offsite
    kit: Kit
    replace: bool = False
    before_hole: bool = False
    without_erasures: bool = False


@dataclass(frozen=True)
class Recovered:
    base: Backup
    rows: int
    last_commit: datetime | None
    seconds: float
    to_do: tuple[str, ...]


def recover(wanted: Wanted, *, now: datetime, report: Report) -> Recovered:
    began = time.monotonic()

    def told(words: str) -> None:
        report(f"{time.monotonic() - began:6.1f} s  {words}")

    _preflight(wanted, now=now)
    to_do = kit_keys.put_back(wanted.kit, now=now)
    told("The keys of the kit are in their place.")
    place = offsite_reading.place_of(wanted.source, system=wanted.kit.system)
    erased = _erased(place, wanted, told)
    found, damaged = offsite_reading.manifests(place)
    told(f"{count(len(found), 'backup lies', 'backups lie')} outside." + (f" {len(damaged)} cannot be read." if damaged else ""))
    candidates = offsite_reading.bases(found, until=wanted.to)
    if not candidates:
        raise NotRecovered(_none(offsite_reading.bases(found, until=None)))
    _clear_leftovers()
    with postgres.scratch(f"recover-{now:%Y%m%d%H%M%S}") as scratch:
        base, cluster = _built(place, candidates, scratch, told)
        log = _log(place, scratch, base, wanted, told)
        rows, last = _recovered(cluster, log, base, wanted, erased, told)
        told(lost_files.bring_back(place, offsite_reading.files(found, until=wanted.to), scratch))
        put_in_place(cluster, now=now)
    if erased:
        erasure_record.replace(erased)
    owe(now=now)
    if aside := moved_aside(now):
        told(f"What was here lies in {', '.join(str(path) for path in aside)}; delete it when it is no longer needed.")
    told("The data directory is in its place; the service will take a full backup first.")
    return Recovered(base, rows, last, time.monotonic() - began, to_do)


def _preflight(wanted: Wanted, *, now: datetime) -> None:
    if settings.ENVIRONMENT.database_url:
        raise NotRecovered(
            "DATABASE_URL names a server of your own: take it and REDIS_URL out of .env for this; what is rebuilt is the "
            "server that Jeevo runs itself. The runbook says how to move it to yours afterwards."
        )
    if wanted.to is not None and wanted.to > now:
        raise NotRecovered("This instant has not come yet.")
    cluster = postgres.own_cluster()
    if postgres.works_in(cluster):
        raise NotRecovered("Jeevo's database runs here: stop it first (`make stop`) and wait until it has ended.")
    if cluster.exists() and not wanted.replace:
        raise NotRecovered(f"{cluster} holds a database already: say --replace to move it aside, or use an empty data folder.")


def _none(whole: list[Backup]) -> str:
    if not whole:
        return "No whole base backup lies outside; nothing can be rebuilt from there."
    first = whole[-1].manifest["finished_at"]
    return f"No base backup is as old as that. The earliest instant is {datetime.fromisoformat(first):%Y-%m-%d %H:%M:%S} UTC."


def _erased(place: offsite.Place, wanted: Wanted, told: Report) -> list[Entry]:
    """The record of erasures, as it lies outside or here, whichever goes on longer."""
    if wanted.without_erasures:
        told("The record of erasures is not looked at: people who were erased may be back.")
        return []
    try:
        outside, here = offsite_erasures.fetch(place), erasure_record.read()
    except (offsite.NotOffsite, erasure_record.Damaged) as problem:
        raise NotRecovered(f"{_NO_RECORD} ({problem})") from problem
    shorter, longer = sorted((outside, here), key=len)
    if longer[: len(shorter)] != shorter:
        raise NotRecovered(f"The record of erasures here is not that of the copies: move {erasure_record.path()} away first.")
    if longer:
        told(f"{count(len(longer), 'erasure is', 'erasures are')} in the record; whoever was erased stays so.")
    return longer


def _clear_leftovers() -> None:
    """Of a recovery that was killed; what it fetched is kept and used."""
    for each in postgres.home().make("scratch").glob("recover-*"):
        shutil.rmtree(each, ignore_errors=True)


def _built(place: offsite.Place, candidates: list[Backup], scratch: Path, told: Report) -> tuple[Backup, Path]:
    """The newest that is whole; an older one rests on more of the log and brings back the same."""
    for number, base in enumerate(candidates):
        chain = _chain(base)
        told(f"Fetching the backup of {base.manifest['finished_at'][:19]} UTC in {len(chain)} part(s) ...")
        try:
            for each in chain:
                offsite_reading.fetch_backup(place, each)
            room(scratch, chain)
            folder = postgres.home().make(str((scratch / f"try-{number}").relative_to(postgres.home().folder)))
            cluster = verification.materialise(base, folder)
        except (sealed.Damaged, verification.NotGood, offsite.NotOffsite) as problem:
            told(f"It is not good: {problem} An older one is tried.")
            continue
        told("Every file is what it was when it was copied.")
        return base, cluster
    raise NotRecovered("No base backup outside is whole; the lines above say why. The dumps may still be: see the runbook.")


def _chain(base: Backup) -> list[Backup]:
    found = [base]
    while found[0].parent is not None:
        found.insert(0, found[0].parent)
    return found


def room(scratch: Path, chain: list[Backup]) -> None:
    """The parts, what they are put together to, and as much again for what comes after."""
    needed = 3 * sum(int(entry["plain_bytes"]) for each in chain for entry in each.manifest["files"])
    free = shutil.disk_usage(scratch).free
    if free < needed:
        raise NotRecovered(f"The disk has {free // 1_000_000:,} MB free and this may need {needed // 1_000_000:,} MB.")


def _log(place: offsite.Place, scratch: Path, base: Backup, wanted: Wanted, told: Report) -> Path:
    folder = postgres.home().make(str((scratch / "log").relative_to(postgres.home().folder)))
    start = str(base.manifest["started_from"])
    system = str(base.manifest["system_identifier"])
    fetched = offsite_reading.fetch_log(place, folder, start=start, system=system)
    told(f"{fetched.pieces} pieces of the log are here.")
    if fetched.received_here:
        told(f"{count(fetched.received_here, 'of them was', 'of them were')} received here and had not gone out whole.")
    for hole in fetched.holes:
        told(hole)
    if fetched.holes:
        if wanted.to is None and not wanted.before_hole:
            raise NotRecovered("The log has a hole: say --before-hole to bring back what was kept up to there.")
        offsite_reading.cut_at_first_hole(folder, start=start)
    for each in folder.iterdir():
        postgres.home().give(each)
    return folder


def _options(log: Path, to: datetime | None) -> dict[str, str]:
    archive = str(log).replace("'", "'\\''")
    fetch = f"cp '{archive}/%f' '%p' 2>/dev/null || cp '{archive}/%f.partial' '%p'"
    stop = {"recovery_target_time": to.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")} if to else {}
    return stop | {"restore_command": fetch, "recovery_target_inclusive": "on", "recovery_target_action": "promote"}


def _recovered(
    cluster: Path, log: Path, base: Backup, wanted: Wanted, erased: list[Entry], told: Report
) -> tuple[int, datetime | None]:
    (cluster / "recovery.signal").touch()
    postgres.home().give(cluster / "recovery.signal")
    database = str(base.manifest["database"])
    try:
        with postgres.started(cluster, major=base.manifest["major"], options=_options(log, wanted.to)) as server:
            told("The log was replayed.")
            with server.connect(database) as one:
                row = one.execute("SELECT pg_last_xact_replay_timestamp()").fetchone()
                last = row[0] if row else None
                counted = contents.counted(one, deep=False)
                _settle(one, counted, base)
                if "conversations_contact" in counted:
                    _erase_again(one, base, wanted, erased, told)
            rows = sum(each["rows"] for each in counted.values())
            told(f"{len(counted)} tables with {rows:,} rows came up.")
    except postgres.ToolProblem as problem:
        late = " It may be that the log ends before this instant: --latest brings back all there is." if wanted.to else ""
        raise NotRecovered(f"The recovered server did not come up.{late}") from problem
    return rows, last if isinstance(last, datetime) else None


def _settle(one: Any, counted: contents.Counts, base: Backup) -> None:
    """Our account's password of this machine; rows that speak of files which are no longer here; nothing sent twice."""
    secret = sql.Literal(postgres.own_password())
    # A server of one's own keeps there whom its commits wait for; nobody receives here yet.
    one.execute("ALTER SYSTEM RESET synchronous_standby_names")
    one.execute(sql.SQL("ALTER ROLE {} WITH LOGIN PASSWORD {}").format(sql.Identifier("jeevo"), secret))
    if "operations_backup" in counted:
        _settle_backups(one, base)
    if "conversations_outboundmessage" in counted:
        after_loss.hold_back(one, _LOST)


def _erase_again(one: Any, base: Backup, wanted: Wanted, erased: list[Entry], told: Report) -> None:
    """With the keys of the kit, which the settings of this process have not read. What was erased before the base backup
    is in none of it."""
    keys = [key for key in wanted.kit.settings.get("FIELD_KEYS", "").split(",") if key] or list(settings.FIELD_KEYS)
    since = datetime.fromisoformat(base.manifest["started_at"])
    try:
        done = erasures.replay(one, erased, since=since, field_keys=keys, unseal=partial(unseal, keys=keys))
    except erasure_record.Damaged as problem:
        raise NotRecovered(f"{problem} --without-erasures goes on without.") from problem
    if done["erasures"]:
        told(f"{count(done['contacts'], 'person', 'people')} whom the copy still held went again, because they were erased.")


def _settle_backups(one: Any, base: Backup) -> None:
    """Those whose files were fetched are here; of the others the copies outside are all there is."""
    after_loss.only_outside(one, here=[each.pk for each in _chain(base)])
    for each in _chain(base):
        one.execute(
            "UPDATE operations_backup SET status = 'taken', step = '', taken_at = coalesce(taken_at, now()), manifest = %s"
            " WHERE id = %s AND status NOT IN ('taken', 'verified')",
            [Jsonb(each.manifest), each.pk],
        )


def put_in_place(cluster: Path, *, now: datetime) -> None:
    """As the server that Jeevo runs itself; what was there, data and received log, is moved aside."""
    home = postgres.home()
    (cluster / "pg_hba.conf").write_text(HBA)
    if not (cluster / "postgresql.conf").exists():  # some systems keep it elsewhere
        (cluster / "postgresql.conf").write_text("include = 'jeevo.conf'\n")
        home.give(cluster / "postgresql.conf")
    os.sync()  # what was unpacked was not flushed file by file
    target, aside = postgres.own_cluster(), _aside(now)
    if target.exists():
        target.rename(target.with_name(f"{target.name}.{aside}"))
    begin_log_anew(aside)
    cluster.rename(target)
    sealed.sync_folder(target.parent)


def moved_aside(now: datetime) -> list[Path]:
    """What a recovery that began then did not overwrite."""
    places = (postgres.own_cluster(), wal.folder())
    return [aside for place in places if (aside := place.with_name(f"{place.name}.{_aside(now)}")).exists()]


def _aside(now: datetime) -> str:
    return f"before-{now:%Y%m%d%H%M%S}"


def begin_log_anew(aside: str) -> None:
    """The receiver begins anew on the new line of the log; what it received of the old one lies outside."""
    received = wal.folder()
    if any(received.iterdir()):
        received.rename(received.with_name(f"{received.name}.{aside}"))
