"""Which backups may go. Thirty days of retention means every *instant* of thirty days: the newest full backup that is older,
with what builds on it, and all of the log since, must stay. The last verified one of each kind never goes."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.utils import timezone

from operations import backups, sealed, wal
from operations.models import Backup

log = structlog.get_logger(__name__)
Kind, Status = Backup.Kind, Backup.Status
KEEP = timedelta(days=30)


def expire(*, now: datetime, keep: timedelta = KEEP) -> list[Backup]:
    """Let go of what may go: first the row says so, then the files are removed, so that a kill leaves nothing half-believed."""
    going = may_go(now=now, keep=keep)
    for backup in going:
        Backup.objects.filter(pk=backup.pk).update(status=Status.EXPIRED, ended_at=timezone.now())
    sweep()
    _expire_wal()
    return going


def may_go(*, now: datetime, keep: timedelta = KEEP) -> list[Backup]:
    kept = list(Backup.objects.kept().order_by("taken_at"))
    old = [each for each in kept if each.taken_at is not None and each.taken_at < now - keep]
    must_stay = {each.pk for each in _last_verified(kept)} | _whole_chains(_window_start(old))
    # A chain goes whole or not at all: an incremental one without its full one is nothing.
    needed = {each.pk for row in kept if row not in old or row.pk in must_stay for each in backups.chain(row)}
    return [each for each in old if each.pk not in must_stay | needed]


def _window_start(old: list[Backup]) -> list[Backup]:
    """The newest full backup from before the window: the first instants of the window rest on it."""
    full = [each for each in old if each.kind == Kind.FULL and each.status == Status.VERIFIED]
    return (full or [each for each in old if each.kind == Kind.FULL])[-1:]


def _whole_chains(rows: list[Backup]) -> set[UUID]:
    return {each.pk for row in rows for each in backups.chain(row)}


def _last_verified(kept: list[Backup]) -> list[Backup]:
    good = [each for each in kept if each.status == Status.VERIFIED]
    dumps = [each for each in good if each.kind == Kind.DUMP][-1:]
    files = [each for each in good if each.kind == Kind.CONFIGURATION][-1:]
    bases = [each for each in good if each.kind in (Kind.FULL, Kind.INCREMENTAL)][-1:]
    return dumps + files + [each for base in bases for each in backups.chain(base)]


def sweep() -> None:
    """Files of backups that are no more: expired, failed or cancelled, whose removal was interrupted."""
    if not backups.folder().is_dir():
        return
    gone = Backup.objects.exclude(status__in=[Status.RUNNING, Status.TAKEN, Status.VERIFIED])
    names = {str(key) for key in gone.values_list("pk", flat=True)}
    for path in backups.folder().iterdir():
        if path.is_dir() and path.name.removesuffix(".tmp") in names:
            shutil.rmtree(path, ignore_errors=True)


def _expire_wal() -> None:
    """The log from before the oldest base backup that is left serves nobody."""
    for base in Backup.objects.kept().bases().order_by("taken_at"):
        try:
            wal.expire(backups.read_manifest(base.pk)["started_from"])
        except (sealed.Damaged, KeyError):
            log.warning("the log is kept, because a manifest cannot be read", backup=str(base.pk))
        return
