"""A document's text becomes passages with vectors: all of them, or none.

Readers see the old passages until the new ones are complete, because both change in one commit. Several
documents at once are embedded together, which is how a large import becomes quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from knowledge import chunk_rows, chunking, embedding_indexes, embeddings, ready_vectors
from knowledge.chunk_rows import NewChunk
from knowledge.models import Chunk, Document, EmbeddingIndex
from knowledge.passages import Vectors

Status = Document.Status
STALLED_AFTER = timedelta(minutes=10)
# Words' document frequencies are counted anew when the passages have changed by this share since the last time.
_RECOUNT = 0.05
# Characters in one group: about half a thousand passages.
_MOST_TEXT = 300_000
_NO_TEXT = "The document has no readable text."


def due(*, now: datetime) -> list[Document]:
    """Documents to index: new ones, and those whose worker stopped halfway."""
    return list(Document.objects.filter(_free(now)).order_by("created_at", "id"))


def _free(now: datetime) -> Q:
    return Q(status=Status.UPLOADED) | Q(status=Status.INDEXING, updated_at__lt=now - STALLED_AFTER)


def is_starting_up() -> bool:
    """Whether starter articles still wait for their first indexing: the first minute of a new installation."""
    waiting = (Status.UPLOADED, Status.INDEXING)
    return Document.objects.filter(origin=Document.Origin.STARTER, status__in=waiting, indexed_at__isnull=True).exists()


def claim(document: Document, *, now: datetime) -> bool:
    """Whether this caller may index the document now."""
    free = Document.objects.filter(_free(now), pk=document.pk)
    return bool(free.update(status=Status.INDEXING, updated_at=now))


def claim_some(limit: int, *, now: datetime) -> list[Document]:
    """The next documents that wait, at most `limit`, taken for this caller alone."""
    with transaction.atomic():
        waiting = Document.objects.filter(_free(now)).order_by("created_at", "id")
        taken = list(waiting.select_for_update(skip_locked=True)[:limit])
        Document.objects.filter(pk__in=[each.pk for each in taken]).update(status=Status.INDEXING, updated_at=now)
    return taken


def groups(documents: Sequence[Document], *, touch: bool = True) -> Iterator[list[Document]]:
    """Documents that are embedded together: of one sort, and no more text than a few minutes' work. Each is touched when
    its turn comes, because one that lies still counts as stalled."""
    group: list[Document] = []
    for document in documents:
        sort_changes = group and bool(group[-1].key) != bool(document.key)
        if sort_changes or sum(len(each.text) for each in group) > _MOST_TEXT:
            yield _touched(group) if touch else group
            group = []
        group.append(document)
    if group:
        yield _touched(group) if touch else group


def _touched(group: list[Document]) -> list[Document]:
    Document.objects.filter(pk__in=[each.pk for each in group]).update(updated_at=timezone.now())
    return group


def index(document: Document) -> int:
    """Replace the document's passages; the number of them. A document without text fails with a reason."""
    return index_all([document])


def index_all(documents: Sequence[Document], *, sentences: bool = True) -> int:
    """Replace the passages of these documents in one commit; the number of passages.

    `sentences=False` leaves the vectors of the sentences for when somebody needs them: they cost more
    than everything else, and most documents of a large import are never cited.
    """
    into = embedding_indexes.active()
    cut = {document.pk: cut_up(document, into) for document in documents}
    for document in documents:
        if not cut[document.pk]:
            fail(document, _NO_TEXT)
    readable = [document for document in documents if cut[document.pk]]
    chunks = chunks_of([(document, cut[document.pk]) for document in readable], into=into, sentences=sentences)
    with transaction.atomic():
        if not EmbeddingIndex.objects.select_for_update().filter(pk=into.pk, status=EmbeddingIndex.Status.ACTIVE):
            # Another index took over while these were embedded.
            return index_all(readable, sentences=sentences)
        held = _unchanged(readable)
        # Of every index: one in the making takes the document up again, with its new text.
        Chunk.objects.filter(document__in=held).delete()
        chunk_rows.insert([each for each in chunks if each.document in held], index=into)
        for document in readable:
            if document.pk in held:
                _indexed(document)
    return len(chunks)


