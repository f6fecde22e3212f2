"""A restore from the first word to the last: asked for, approved by another person, prepared beside the live database,
shown, confirmed, put in place, watched, and undone where it was a mistake.

Preparing changes nothing that is live. Each step is in the journal before and after it is done, so that a process that
died goes on where it stood. Only the exchange of names touches what people use, for the seconds it takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import structlog
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from operations import (
    backup_keys,
    backups,
    carrying,
    contents,
    databases,
    erasure_record,
    erasures,
    incidents,
    knowledge_copy,
    knowledge_tables,
    lifting,
    postgres,
    recovery,
    restored_copy,
    sealed,
    verification,
    wal,
)
from operations.exchanging import Change, Databases, KnowledgeTables, Place, Told
from operations.journal import Broken, Busy, Journal, alone
from operations.models import Backup, Restore

log = structlog.get_logger(__name__)
Status = Restore.Status

APPROVED_FOR = timedelta(minutes=30)
# What was prepared and nobody put in place is taken down after a day: it lies on the disk beside the live one.
READY_FOR = timedelta(days=1)
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
    erasure_record.Damaged,
    Broken,
)
# The last resort: the row says in general what it was, and the log has the rest.
TROUBLE = (*PROBLEMS, psycopg.Error, DatabaseError, OSError)


class NotNow(Exception):
    """The step does not fit what the restore is now; one sentence for the person who tried."""


def record(restore: Restore, *, by: User, what: str, flag: int = CHANGE) -> None:
    """In the history of the restore, which is carried over like everything that people did."""
    LogEntry.objects.log_actions(by.pk, [restore], flag, what, single_object=True)


def _quiet(_: str) -> None:
    pass


def request(
    *, reason: str, by: User, now: datetime, instant: datetime | None = None, backup: Backup | None = None, **fields: Any
) -> Restore:
    if instant is not None and instant > now:
        raise NotNow("This instant has not come yet.")
    if backup is not None and backup.kind == Backup.Kind.CONFIGURATION:
        raise NotNow("This backup holds settings and files, and no database: `manage.py recover` uses it.")
    try:
        with transaction.atomic():
            values = {"instant": instant, "backup": backup, "reason": reason, "requested_by": by, "requested_at": now}
            found = Restore.objects.create(**values, **fields)
            record(found, by=by, what="Asked for.", flag=ADDITION)
            return found
    except IntegrityError as error:
        raise NotNow("Another restore is under way; it has to end or be cancelled first.") from error


def approve(restore: Restore, *, by: User, now: datetime, break_glass: bool = False) -> Restore:
    """By somebody else, within half an hour. One person alone may break the glass, and that is seen."""
    if by.pk == restore.requested_by_id and not break_glass:
        raise NotNow("Somebody else has to approve it: two people look at a restore.")
    if now - restore.requested_at > APPROVED_FOR:
        Restore.objects.filter(pk=restore.pk, status=Status.REQUESTED).update(status=Status.EXPIRED, ended_at=now)
        raise NotNow("It waited for longer than 30 minutes: ask for it again, because what it was asked for may have changed.")
    by_one = by.pk == restore.requested_by_id
    changes = {"status": Status.APPROVED, "approved_by": by, "approved_at": now, "break_glass": by_one}
    with transaction.atomic():
        found = _moved(restore, (Status.REQUESTED,), **changes)
        if by_one:
            title = "One person alone asked for a restore and approved it"
            incidents.declare(title, severity=2, kind="restore_by_one_person", scope=str(restore.pk), by=by, now=now)
        record(found, by=by, what="Approved by the person who asked for it." if by_one else "Approved.")
    return found


def cancel(restore: Restore, *, by: User, now: datetime) -> Restore:
    """Until it is put in place nothing has been changed, so anybody who may restore can stop it. One that is being prepared
    ends at its next step; `take_down` removes what it made."""
    expected = (Status.REQUESTED, Status.APPROVED, Status.PREPARING, Status.READY)
    found = _moved(restore, expected, status=Status.CANCELLED, ended_at=now, step="")
    record(found, by=by, what="Cancelled.")
    with contextlib.suppress(Busy, Broken), alone():  # whoever works on it writes the line
        Journal(restore.pk).write("cancelled", "done", now=now, by=str(by.pk))
    return found


def _moved(restore: Restore, expected: tuple[str, ...], **changes: Any) -> Restore:
    if not Restore.objects.filter(pk=restore.pk, status__in=expected).update(**changes):
        restore.refresh_from_db()
        raise NotNow(f"This does not fit any more: {restore.get_status_display().lower()}.")
    restore.refresh_from_db()
    return restore


def incoming(restore: Restore) -> str:
    """A database; of the knowledge base alone, a database first and then a schema of the live one."""
    return f"{contents.BESIDE[0]}{restore.pk.hex[-12:]}"


def outgoing(restore: Restore) -> str:
    return f"{contents.BESIDE[1]}{restore.pk.hex[-12:]}"


def _place(restore: Restore) -> Place:
    return KnowledgeTables() if restore.is_of_knowledge else Databases()


def _still(restore: Restore, expected: str) -> None:
    """Whoever waited for the lock may come when all is done."""
    restore.refresh_from_db()
    if restore.status != expected:
        raise NotNow(f"This does not fit any more: {restore.get_status_display().lower()}.")


def prepare(restore: Restore, *, told: Told = _quiet) -> Restore:
    """Everything up to the question whether to put it in place. Safe to repeat after a kill."""
    journal, name = Journal(restore.pk), incoming(restore)
    with alone():
        _moved(restore, (Status.APPROVED, Status.PREPARING), status=Status.PREPARING)
        steps: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
            ("preflight", lambda: restored_copy.preflight(restore)),
            ("safety", lambda: restored_copy.safety()),
            ("lift", lambda: restored_copy.lift(restore, name)),
            ("migrate", lambda: restored_copy.migrate(name)),
            ("erase", lambda: erasures.again_in(name, since=_since(restore))),
        )
        if restore.is_of_knowledge:
            steps += (("beside", lambda: knowledge_copy.lay_beside(name, schema=name, now=timezone.now())),)
        try:
            for step, work in steps:
                _once(journal, restore, step, work, told)
            losses = restored_copy.what_would_change(restore, name)
        except TROUBLE as problem:
            return _failed(restore, journal, "prepare", problem)
        found = _moved(restore, (Status.PREPARING,), status=Status.READY, new_database=name, losses=losses, step="")
        journal.write("ready", "done", now=timezone.now())
        if restore.is_of_knowledge:
            databases.drop(name)
        return found


def _once(journal: Journal, restore: Restore, step: str, work: Callable[[], dict[str, Any]], told: Told) -> None:
    if journal.done(step):
        return
    if not Restore.objects.filter(pk=restore.pk, status=Status.PREPARING).update(step=step):
        journal.write("cancelled", "done", now=timezone.now())
        raise NotNow("It was cancelled.")
    told(step)
    journal.write(step, "begun", now=timezone.now())
    facts = work()
    journal.write(step, "done", now=timezone.now(), **facts)


def _failed(restore: Restore, journal: Journal, step: str, problem: Exception) -> Restore:
    why = str(problem) if isinstance(problem, PROBLEMS) else "The database or the disk did not do what was asked of it."
    log.error("restore failed", restore=str(restore.pk), step=step, problem=type(problem).__name__)
    with contextlib.suppress(Broken):
        journal.write(step, "failed", now=timezone.now(), why=why)
    return _finished(restore, status=Status.FAILED, problem=why[:300])


def confirm(restore: Restore, *, typed: str, by: User, now: datetime) -> Restore:
    _check_meant(restore, typed)
    # Before the row moves: from then on whoever does the work writes there.
    Journal(restore.pk).write("confirmed", "done", now=now, by=str(by.pk))
    with transaction.atomic():
        found = _moved(restore, (Status.READY,), status=Status.SWAPPING, confirmed_by=by, confirmed_at=now)
        record(found, by=by, what="Confirmed: it is put in place.")
    return found


def _check_meant(restore: Restore, typed: str) -> None:
    if typed.strip() != postgres.live().database:
        raise NotNow("The name that was typed is not the name of the database; nothing was changed.")
    if restore.is_of_knowledge and (told := knowledge_tables.under_way()):
        raise NotNow(told)


def put_in_place(restore: Restore, *, healthy: Callable[[], bool], told: Told = _quiet) -> Restore:
    """Carry over, exchange the names, look whether all is well; if not, exchange them back. Safe to repeat after a kill."""
    journal, old, place = Journal(restore.pk), outgoing(restore), _place(restore)
    with alone():
        _still(restore, Status.SWAPPING)
        try:
            change = Change(place, journal, "exchange", restore.new_database, old, lambda: _carry_both(restore, journal, told))
            well = change.make(healthy=healthy, told=told)
        except TROUBLE as problem:
            connection.close()  # it was ended with everybody's
            if place.exists(old):
                raise  # they are exchanged: whoever comes next goes on from there
            return _failed(restore, journal, "exchange", problem)
        if not well:
            why = f"The service was not well with the restored {restore.noun}, so the one before was put back."
            return _finished(restore, status=Status.FAILED, problem=why)
        return _finished(restore, status=Status.DONE, old_database=old, swapped_at=timezone.now())


def _since(restore: Restore) -> datetime:
    moment = restore.instant or (restore.backup.started_at if restore.backup else None)
    assert moment is not None
    return moment - timedelta(minutes=1)


def _carry_both(restore: Restore, journal: Journal, told: Told) -> None:
    """The bulk is carried while people still write, and the little since then when nobody can. With the knowledge base
    alone nothing else goes back, so there is nothing to carry."""
    if restore.is_of_knowledge:
        return
    began, messages, live = timezone.now(), restore.carry_messages, postgres.live().database
    with databases.connect(live) as source:
        told("carry")
        journal.write("carry", "begun", now=began)
        with databases.connect(restore.new_database) as target:
            erasures.again(source, target, since=_since(restore))
            carrying.carry(source, target, since=_since(restore), messages=messages)
        journal.write("carry", "done", now=timezone.now())
        with databases.closed(live, but=source), databases.connect(restore.new_database) as target:
            erasures.again(source, target, since=began)
            carrying.carry(source, target, since=began - timedelta(minutes=1), messages=messages)


def _finished(restore: Restore, **changes: Any) -> Restore:
    """The row was carried over with the others, so it is there whichever database is live."""
    Restore.objects.filter(pk=restore.pk).update(**changes, step="", ended_at=timezone.now())
    restore.refresh_from_db()
    with contextlib.suppress(Broken):
        Journal(restore.pk).write("end", restore.status, now=timezone.now(), why=restore.problem)
    log.warning("restore ended", restore=str(restore.pk), status=restore.status)
    return restore


def may_undo(restore: Restore, *, now: datetime) -> str:
    """Why it cannot be undone; "" when it can."""
    if restore.status != Status.DONE or not restore.old_database or not _place(restore).exists(restore.old_database):
        return "What was there before is no longer kept, or this restore was undone already."
    if restore.swapped_at is None or now - restore.swapped_at > UNDO_FOR:
        return "It can be undone for seven days, and these are over."
    return ""


def ask_undo(restore: Restore, *, typed: str, by: User, now: datetime) -> Restore:
    """Whoever does the work finds it."""
    if problem := may_undo(restore, now=now):
        raise NotNow(problem)
    _check_meant(restore, typed)
    Journal(restore.pk).write("undo asked", "done", now=now, by=str(by.pk))
    try:
        with transaction.atomic():
            found = _moved(restore, (Status.DONE,), status=Status.UNDOING, undo_by=by, undo_at=now)
            record(found, by=by, what="Asked to undo it.")
    except IntegrityError as error:
        raise NotNow("Another restore is under way; it has to end or be cancelled first.") from error
    return found


def undo(restore: Restore, *, healthy: Callable[[], bool], told: Told = _quiet) -> Restore:
    """The database from before comes back, with what was said and done since the restore carried into it."""
    journal, place = Journal(restore.pk), _place(restore)
    with alone():
        _still(restore, Status.UNDOING)
        tries = len([line for line in journal.read() if line.step.startswith("undo") and line.step.endswith(" back")]) // 2
        try:
            step = f"undo {tries + 1}" if tries else "undo"
            change = Change(place, journal, step, restore.old_database, restore.new_database, lambda: _carry_home(restore))
            well = change.make(healthy=healthy, told=told)
        except TROUBLE as problem:
            connection.close()
            if place.exists(restore.new_database):
                raise
            log.exception("a restore could not be undone", restore=str(restore.pk))
            why = str(problem) if isinstance(problem, PROBLEMS) else "They could not be exchanged."
            return _finished(restore, status=Status.DONE, problem=f"It was not undone: {why}"[:300])
        if not well:
            why = f"The service was not well with the {restore.noun} from before, so the restored one was put back."
            return _finished(restore, status=Status.DONE, problem=why)
        return _finished(restore, status=Status.UNDONE, problem="")


def _carry_home(restore: Restore) -> None:
    if restore.is_of_knowledge:
        return
    assert restore.swapped_at is not None
    since, live = restore.swapped_at - timedelta(minutes=1), postgres.live().database
    with (
        databases.connect(live) as source,
        databases.closed(live, but=source),
        databases.connect(restore.old_database) as target,
    ):
        erasures.again(source, target, since=since)
        carrying.carry(source, target, since=since, messages=True)
