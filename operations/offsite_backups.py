"""Each backup, outside as well: its files first, its manifest last, so that half a copy is never taken for a whole one.

What is too old goes from there too, but later than here and never the last good one that lies there: a storage that was
away for a month must not find its copies removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db.models import QuerySet
from django.utils import timezone

from operations import backups, offsite, offsite_log, retention, sealed
from operations.models import Backup, OffsiteState

log = structlog.get_logger(__name__)
FOLDER = "backups"
SWEEP_EVERY = timedelta(hours=1)
Kind, Status = Backup.Kind, Backup.Status


def round_of(*, now: datetime) -> bool:
    """One backup that is not outside yet, the oldest first; each hour what is too old. True when all of them are."""
    return offsite.attempt("backups", partial(_step, now=now), now=now)


def _step(place: offsite.Place, kept: OffsiteState, *, now: datetime) -> bool:
    waiting = Backup.objects.kept().filter(offsite_at__isnull=True).order_by("taken_at")
    first = next((row for row in waiting if _is_here(row)), None)
    if first is not None:
        send(place, first)
        return False
    if kept.swept_at is None or now - kept.swept_at >= SWEEP_EVERY:
        expire(place, now=now)
        OffsiteState.objects.filter(name=kept.name).update(swept_at=now)
    return True


def _is_here(backup: Backup) -> bool:
    return (backups.place(backup) / backups.MANIFEST).exists()


def send(place: offsite.Place, backup: Backup) -> None:
    """Files that are there already and whole are not sent again: a kill costs one file."""
    try:
        manifest = backups.read_manifest(backup.pk)
    except sealed.Damaged as problem:
        raise offsite.NotOffsite(f"A backup could not be copied: {problem}") from problem
    expected = {each["name"]: each["sha256"] for each in manifest["files"]}
    folder = f"{FOLDER}/{backup.pk}"
    there = set(offsite.names(place, folder)[1])
    files = sorted(each for each in backups.place(backup).iterdir() if each.name != backups.MANIFEST)
    for path in files:
        if path.name in there and _is_whole(place, f"{folder}/{path.name}", expected.get(path.name)):
            continue
        offsite.send(place, f"{folder}/{path.name}", path, sha256=expected.get(path.name))
    offsite.send(place, f"{folder}/{backups.MANIFEST}", backups.place(backup) / backups.MANIFEST)
    Backup.objects.filter(pk=backup.pk).update(offsite_at=timezone.now())
    log.info("backup lies outside", backup=str(backup.pk), kind=backup.kind)


def _is_whole(place: offsite.Place, name: str, sha256: str | None) -> bool:
    if sha256 is None:
        return False
    try:
        offsite.compare(place, name, sha256)
    except offsite.NotOffsite:
        return False
    return True


def expire(place: offsite.Place, *, now: datetime, keep: timedelta = retention.KEEP) -> list[Backup]:
    """The manifest goes first, so that what is half removed is not taken for whole."""
    going = may_go(now=now, keep=keep)
    for backup in going:
        folder = f"{FOLDER}/{backup.pk}"
        files = offsite.names(place, folder)[1]
        for name in sorted(files, key=lambda each: each != backups.MANIFEST):
            offsite.remove(place, f"{folder}/{name}")
        Backup.objects.filter(pk=backup.pk).update(offsite_at=None)
    oldest = _outside(Kind.FULL, Kind.INCREMENTAL).order_by("taken_at").first()
    if oldest is not None and "started_from" in oldest.manifest:
        offsite_log.expire(place, before=oldest.manifest["started_from"])
    return going


def may_go(*, now: datetime, keep: timedelta = retention.KEEP) -> list[Backup]:
    """No longer kept here, older than the window, and a newer good one of its kind lies outside."""
    old = _outside().exclude(status__in=[Status.TAKEN, Status.VERIFIED]).filter(taken_at__lt=now - keep)
    return [each for each in old if _has_successor(each)]


def _has_successor(backup: Backup) -> bool:
    alike = [Kind.FULL, Kind.INCREMENTAL] if backup.kind in (Kind.FULL, Kind.INCREMENTAL) else [backup.kind]
    newer = _outside(*alike).filter(status=Status.VERIFIED, taken_at__gt=backup.taken_at).select_related("parent")
    return any(_all_outside(backups.chain(each)) and backup not in backups.chain(each) for each in newer)


def _all_outside(rows: Iterable[Backup]) -> bool:
    return all(row.offsite_at is not None for row in rows)


def _outside(*kinds: str) -> QuerySet[Backup]:
    rows = Backup.objects.filter(offsite_at__isnull=False)
    return rows.filter(kind__in=kinds) if kinds else rows
