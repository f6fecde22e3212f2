"""The right to work on an import: one process at a time, and none that lost it can still write.

A claim is a heartbeat in the row, and every commit checks that it is still the one this process wrote. A lock on the database
connection shows at once that a process is gone; where no lock tells, an import whose heart stopped for two minutes is free.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import DatabaseError, connection
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Coalesce

from knowledge.models import Import

STALLED_AFTER = timedelta(minutes=2)
OPEN = (Import.Status.WAITING, Import.Status.RUNNING)


class Lost(Exception):
    """Another process works on the import now; this one must not write any more."""


class Cancelled(Exception):
    """Somebody asked to stop."""


@dataclass
class Claim:
    """One process's right to one import, until it is let go or lost."""

    batch: Import
    at: datetime

    def beat(self, *, now: datetime) -> None:
        """Say that work goes on. Raises Lost, or Cancelled when that was asked for."""
        if not self._mine().update(heartbeat_at=now):
            raise Lost
        self.at = now
        if self._mine().filter(cancel_requested_at__isnull=False).exists():
            raise Cancelled

    def check(self) -> None:
        """Inside a transaction: nobody else can take the import before it ends. Raises Lost."""
        if not self._mine().select_for_update().exists():
            raise Lost

    def let_go(self, **fields: object) -> None:
        """Free the import, with these fields; by default it waits for the next who takes it."""
        self._mine().update(**{"status": Import.Status.WAITING, "heartbeat_at": None} | fields)
        self.unlock()

    def unlock(self) -> None:
        with contextlib.suppress(DatabaseError):
            _ask("SELECT pg_advisory_unlock(%s)", self.batch.pk)

    def _mine(self) -> QuerySet[Import]:
        return Import.objects.filter(pk=self.batch.pk, heartbeat_at=self.at)


def due(*, now: datetime) -> list[UUID]:
    """Imports that a worker may take up, oldest first. Those of the command lie at paths that only the command sees."""
    rows = Import.objects.filter(status__in=OPEN).exclude(defaults__has_key="paths").order_by("created_at", "id")
    return list(rows.values_list("pk", flat=True))


def take(key: UUID, *, now: datetime) -> Claim | None:
    """The right to work on this import, or None where it is over or somebody else has it."""
    nobody_alive = _ask("SELECT pg_try_advisory_lock(%s)", key)
    free = Q() if nobody_alive else Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=now - STALLED_AFTER)
    taken = Import.objects.filter(free, pk=key, status__in=OPEN).update(
        status=Import.Status.RUNNING, heartbeat_at=now, started_at=Coalesce("started_at", Value(now)), reason=""
    )
    if taken:
        return Claim(Import.objects.select_related("requested_by").get(pk=key), now)
    if nobody_alive:
        _ask("SELECT pg_advisory_unlock(%s)", key)
    return None


def is_at_work(batch: Import, *, now: datetime) -> bool:
    """Whether a process showed a sign of life lately."""
    return batch.heartbeat_at is not None and batch.heartbeat_at >= now - STALLED_AFTER


def _ask(sql: str, key: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(sql, [int.from_bytes(key.bytes[-8:], signed=True)])
        (answer,) = cursor.fetchone()
    return bool(answer)
