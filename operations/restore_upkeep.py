"""What restores leave behind: requests that nobody approved, databases that nobody needs, and a door that was left shut."""

from __future__ import annotations

import contextlib
from datetime import datetime

import structlog
from django.db.models import Q

from operations import contents, databases, knowledge_tables, postgres, restores
from operations.journal import Busy, alone
from operations.models import Restore
from operations.models.restores import UNDER_WAY

log = structlog.get_logger(__name__)
Status = Restore.Status
BEING_MADE = (Status.APPROVED, Status.PREPARING)


def due() -> Restore | None:
    """The one that has something to be done by whoever does the work: begun ones first, of which one is left by a kill."""
    work = (Status.SWAPPING, Status.UNDOING, Status.PREPARING, Status.APPROVED)
    found = {row.status: row for row in Restore.objects.filter(status__in=work)}
    return next((found[status] for status in work if status in found), None)


def expire(*, now: datetime) -> int:
    """Requests that nobody approved in half an hour, and what stood ready for a day."""
    late = Q(status=Status.REQUESTED, requested_at__lt=now - restores.APPROVED_FOR)
    stale = Q(status=Status.READY, approved_at__lt=now - restores.READY_FOR)
    return Restore.objects.filter(late | stale).update(status=Status.EXPIRED, ended_at=now, step="")


def take_down(*, now: datetime) -> list[str]:
    """Drop what was kept for an undo once its week is over, and what a restore that ended badly had made. What belongs to no
    known restore is left alone."""
    kept, known, copies = set[str](), set[str](), set[str]()
    lately = Q(status__in=[Status.DONE, Status.UNDONE], ended_at__gte=now - restores.UNDO_FOR)
    needed = set(Restore.objects.filter(lately | Q(status__in=UNDER_WAY)).values_list("pk", flat=True))
    for row in Restore.objects.all():
        names = {restores.incoming(row), restores.outgoing(row)}
        known |= names
        kept |= names if row.pk in needed else set()
        # Of the knowledge base alone, the database is needed only until its tables lie beside the live ones.
        copies |= names if row.is_of_knowledge and row.status not in BEING_MADE else set()
    with contextlib.suppress(Busy), alone():
        gone = [name for name in databases.names(*contents.BESIDE) if name in (known - kept) | copies]
        for name in gone:
            databases.drop(name)
            log.info("a database that was kept for a restore was dropped", database=name)
        for name in knowledge_tables.names(*contents.BESIDE):
            if name in known - kept:
                knowledge_tables.drop(name)
                gone.append(name)
                log.info("tables that were kept for a restore were dropped", schema=name)
        Restore.objects.filter(old_database__in=gone).update(old_database="")
        return gone
    return []


def open_door() -> bool:
    """People may connect again where a process died while nobody could. Not while somebody is at it."""
    with contextlib.suppress(Busy), alone():
        return databases.let_in(postgres.live().database)
    return False
