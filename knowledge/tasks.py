"""Thin doors for the indexing lane."""

from __future__ import annotations

import os

import structlog
from celery import shared_task
from celery.signals import worker_ready
from django.db import DatabaseError
from django.utils import timezone

from knowledge import embeddings, indexing
from knowledge.models import Document

log = structlog.get_logger(__name__)


@shared_task(name="knowledge.index_due")
def index_due() -> None:
    """Index every document that waits. Two runs at once share the work, because each claims its documents."""
    for document in indexing.due(now=timezone.now()):
        if indexing.claim(document, now=timezone.now()):
            _index(document)


def _index(document: Document) -> None:
    """One document; a fault of its own is recorded on it, and the others go on."""
    document.refresh_from_db()
    try:
        count = indexing.index(document)
    except (DatabaseError, embeddings.ModelNotFound):
        indexing.put_back(document)
        raise
    except Exception as error:
        log.exception("document could not be indexed", document=str(document.pk))
        indexing.fail(document, f"The text could not be indexed ({type(error).__name__}). Check the document, then add it again.")
        return
    log.info("document indexed", document=str(document.pk), passages=count)


@worker_ready.connect
def index_at_start(**_: object) -> None:
    """What waits from before is indexed at once, not at beat's next turn."""
    if os.environ.get("JEEVO_PROCESS") == "worker-indexing":
        index_due.apply_async(retry=False)
