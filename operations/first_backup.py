"""After a recovery the log goes on along a new line: until a full backup of it is there, nothing else may be made.

The debt is a file beside the backups and not a row, because it is made when no database runs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from operations import backups
from operations.models import Backup

MARK, PAID = "full_backup_first", "began_anew"
# After one that failed, so that a disk that is full is not stormed.
PAUSE = timedelta(minutes=10)


def _mark() -> Path:
    return backups.folder() / MARK


def owe(*, now: datetime) -> None:
    backups.folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    _mark().write_text(now.isoformat())


def is_owed() -> bool:
    return _mark().exists()


def began_anew() -> datetime | None:
    """When the log began its present line, where that was by a recovery or a promotion. What was kept before cannot be
    continued by it."""
    for name in (MARK, PAID):
        path = backups.folder() / name
        if path.exists():
            return datetime.fromisoformat(path.read_text())
    return None


def owed(*, now: datetime) -> Backup | None:
    """The full backup to make now, if one is owed; the debt is paid by one that was taken since."""
    if not is_owed():
        return None
    since = datetime.fromisoformat(_mark().read_text())
    rows = Backup.objects.filter(kind=Backup.Kind.FULL, requested_at__gte=since)
    if rows.kept().exists():
        _mark().replace(backups.folder() / PAID)
        return None
    waiting = rows.filter(status=Backup.Status.REQUESTED).first()
    if waiting is not None:
        return waiting
    if rows.filter(requested_at__gte=now - PAUSE).exists():
        return None
    return backups.request(Backup.Kind.FULL, now=now)
