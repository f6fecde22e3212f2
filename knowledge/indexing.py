"""A document's text becomes passages with vectors: all of them, or none.

Readers see the old passages until the new ones are complete, because both change in one commit.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from django.contrib.postgres.search import SearchVector
from django.db import transaction
from django.db.models import F, Q, Value
from django.utils import timezone

from knowledge import chunking, embeddings, ready_vectors
from knowledge.models import Chunk, Document
from knowledge.passages import Vectors

# PostgreSQL's own text search configurations; other languages are matched word for word.
_CONFIGURATIONS = {"en": "english", "hi": "hindi", "es": "spanish", "ta": "tamil", "ne": "nepali", "fr": "french"}
STALLED_AFTER = timedelta(minutes=10)


def search_configuration(language: str) -> str:
    return _CONFIGURATIONS.get(language.split("-")[0], "simple")


def due(*, now: datetime) -> list[Document]:
    """Documents to index: new ones, and those whose worker stopped halfway."""
    stalled = Q(status=Document.Status.INDEXING, updated_at__lt=now - STALLED_AFTER)
    return list(Document.objects.filter(Q(status=Document.Status.UPLOADED) | stalled).order_by("created_at", "id"))


def is_starting_up() -> bool:
    """Whether starter articles still wait for their first indexing: the first minute of a new installation."""
    waiting = (Document.Status.UPLOADED, Document.Status.INDEXING)
    return Document.objects.filter(origin=Document.Origin.STARTER, status__in=waiting, indexed_at__isnull=True).exists()


def claim(document: Document, *, now: datetime) -> bool:
    """Whether this caller may index the document now."""
    stalled = Q(status=Document.Status.INDEXING, updated_at__lt=now - STALLED_AFTER)
    free = Document.objects.filter(Q(status=Document.Status.UPLOADED) | stalled, pk=document.pk)
    return bool(free.update(status=Document.Status.INDEXING, updated_at=now))


def index(document: Document) -> int:
    """Replace the document's passages; the number of them. A document without text fails with a reason."""
    passages = chunking.passages(document.text)
    if not passages:
        fail(document, "The document has no readable text.")
        return 0
    chunks = _chunks(document, passages)
    with transaction.atomic():
        document.chunks.all().delete()
        Chunk.objects.bulk_create(chunks, batch_size=200)
        configuration = search_configuration(document.language)
        document.chunks.update(
            search=SearchVector(Value(document.title), weight="A", config=configuration)
            + SearchVector(F("heading"), weight="B", config=configuration)
            + SearchVector(F("text"), weight="C", config=configuration)
        )
        reviewed = document.reviewed_at is not None
        document.status = Document.Status.PUBLISHED if reviewed else Document.Status.IN_REVIEW
        document.indexed_at, document.reason = timezone.now(), ""
        document.save(update_fields=["status", "indexed_at", "reason", "updated_at"])
    return len(chunks)


def _chunks(document: Document, passages: list[chunking.Passage]) -> list[Chunk]:
    whole, parts = texts(document.title, passages)
    # Two calls, because a batch of long and short texts together takes twice as long.
    vectors, sentences = ready_vectors.embed(whole), ready_vectors.embed(parts)
    chunks, start = [], 0
    for position, (passage, vector) in enumerate(zip(passages, vectors, strict=True)):
        end = start + len(passage.sentences)
        chunks.append(
            Chunk(
                document=document,
                position=position,
                heading=passage.heading[:400],
                text=passage.text,
                sentences=list(passage.sentences),
                sentence_vectors=pack(sentences[start:end]),
                model=embeddings.model_name(),
                embedding=vector.tolist(),
            )
        )
        start = end
    return chunks


def texts(title: str, passages: list[chunking.Passage]) -> tuple[list[str], list[str]]:
    """What is embedded: each passage under its heading path, and each of its sentences."""
    whole = [heading_path(title, each.heading) + ". " + each.text for each in passages]
    return whole, [sentence for each in passages for sentence in each.sentences]


def heading_path(title: str, heading: str) -> str:
    return " > ".join(part for part in (title, heading) if part)


def pack(vectors: Vectors) -> bytes:
    return vectors.astype(np.float16).tobytes()


def unpack(packed: bytes, sentences: int) -> Vectors:
    """The sentence vectors of a chunk, shape (sentences, dimensions)."""
    return np.frombuffer(bytes(packed), dtype=np.float16).astype(np.float32).reshape(sentences, -1)


def put_back(document: Document) -> None:
    """Wait again: what stopped the indexing was not the document's fault."""
    Document.objects.filter(pk=document.pk, status=Document.Status.INDEXING).update(status=Document.Status.UPLOADED)


def fail(document: Document, reason: str) -> None:
    document.status, document.reason = Document.Status.INDEX_FAILED, reason
    document.save(update_fields=["status", "reason", "updated_at"])
