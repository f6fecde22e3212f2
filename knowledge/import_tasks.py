"""Thin doors for the indexing lane: files that were brought are read, and then indexed."""

from __future__ import annotations

import contextlib
import os

import structlog
from celery import Task, shared_task
from celery.signals import worker_ready
from django.utils import timezone
from kombu.exceptions import OperationalError

from knowledge import import_claims, import_runs, importing
from knowledge.tasks import index_due

log = structlog.get_logger(__name__)
# One import's turn: long enough to get on, short enough that what it added is indexed in between, and that the broker
# does not take the task for lost.
TURN_SECONDS = 60.0


@shared_task(name="knowledge.import_due")
def import_due() -> None:
    """Give each import that waits a turn. Two runs at once share the work, because each claims its import."""
    worked, more = False, False
    for key in import_claims.due(now=timezone.now()):
        claim = import_claims.take(key, now=timezone.now())
        if claim is not None:
            worked = True
            more |= not import_runs.run(claim, seconds=TURN_SECONDS)
    if worked:
        _hasten(index_due)
    if more:
        _hasten(import_due)


@shared_task(name="knowledge.forget_import_files")
def forget_import_files() -> None:
    count = importing.forget_files(now=timezone.now())
    if count:
        log.info("files of old imports deleted", files=count)


def hasten() -> None:
    """Look for imports now instead of at beat's next turn, where the broker is there."""
    _hasten(import_due)


def _hasten(task: Task[[], None]) -> None:
    # Beat asks again every 15 seconds, so one that nobody takes in time is dropped.
    with contextlib.suppress(OperationalError):
        task.apply_async(retry=False, expires=15)


@worker_ready.connect
def import_at_start(**_: object) -> None:
    """What waits from before is read at once."""
    if os.environ.get("JEEVO_PROCESS") == "worker-indexing":
        import_due.apply_async(retry=False)
