"""A backup that is being made, as numbers for a page: how much is written, how fast, and how long it may still take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from operations.models import Backup

Status = Backup.Status
# A rate over less than this says nothing.
FIRST = timedelta(seconds=2)


@dataclass(frozen=True)
class Progress:
    """`expected` and `left` are guesses from the last one of its kind, None where there was none."""

    backup: Backup
    step: str
    done: int
    rate: float | None
    expected: int | None
    left: timedelta | None

    @property
    def percent(self) -> int | None:
        return min(99, 100 * self.done // self.expected) if self.expected else None


def under_way(*, now: datetime) -> list[Progress]:
    """What waits, is made, or is being restored to check it; the one that is worked on first."""
    working = Backup.objects.filter(status__in=[Status.RUNNING, Status.REQUESTED]) | Backup.objects.filter(
        status=Status.TAKEN
    ).exclude(step="")
    order = {Status.TAKEN: 0, Status.RUNNING: 1, Status.REQUESTED: 2}
    rows = working.select_related("requested_by").order_by("requested_at")
    return [of(row, now=now) for row in sorted(rows, key=lambda row: order[Status(row.status)])]


def of(backup: Backup, *, now: datetime) -> Progress:
    if backup.status != Status.RUNNING or backup.started_at is None:
        step = backup.step if backup.status == Status.TAKEN else "waiting for its turn"
        return Progress(backup, step, backup.done_bytes, None, None, None)
    spent = now - backup.started_at
    rate = backup.done_bytes / spent.total_seconds() if spent > FIRST and backup.done_bytes else None
    before = Backup.objects.kept().filter(kind=backup.kind).order_by("-taken_at").values_list("manifest", flat=True).first()
    expected = sum(each.get("plain_bytes", 0) for each in (before or {}).get("files", [])) or None
    left = None
    if rate and expected and expected > backup.done_bytes:
        left = timedelta(seconds=(expected - backup.done_bytes) / rate)
    step = "stopping, because it was cancelled" if backup.cancel_asked_at else backup.step
    return Progress(backup, step, backup.done_bytes, rate, expected, left)
