"""Another embedding model, or every vector anew, while the old index goes on answering.

A new index is filled from the documents' stored text, group by group; what is left is a question to the
rows, so a stop at any point costs one group. When nothing is left its vectors are indexed and the two
indexes change places in one commit. The old one is kept for a week, to go back to.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from knowledge import chunk_rows, embedding_indexes, embeddings, indexing
from knowledge.models import Chunk, Document, EmbeddingIndex

Status = EmbeddingIndex.Status
KEPT = timedelta(days=7)
# A worker whose heart has not beaten for so long has stopped.
LEASE = timedelta(minutes=2)
_GROUP = 32
# Rows removed in one statement: more would hold up who reads for seconds.
_REMOVED_AT_ONCE = 2_000


class NotPossible(Exception):
    """The step cannot be taken; the message is for the person who asked."""


def begin(model: str, *, by: str, now: datetime) -> EmbeddingIndex:
    """Start an index for this model, or go on with one that was paused, cancelled or failed."""
    if not model.strip():
        raise NotPossible("Name a model: a sentence-transformers model, or a folder that holds one.")
    unfinished = EmbeddingIndex.objects.filter(model=model, status__in=(Status.PAUSED, Status.CANCELLED, Status.FAILED))
    earlier = unfinished.order_by("-created_at").first()
    try:
        with transaction.atomic():
            if earlier is None:
                return EmbeddingIndex.objects.create(model=model, dimensions=0, requested_by=by, created_at=now)
            earlier.status, earlier.reason = Status.BUILDING, ""
            earlier.save(update_fields=["status", "reason"])
            return earlier
    except IntegrityError as error:
        raise NotPossible("Another index is being built. Wait until it is done, or cancel it.") from error


def due(*, now: datetime) -> EmbeddingIndex | None:
    """The index in the making, when nobody works on it."""
    free = EmbeddingIndex.objects.filter(status=Status.BUILDING).exclude(heartbeat_at__gt=now - LEASE)
    return free.first()


def claim(index: EmbeddingIndex, *, now: datetime) -> bool:
    """Whether this process may work on it. A lock on the connection holds while the vectors are indexed, which may take
    longer than a heartbeat lasts."""
    if not _locked("SELECT pg_try_advisory_lock(%s)", index):
        return False
    free = EmbeddingIndex.objects.filter(pk=index.pk, status=Status.BUILDING).exclude(heartbeat_at__gt=now - LEASE)
    if free.update(heartbeat_at=now):
        return True
    _locked("SELECT pg_advisory_unlock(%s)", index)
    return False


def release(index: EmbeddingIndex) -> None:
    EmbeddingIndex.objects.filter(pk=index.pk).update(heartbeat_at=None)
    _locked("SELECT pg_advisory_unlock(%s)", index)


def _locked(statement: str, index: EmbeddingIndex) -> bool:
    with connection.cursor() as cursor:
        # The lock's number is 64 bits with a sign; the key has 128.
        cursor.execute(statement, [index.pk.int % 2**63])
        (done,) = cursor.fetchone()
    return bool(done)


def work(index: EmbeddingIndex, *, until: Callable[[], bool], report: Callable[[EmbeddingIndex], None] | None = None) -> bool:
    """Fill the index until it is active, somebody paused or cancelled it, or `until()` says stop. Whether work remains."""
    if not index.dimensions:
        _measure(index)
    _count(index)
    while not until():
        index.refresh_from_db()
        if index.status != Status.BUILDING:
            return False
        if not _step(index):
            return not _activate(index)
        if report:
            report(index)
    return True


def _measure(index: EmbeddingIndex) -> None:
    """Loads the model: a name that leads nowhere ends here, with its reason on the row."""
    try:
        index.dimensions, index.window = embeddings.dimensions(index.model), embeddings.window(index.model)
    except embeddings.ModelNotFound as error:
        fail(index, str(error))
        raise NotPossible(str(error)) from error
    if not 1 <= index.dimensions <= 4_000:
        fail(index, f"Its vectors have {index.dimensions:,} dimensions; up to 4,000 can be indexed.")
        raise NotPossible(index.reason)
    EmbeddingIndex.objects.filter(pk=index.pk).update(dimensions=index.dimensions, window=index.window)


def remaining(index: EmbeddingIndex) -> QuerySet[Document]:
    """Documents with passages in the index that answers and none in this one."""
    here = Chunk.objects.filter(document=OuterRef("pk"), index=index)
    answering = Chunk.objects.filter(document=OuterRef("pk"), index=embedding_indexes.active())
    return Document.objects.filter(Exists(answering), ~Exists(here))


def _step(index: EmbeddingIndex) -> bool:
    """One group of documents; False when none is left."""
    documents = list(remaining(index).order_by("id")[:_GROUP])
    for group in indexing.groups(documents, touch=False):
        cut = [(document, indexing.cut_up(document, index)) for document in group]
        chunks = indexing.chunks_of(cut, into=index, sentences=not group[0].key)
        with transaction.atomic():
            held = _unchanged(group)
            chunk_rows.insert([each for each in chunks if each.document in held], index=index)
        _beat(index, len(held))
    return bool(documents)


def _unchanged(group: list[Document]) -> set[UUID]:
    """Those that were not indexed anew in the meantime; the others are left for the next round, with their new text."""
    read = {each.pk: each.indexed_at for each in group}
    now = Document.objects.filter(pk__in=read).select_for_update().values_list("pk", "indexed_at")
    return {pk for pk, at in now if read[pk] == at}


def _count(index: EmbeddingIndex) -> None:
    index.done = Chunk.objects.filter(index=index).order_by().values("document").distinct().count()
    index.total = index.done + remaining(index).count()
    index.save(update_fields=["done", "total"])


def _beat(index: EmbeddingIndex, more: int) -> None:
    index.done += more
    index.total = max(index.total, index.done)
    index.heartbeat_at = timezone.now()
    index.save(update_fields=["done", "total", "heartbeat_at"])


def _activate(index: EmbeddingIndex) -> bool:
    """Index the vectors, then change places with the index that answers; False where a document came in the meantime."""
    embedding_indexes.create_vector_index(index)
    with transaction.atomic():
        # Indexing takes the same lock, so no document can end up in the old index alone.
        old = EmbeddingIndex.objects.select_for_update().get(status=Status.ACTIVE)
        mine = EmbeddingIndex.objects.select_for_update().get(pk=index.pk)
        if mine.status != Status.BUILDING or remaining(index).exists():
            return False
        now = timezone.now()
        old.status, old.finished_at = Status.RETIRED, now
        old.save(update_fields=["status", "finished_at"])
        EmbeddingIndex.objects.filter(pk=index.pk).update(
            status=Status.ACTIVE, activated_at=now, finished_at=now, heartbeat_at=None, reason=""
        )
    index.refresh_from_db()
    indexing.recount(force=True)
    return True


def pause(index: EmbeddingIndex) -> None:
    if not EmbeddingIndex.objects.filter(pk=index.pk, status=Status.BUILDING).update(status=Status.PAUSED, heartbeat_at=None):
        raise NotPossible("It is not being built.")


def resume(index: EmbeddingIndex) -> None:
    if not EmbeddingIndex.objects.filter(pk=index.pk, status=Status.PAUSED).update(status=Status.BUILDING, heartbeat_at=None):
        raise NotPossible("It is not paused.")


def cancel(index: EmbeddingIndex, *, now: datetime) -> None:
    """Stop; what was made is kept for a week, so that starting again for the same model goes on there."""
    open_now = EmbeddingIndex.objects.filter(pk=index.pk, status__in=(Status.BUILDING, Status.PAUSED))
    if not open_now.update(status=Status.CANCELLED, finished_at=now, heartbeat_at=None):
        raise NotPossible("It is not being built.")


def fail(index: EmbeddingIndex, reason: str) -> None:
    index.status, index.reason, index.finished_at = Status.FAILED, reason[:300], timezone.now()
    index.save(update_fields=["status", "reason", "finished_at"])


def go_back(index: EmbeddingIndex) -> None:
    """Build on from a retired index: only what changed since is embedded, and then it answers again."""
    try:
        with transaction.atomic():
            changed = EmbeddingIndex.objects.filter(pk=index.pk, status=Status.RETIRED).update(
                status=Status.BUILDING, heartbeat_at=None
            )
    except IntegrityError as error:
        raise NotPossible("Another index is being built. Wait until it is done, or cancel it.") from error
    if not changed:
        raise NotPossible("Only an index that answered before can be gone back to.")


def remove_soon(index: EmbeddingIndex, *, now: datetime) -> None:
    """Let the worker remove it at its next turn: half a million rows take longer than a page should."""
    _must_be_unused(index)
    EmbeddingIndex.objects.filter(pk=index.pk).update(finished_at=now - KEPT)


def _must_be_unused(index: EmbeddingIndex) -> None:
    if index.status in (Status.ACTIVE, Status.BUILDING, Status.PAUSED):
        raise NotPossible("It is in use. Only an index that was replaced, cancelled or failed can be removed.")


def remove(index: EmbeddingIndex) -> int:
    """Delete the passages of an index that does not answer; the number of them. The row stays as a record."""
    _must_be_unused(index)
    embedding_indexes.drop_vector_index(index)
    removed = 0
    while some := list(Chunk.objects.filter(index=index).order_by().values_list("pk", flat=True)[:_REMOVED_AT_ONCE]):
        removed += Chunk.objects.filter(pk__in=some).order_by().delete()[0]
    return removed


def remove_old(*, now: datetime) -> None:
    unused = (Status.RETIRED, Status.CANCELLED, Status.FAILED)
    over = EmbeddingIndex.objects.filter(status__in=unused, finished_at__lte=now - KEPT)
    for index in over.filter(Exists(Chunk.objects.filter(index=OuterRef("pk")))):
        remove(index)