def _unchanged(documents: Sequence[Document]) -> set[UUID]:
    """Those whose words are still what was embedded. The others were rewritten meanwhile and wait for their turn: passages
    of an old text under a new one would be published by somebody who read the new one."""
    read = {each.pk: (each.content_hash, each.title, each.language) for each in documents}
    rows = Document.objects.filter(pk__in=read).order_by("pk").select_for_update()
    now = {pk: same for pk, *same in rows.values_list("pk", "content_hash", "title", "language")}
    return {pk for pk, words in read.items() if pk in now and tuple(now[pk]) == words}


def _indexed(document: Document) -> None:
    document.status = Status.RETIRED if document.retired_at else Status.PUBLISHED if document.reviewed_at else Status.IN_REVIEW
    document.indexed_at, document.reason = timezone.now(), ""
    Document.objects.filter(pk=document.pk).update(
        status=document.status, indexed_at=document.indexed_at, reason="", updated_at=document.indexed_at
    )


def cut_up(document: Document, into: EmbeddingIndex) -> list[chunking.Passage]:
    """The document's passages, each within the window of the index's model."""
    count = partial(embeddings.count_tokens, model=into.model)
    return chunking.passages(document.text, title=document.title, count=count, window=into.window)


def chunks_of(
    cut: Sequence[tuple[Document, list[chunking.Passage]]], *, into: EmbeddingIndex, sentences: bool = True
) -> list[NewChunk]:
    """Passages with their vectors, ready to be written."""
    whole = [text for document, passages in cut for text in texts(document.title, passages)[0]]
    parts = [text for document, passages in cut for text in texts(document.title, passages)[1]] if sentences else []
    # Two calls, because a batch of long and short texts together takes twice as long.
    vectors = ready_vectors.embed(whole, model=into.model)
    sentence_vectors = ready_vectors.embed(parts, model=into.model)
    row, start, chunks = count(), 0, []
    for document, passages in cut:
        for position, passage in enumerate(passages):
            end = start + len(passage.sentences)
            packed = pack(sentence_vectors[start:end]) if sentences else b""
            start = end
            chunks.append(_new(document, position, passage, vectors[next(row)], packed))
    return chunks


def _new(document: Document, position: int, passage: chunking.Passage, vector: Vectors, packed: bytes) -> NewChunk:
    return NewChunk(
        document=document.pk,
        title=document.title,
        language=document.language,
        position=position,
        heading=passage.heading,
        page=passage.page,
        text=passage.text,
        sentences=passage.sentences,
        embedding=vector,
        sentence_vectors=packed,
    )


def texts(title: str, passages: Sequence[chunking.Passage]) -> tuple[list[str], list[str]]:
    """What is embedded: each passage under its heading path, and each of its sentences."""
    heads = [heading_path(title, each.heading) for each in passages]
    whole = [f"{head}. {each.text}" if head else each.text for head, each in zip(heads, passages, strict=True)]
    return whole, [sentence for each in passages for sentence in each.sentences]


def heading_path(title: str, heading: str) -> str:
    return " > ".join(part for part in (title, heading) if part)


def pack(vectors: Vectors) -> bytes:
    return vectors.astype(np.float16).tobytes()


def unpack(packed: bytes, sentences: int) -> Vectors:
    """The sentence vectors of a chunk, shape (sentences, dimensions)."""
    return np.frombuffer(bytes(packed), dtype=np.float16).astype(np.float32).reshape(sentences, -1)


def recount(*, force: bool = False) -> bool:
    """Count words' document frequencies anew where enough has changed; whether it was done."""
    into = embedding_indexes.active()
    now = Chunk.objects.filter(index=into).count()
    if not force and abs(now - into.counted) <= _RECOUNT * max(into.counted, 1):
        return False
    chunk_rows.count_terms(into)
    EmbeddingIndex.objects.filter(pk=into.pk).update(counted_at=timezone.now())
    return True


def put_back(documents: Sequence[Document]) -> None:
    """Those that were not done wait again: what stopped the indexing was not their fault."""
    Document.objects.filter(pk__in=[each.pk for each in documents], status=Status.INDEXING).update(status=Status.UPLOADED)


def fail(document: Document, reason: str) -> None:
    document.status, document.reason = Status.INDEX_FAILED, reason
    Document.objects.filter(pk=document.pk).update(status=document.status, reason=reason[:300], updated_at=timezone.now())
