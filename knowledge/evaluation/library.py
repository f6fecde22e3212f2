"""A corpus in the scratch database: registered, published, embedded in bulk, indexed.

Every step looks at what is there already, so a run that was stopped is taken up where it stood.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from knowledge import embedding_indexes, embeddings, indexing
from knowledge.evaluation.answers import Answer
from knowledge.evaluation.scratch import NotPossible
from knowledge.models import Chunk, Document, EmbeddingIndex

Say = Callable[[str], None]
_READER = "evaluation"
_BATCH = 1_000
_LOCK = 0x6A65_6576
_EVERY = 10.0


def fill(answers: Sequence[Answer], *, model: str, say: Say) -> int:
    """Make the connected database hold these answers, ready to be searched; the number of passages."""
    with _alone():
        index = _index(model)
        if _register(answers):
            embedding_indexes.drop_vector_index(index)
        _embed(say)
        if not embedding_indexes.has_vector_index(index):
            say("Indexing the vectors ...")
            embedding_indexes.create_vector_index(index)
        passages = Chunk.objects.filter(index=index).count()
        if passages != index.counted:
            indexing.recount(force=True)
            _analyze()
    return passages


def documents(corpus: str) -> dict[str, UUID]:
    """The documents of a corpus by the keys of their answers."""
    rows = Document.objects.filter(audience=corpus).values_list("key", "pk")
    return {key.partition(":")[2]: pk for key, pk in rows}


class _alone:
    """Two evaluations at once would load everything twice."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
            if not cursor.fetchone()[0]:
                raise NotPossible("Another evaluation is loading the same answers. Start this one when it has finished.")

    def __exit__(self, *_: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _index(model: str) -> EmbeddingIndex:
    found = EmbeddingIndex.objects.filter(status=EmbeddingIndex.Status.ACTIVE).first()
    return found or EmbeddingIndex.objects.create(
        model=model,
        dimensions=embeddings.dimensions(model),
        window=embeddings.window(model),
        status=EmbeddingIndex.Status.ACTIVE,
        activated_at=timezone.now(),
        finished_at=timezone.now(),
    )


def _register(answers: Sequence[Answer]) -> int:
    """Add the documents that are not here yet; how many."""
    here = set(Document.objects.values_list("key", flat=True))
    new = [each for each in answers if _key(each) not in here]
    reader, _ = get_user_model().objects.get_or_create(username=_READER)
    now = timezone.now()
    for start in range(0, len(new), _BATCH):
        with transaction.atomic():
            Document.objects.bulk_create(
                Document(
                    key=_key(each),
                    title=each.title,
                    text=each.text,
                    language=each.language,
                    audience=each.corpus,
                    publisher=each.publisher[:200],
                    url=each.url,
                    reviewed_by=reader,
                    reviewed_at=now,
                )
                for each in new[start : start + _BATCH]
            )
    return len(new)


def _key(answer: Answer) -> str:
    return f"{answer.corpus}:{answer.key}"[:200]


def _embed(say: Say) -> None:
    waiting = Document.objects.filter(status__in=(Document.Status.UPLOADED, Document.Status.INDEXING))
    total, done, started = waiting.count(), 0, time.monotonic()
    if not total:
        return
    embeddings.set_threads()
    said = started
    for group in _groups():
        indexing.index_all(group, sentences=False)
        done += len(group)
        if time.monotonic() - said > _EVERY or done == total:
            said = time.monotonic()
            say(_progress(done, total, said - started))


def _groups() -> Iterator[list[Document]]:
    """Documents that wait, in the order of their keys, so that a corpus always becomes the same passages."""
    while batch := list(
        Document.objects.filter(status__in=(Document.Status.UPLOADED, Document.Status.INDEXING)).order_by("key")[:_BATCH]
    ):
        yield from indexing.groups(batch)


def _progress(done: int, total: int, seconds: float) -> str:
    rate = done / seconds if seconds else 0.0
    left = f", about {(total - done) / rate:,.0f} s left" if rate and done < total else ""
    return f"Embedded {done:,} of {total:,} answers, {rate:,.0f} a second{left}"


def _analyze() -> None:
    """Statistics now: the planner would otherwise guess until the server gets to it."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE knowledge_chunk, knowledge_document, knowledge_term")
