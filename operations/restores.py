"""A restore from the first word to the last: asked for, approved by another person, prepared beside the live database,
shown, confirmed, put in place, watched, and undone where it was a mistake.

Preparing changes nothing that is live. Each step is in the journal before and after it is done, so that a process that
died goes on where it stood. Only the exchange of names touches what people use, for the seconds it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from operations import backup_keys, backups, carrying, contents, databases, lifting, postgres, recovery, sealed, verification, wal
from operations.journal import Journal, alone
from operations.models import Backup, Restore

log = structlog.get_logger(__name__)
Status = Restore.Status

APPROVED_FOR = timedelta(minutes=30)
UNDO_FOR = timedelta(days=7)
PROBLEMS = (
    recovery.NotRestorable,
    wal.NoWal,
    verification.NotGood,
    sealed.Damaged,
    backup_keys.KeyProblem,
    postgres.ToolProblem,
    lifting.NotTheSame,
    databases.NotExchanged,
    backups.NotTaken,
)


class NotNow(Exception):
    """The step does not fit what the restore is now; one sentence for the person who tried."""


def request(
    *, reason: str, by: User, now: datetime, instant: datetime | None = None, backup: Backup | None = None, **fields: Any
) -> Restore:
    if instant is not None and instant > now:
        raise NotNow("This instant has not come yet.")
    try:
        with transaction.atomic():
            values = {"instant": instant, "backup": backup, "reason": reason, "requested_by": by, "requested_at": now}
            return Restore.objects.create(**values, **fields)
    except IntegrityError as error:
        raise NotNow("Another restore is under way; it has to end or be cancelled first.") from error


def approve(restore: Restore, *, by: User, now: datetime, break_glass: bool = False) -> Restore:
    """By somebody else, within half an hour. One person alone may break the glass, and that is seen."""
    if by.pk == restore.requested_by_id and not break_glass:
        raise NotNow("Somebody else has to approve it: two people look at a restore.")
    if now - restore.requested_at > APPROVED_FOR:
        Restore.objects.filter(pk=restore.pk, status=Status.REQUESTED).update(status=Status.EXPIRED, ended_at=now)
        raise NotNow("It waited for longer than 30 minutes: ask for it again, because what it was asked for may have changed.")
    changes = {"status": Status.APPROVED, "approved_by": by, "approved_at": now, "break_glass": break_glass}
    return _moved(restore, (Status.REQUESTED,), **changes)


def cancel(restore: Restore, *, by: User, now: datetime) -> Restore:
    """Until it is put in place nothing has been changed, so anybody who may restore can stop it."""
    found = _moved(restore, (Status.REQUESTED, Status.APPROVED, Status.READY), status=Status.CANCELLED, ended_at=now)
    Journal(restore.pk).write("cancelled", "done", now=now, by=str(by.pk))
    if found.new_database:
        databases.drop(found.new_database)
    return found


def _moved(restore: Restore, expected: tuple[str, ...], **changes: Any) -> Restore:
    if not Restore.objects.filter(pk=restore.pk, status__in=expected).update(**changes):
        restore.refresh_from_db()
        raise NotNow(f"It is {restore.get_status_display()} now.")
    restore.refresh_from_db()
    return restore


def prepare(restore: Restore) -> Restore:
    """Everything up to the question whether to put it in place. Safe to repeat after a kill."""
    journal = Journal(restore.pk)
    with alone():
        _moved(restore, (Status.APPROVED, Status.PREPARING), status=Status.PREPARING)
        name = f"jeevo_restore_{restore.pk.hex[-12:]}"
        try:
            _once(journal, restore, "preflight", lambda: _preflight(restore))
            _once(journal, restore, "safety", _safety)
            _once(journal, restore, "lift", lambda: _lift(restore, name))
            _once(journal, restore, "migrate", lambda: _migrate(name))
        except PROBLEMS as problem:
            journal.write("prepare", "failed", now=timezone.now(), why=str(problem))
            changes = {"status": Status.FAILED, "problem": str(problem)[:300], "ended_at": timezone.now()}
            return _moved(restore, (Status.PREPARING,), **changes)
        losses = what_would_change(name)
        changes = {"status": Status.READY, "new_database": name, "losses": losses, "step": ""}
        return _moved(restore, (Status.PREPARING,), **changes)


def _once(journal: Journal, restore: Restore, step: str, work: Callable[[], dict[str, Any]]) -> None:
    if journal.done(step):
        return
    Restore.objects.filter(pk=restore.pk).update(step=step)
    journal.write(step, "begun", now=timezone.now())
    journal.write(step, "done", now=timezone.now(), **work())


def _preflight(restore: Restore) -> dict[str, Any]:
    """What can be known beforehand, with nothing changed."""
    base = _base_of(restore)
    manifest = backups.read_manifest(base.pk)
    loader = MigrationLoader(None, ignore_no_migrations=True)
    known = {(app, name) for app, name in loader.disk_migrations}
    newer = [
        f"{app} {name}"
        for app, name in manifest["migrations"].items()
        if app in loader.migrated_apps and (app, name) not in known
    ]
    if newer:
        raise recovery.NotRestorable(f"It was made by a newer release ({newer[0]}): install that release first.")
    for each in backups.chain(base):
        for entry in backups.read_manifest(each.pk)["files"]:
            sealed.check(backups.place(each) / entry["name"], expected=sealed.Sealed(**entry))
    if restore.instant is not None:
        wal.unbroken_from(manifest["started_from"])
    backups.check_room(factor=3)
    return {"base": str(base.pk)}


def _base_of(restore: Restore) -> Backup:
    if restore.backup is not None:
        return restore.backup
    assert restore.instant is not None
    return recovery.base_for(restore.instant)


def _safety() -> dict[str, Any]:
    """The live database as it is now, restored and compared, before anything is put in its place."""
    backup = backups.take(Backup.Kind.DUMP, now=timezone.now())
    verification.verify(backup, now=timezone.now())
    return {"backup": str(backup.pk)}


def _lift(restore: Restore, name: str) -> dict[str, Any]:
    base = _base_of(restore)
    manifest = backups.read_manifest(base.pk)
    if base.kind == Backup.Kind.DUMP:
        databases.drop(name)
        databases.create(name)
        verification.load_dump(base, manifest, server=_beside(name))
        with databases.connect(name) as one:
            told = contents.differences(manifest["contents"], contents.counted(one, deep=True))
        if told:
            raise lifting.NotTheSame(f"The restored copy differs: {'; '.join(told[:3])}.")
        return {"rows": sum(table["rows"] for table in manifest["contents"].values())}
    instant = restore.instant or base.taken_at
    assert instant is not None
    # A name of its own, so that a half-made one of a process that died is not in the way.
    with recovery.at(instant, name=f"restore-{restore.pk.hex[-12:]}", now=timezone.now()) as server:
        lifting.lift(server, manifest["database"], into=name, place=server.folder, major=manifest["major"])
        found = lifting.compare(server, manifest["database"], into=name)
    return {"rows": sum(table["rows"] for table in found.values())}


def _beside(name: str) -> postgres.Server:
    live = postgres.live()
    return postgres.Server(live.host, live.port, live.user, live.password, name)


def _migrate(name: str) -> dict[str, Any]:
    """To what this release expects. In a process of its own, so that no migration can reach the live database."""
    postgres.manage("migrate", "--noinput", "--verbosity=0", database=name)
    return {}


def what_would_change(name: str) -> dict[str, dict[str, int]]:
    """Rows by table, live and restored, where they differ: what the person who confirms is shown."""
    with databases.connect(postgres.live().database) as live, databases.connect(name) as restored:
        before, after = contents.counted(live, deep=False), contents.counted(restored, deep=False)
    tables = sorted(before.keys() | after.keys())
    pairs = {table: (before.get(table, {"rows": 0})["rows"], after.get(table, {"rows": 0})["rows"]) for table in tables}
    return {table: {"now": now, "then": then} for table, (now, then) in pairs.items() if now != then}


def confirm(restore: Restore, *, typed: str, by: User, now: datetime) -> Restore:
    if typed.strip() != postgres.live().database:
        raise NotNow("The name that was typed is not the name of the database; nothing was changed.")
    return _moved(restore, (Status.READY,), status=Status.SWAPPING, confirmed_by=by, confirmed_at=now)


def put_in_place(restore: Restore, *, healthy: Callable[[], bool]) -> Restore:
    """Carry over, exchange the names, look whether all is well; if not, exchange them back. Safe to repeat after a kill."""
    journal, live = Journal(restore.pk), postgres.live().database
    outgoing = f"jeevo_before_{restore.pk.hex[-12:]}"
    since = _since(restore)
    with alone():
        if not journal.done("exchange"):
            journal.write("exchange", "begun", now=timezone.now(), outgoing=outgoing)
            if not databases.exists(outgoing):  # else it died between the exchange and the line that says so
                _exchange(restore, live=live, outgoing=outgoing, since=since)
            journal.write("exchange", "done", now=timezone.now(), outgoing=outgoing)
        connection.close()
        if not healthy():
            journal.write("back", "begun", now=timezone.now())
            databases.exchange(live=live, incoming=outgoing, outgoing=restore.new_database)
            journal.write("back", "done", now=timezone.now())
            connection.close()
            told = "The service was not well with the restored database, so the one before was put back."
            return _finished(restore, status=Status.FAILED, problem=told)
        return _finished(restore, status=Status.DONE, old_database=outgoing, swapped_at=timezone.now())


def _since(restore: Restore) -> datetime:
    moment = restore.instant or (restore.backup.started_at if restore.backup else None)
    assert moment is not None
    return moment - timedelta(minutes=1)


def _exchange(restore: Restore, *, live: str, outgoing: str, since: datetime) -> None:
    """The bulk is carried while people still write, and the little since then when nobody can."""
    began = timezone.now()
    with databases.connect(live) as source:
        with databases.connect(restore.new_database) as target:
            carrying.carry(source, target, since=since, messages=restore.carry_messages)
        with databases.closed(live, but=source), databases.connect(restore.new_database) as target:
            carrying.carry(source, target, since=began - timedelta(minutes=1), messages=restore.carry_messages)
    databases.exchange(live=live, incoming=restore.new_database, outgoing=outgoing)


def _finished(restore: Restore, **changes: Any) -> Restore:
    """The row was carried over with the others, so it is there whichever database is live."""
    Restore.objects.filter(pk=restore.pk).update(**changes, step="", ended_at=timezone.now())
    restore.refresh_from_db()
    log.warning("restore ended", restore=str(restore.pk), status=restore.status)
    return restore


def undo(restore: Restore, *, by: User, now: datetime, healthy: Callable[[], bool]) -> Restore:
    """The database from before comes back, with what was said and done since the restore carried into it."""
    if restore.status != Status.DONE or not databases.exists(restore.old_database):
        raise NotNow("What was there before is no longer kept, or this restore was undone already.")
    if restore.swapped_at is None or now - restore.swapped_at > UNDO_FOR:
        raise NotNow("It can be undone for seven days, and these are over.")
    journal, live = Journal(restore.pk), postgres.live().database
    with alone():
        journal.write("undo", "begun", now=now, by=str(by.pk))
        since = restore.swapped_at - timedelta(minutes=1)
        with (
            databases.connect(live) as source,
            databases.closed(live, but=source),
            databases.connect(restore.old_database) as target,
        ):
            carrying.carry(source, target, since=since, messages=True)
        databases.exchange(live=live, incoming=restore.old_database, outgoing=restore.new_database)
        connection.close()
        journal.write("undo", "done", now=timezone.now())
        if not healthy():
            databases.exchange(live=live, incoming=restore.new_database, outgoing=restore.old_database)
            connection.close()
            raise NotNow("The service was not well with the database from before, so the restored one was put back.")
        return _finished(restore, status=Status.UNDONE)


def resume() -> list[Restore]:
    """What a process that died left in the middle."""
    return list(Restore.objects.filter(status__in=[Status.PREPARING, Status.SWAPPING]))
