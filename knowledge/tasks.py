"""Thin doors for the indexing lane."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import structlog
from celery import shared_task
from celery.signals import worker_ready
from django.db import DatabaseError, DataError, IntegrityError
from django.utils import timezone

from knowledge import embeddings, indexing, reindexing
from knowledge.models import Document

log = structlog.get_logger(__name__)
# Documents embedded together: short ones are quicker in company, and a crash costs no more than these.
TOGETHER = 32
# Seconds of work on a new index before documents that wait have their turn.
TURN = 25.0


@shared_task(name="knowledge.index_due")
def index_due() -> None:
    """Index every document that waits. Two runs at once share the work, because each claims its documents."""
    some = False
    while batch := indexing.claim_some(TOGETHER, now=timezone.now()):
        some = True
        try:
            for group in indexing.groups(batch):
                index_group(group)
        finally:
            # What a fault left undone waits again at once, not after ten minutes.
            indexing.put_back(batch)
    if some:
        indexing.recount()


def index_group(documents: Sequence[Document]) -> None:
    """A fault of one document is recorded on it, and the others go on."""
    try:
        count = indexing.index_all(documents, sentences=not documents[0].key)
    except embeddings.ModelNotFound:
        raise
    except Exception as error:
        if isinstance(error, DatabaseError) and not isinstance(error, IntegrityError | DataError):
            # The database is away or slow: no fault of these documents.
            raise
        if len(documents) > 1:
            for document in documents:
                index_group([document])
            return
        log.exception("document could not be indexed", document=str(documents[0].pk))
        reason = f"The text could not be indexed ({type(error).__name__}). Check the document, then add it again."
        indexing.fail(documents[0], reason)
        return
    log.info("documents indexed", documents=len(documents), passages=count)


@shared_task(name="knowledge.reindex_due")
def reindex_due() -> None:
    """Work on the index in the making for a while, then let documents that wait have their turn."""
    reindexing.remove_old(now=timezone.now())
    index = reindexing.due(now=timezone.now())
    if index is None or not reindexing.claim(index, now=timezone.now()):
        return
    ends = time.monotonic() + TURN
    try:
        more = reindexing.work(index, until=lambda: time.monotonic() > ends)
    except reindexing.NotPossible as problem:
        log.warning("index could not be built", index=str(index.pk), reason=str(problem))
        return
    finally:
        reindexing.release(index)
    if more:
        reindex_due.apply_async(retry=False)


@worker_ready.connect
def index_at_start(**_: object) -> None:
    """What waits from before is indexed at once, not at beat's next turn."""
    if os.environ.get("JEEVO_PROCESS") == "worker-indexing":
        index_due.apply_async(retry=False)
