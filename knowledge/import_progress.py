"""How far an import got: files and documents counted, the rate, and an estimate where there is ground for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce

from knowledge import import_claims
from knowledge.models import Document, Import, ImportItem

Status = ImportItem.Status
# Before this many files an estimate would jump about.
_ENOUGH = 3


@dataclass(frozen=True)
class Progress:
    """One look at an import."""

    status: str
    files: int
    done: int
    refused: int
    cancelled: int
    # Documents, and rows that could not be used.
    added: int
    known: int
    bad: int
    # Rows of collections read so far.
    records: int
    # What came in already and waits to be indexed, and what is ready to be reviewed or further.
    to_index: int
    ready: int
    # Documents found a minute, new or known; None while nothing is known of it.
    rate: float | None
    left: timedelta | None
    # Its process has shown no sign of life for a while.
    silent: bool

    @property
    def documents(self) -> int:
        return self.to_index + self.ready

    @property
    def is_over(self) -> bool:
        return self.status not in import_claims.OPEN

    @property
    def is_quiet(self) -> bool:
        """Nothing more will change here by itself."""
        return self.is_over and not self.to_index


def of(batch: Import, *, now: datetime) -> Progress:
    items = batch.items.aggregate(
        files=Count("pk"),
        done=Count("pk", filter=~Q(status__in=[Status.WAITING, Status.RUNNING])),
        refused=Count("pk", filter=Q(status=Status.REFUSED)),
        cancelled=Count("pk", filter=Q(status=Status.CANCELLED)),
        **{name: Coalesce(Sum(name), 0) for name in ("added", "known", "bad", "records")},
    )
    waiting = Q(status__in=[Document.Status.UPLOADED, Document.Status.INDEXING])
    documents = Document.objects.filter(batch=batch).aggregate(
        to_index=Count("pk", filter=waiting), ready=Count("pk", filter=~waiting)
    )
    spent = ((batch.finished_at or now) - batch.started_at).total_seconds() if batch.started_at else 0.0
    found = items["added"] + items["known"]
    return Progress(
        status=batch.status,
        rate=60 * found / spent if spent > 0 and found else None,
        left=_left(items["files"], items["done"], spent),
        silent=batch.status == Import.Status.RUNNING and not import_claims.is_at_work(batch, now=now),
        **items,
        **documents,
    )


def _left(files: int, done: int, spent: float) -> timedelta | None:
    if done < _ENOUGH or done >= files:
        return None
    return timedelta(seconds=round(spent / done * (files - done)))


def spoken(length: timedelta) -> str:
    """ "about 3 minutes", "less than a minute"."""
    minutes = round(length.total_seconds() / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    hours, rest = divmod(minutes, 60)
    return f"about {hours} h {rest} min"
