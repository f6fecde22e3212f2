"""What the search benchmark searches: MedQuAD as published documents, the same multiplied, and the questions asked of it.

The vectors of the multiplied passages are neighbours of real ones, with a cosine of about .8. The noise is the difference
of two other real vectors: noise of its own kind would fill dimensions that no language fills, where no graph finds its
way. Words, text and titles are copied as they are, but to another passage's neighbour: the vector that a question finds
would else stand over fifteen prints of one text, of which a search shows only one.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import Connection
from psycopg.types import TypeInfo

from knowledge import embedding_indexes, embeddings, indexing, retrieval
from knowledge.evaluation import data_files, datasets, library, scratch
from knowledge.evaluation.answers import Answer, medquad
from knowledge.models import Chunk, Document, EmbeddingIndex
from knowledge.passages import Vectors
from knowledge.retrieval import Query

QUERIES, BATCH = 300, 5_000
SEED, NEAR = 33, 0.8


def read(folder: Path, *, first: int | None) -> tuple[list[Answer], list[str]]:
    """The answers of MedQuAD, and as many questions of each sort: typed messages, the same under their subject, questions, searches."""
    found = medquad(data_files.path(folder, "medquad"))
    typed = data_files.rows(folder, "liveqa_questions", needs=("message",))
    sorts = [
        [each["message"] for each in typed],
        [f"{each.get('subject') or ''}. {each['message']}".lstrip(". ") for each in typed],
        [each.question for each in found if each.question],
        [each["question"] for each in data_files.rows(folder, "healthsearchqa", needs=("question",))],
    ]
    draw, questions = random.Random(SEED), list[str]()
    for left, texts in zip(range(len(sorts), 0, -1), sorts, strict=True):
        # A sort that has fewer leaves its share to those after it.
        questions += draw.sample(texts, min((QUERIES - len(questions)) // left, len(texts)))
    draw.shuffle(questions)
    return found[:first], questions


def load(answers: Sequence[Answer], *, say: library.Say) -> str:
    """A scratch database that holds them, ready to be searched; its name."""
    name = scratch.name_for(corpus=datasets.fingerprint(answers), model=embeddings.BUNDLED)
    scratch.make(name)
    scratch.drop_outdated(name)
    with scratch.connected(name):
        library.fill(answers, model=embeddings.BUNDLED, say=say)
    return name


def prepared(questions: Sequence[str]) -> list[Query]:
    return [retrieval.prepare(each) for each in questions]


def settled(queries: Sequence[Query]) -> None:
    """As after some weeks of use: what these questions find has its sentences' vectors, and the server has tidied up."""
    for query in queries:
        retrieval.search(query)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '0', false)")
        cursor.execute("VACUUM (ANALYZE) knowledge_chunk, knowledge_document, knowledge_term")


def driver() -> Connection[Any]:
    connection.ensure_connection()
    raw: Connection[Any] = connection.connection
    return raw


def stored(index: EmbeddingIndex) -> Iterator[tuple[list[Any], Vectors]]:
    """All passages' keys with their vectors as they are stored, in batches, made unit vectors."""
    statement = f"SELECT id, halfvec_send(embedding) FROM knowledge_chunk WHERE index_id = '{index.pk}' ORDER BY id"
    with driver().transaction(), closing(driver().cursor("stored", binary=True)) as cursor:
        cursor.execute(statement)
        while batch := cursor.fetchmany(BATCH):
            # The wire has two numbers of 16 bits before the vector, and the high byte first.
            halves = np.frombuffer(b"".join(packed[4:] for _, packed in batch), dtype=">f2").reshape(len(batch), -1)
            yield [key for key, _ in batch], unit(halves.astype(np.float32))


def unit(vectors: Vectors) -> Vectors:
    found: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def tenth(batches: Iterable[tuple[list[Any], Vectors]], queries: Vectors, *, nearest: int = 10) -> Vectors:
    """The distance of each query's tenth nearest passage, by comparing it with all of them."""
    best = np.full((len(queries), nearest), np.inf, dtype=np.float32)
    for _, vectors in batches:
        best = np.sort(np.concatenate([best, 1 - queries @ vectors.T], axis=1), axis=1)[:, :nearest]
    last: Vectors = best[:, -1]
    return last


def multiply(name: str, passages: int, *, say: library.Say) -> tuple[str, float]:
    """A copy of the database with this many passages; its name, and the seconds that indexing the vectors took if it was made now."""
    large = f"{scratch.PREFIX}large{name.removeprefix(scratch.PREFIX)}"
    if scratch.exists(large) and _is_whole(large, passages):
        return large, 0.0
    scratch.drop(large)
    scratch.drop_outdated(large)
    scratch._outside_a_transaction(f'CREATE DATABASE "{large}" TEMPLATE "{name}"')
    with scratch.connected(large):
        return large, _grow(passages, say)


def _is_whole(name: str, passages: int) -> bool:
    with scratch.connected(name):
        index = embedding_indexes.active()
        return index.counted >= passages and embedding_indexes.has_vector_index(index)


def _grow(passages: int, say: library.Say) -> float:
    index = embedding_indexes.active()
    here = Chunk.objects.filter(index=index).count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '0', false), set_config('maintenance_work_mem', '2GB', false)")
        cursor.execute("SELECT set_config('synchronous_commit', 'off', false), pg_get_indexdef('chunk_search'::regclass)")
        words = cursor.fetchone()[1]
        cursor.execute("DROP INDEX chunk_search")
        embedding_indexes.drop_vector_index(index)
        _copy_documents(cursor, math.ceil(passages / here) - 1)
        _copy_passages(cursor, index, passages - here, say)
        say("Indexing the words ...")
        cursor.execute(words)
        indexing.recount(force=True)
        say("Indexing the vectors ...")
        begun = time.perf_counter()
        embedding_indexes.create_vector_index(index)
        took = time.perf_counter() - begun
        cursor.execute("SELECT set_config('statement_timeout', '0', false)")
        cursor.execute("VACUUM (ANALYZE) knowledge_chunk, knowledge_document, knowledge_term")
    return took


def _columns(model: type[Chunk] | type[Document], changed: dict[str, str]) -> tuple[str, str]:
    names = [str(field.column) for field in model._meta.local_concrete_fields]
    return ", ".join(names), ", ".join(changed.get(name, f"o.{name}") for name in names)


def _copy_documents(cursor: Any, copies: int) -> None:
    into, values = _columns(Document, {"id": "md5(o.id::text || k)::uuid", "key": "o.key || '#' || k"})
    cursor.execute(
        f"INSERT INTO knowledge_document ({into}) SELECT {values} FROM knowledge_document o, generate_series(1, {copies}) k"
    )


def _copy_passages(cursor: Any, index: EmbeddingIndex, missing: int, say: library.Say) -> None:
    cursor.execute("CREATE TEMPORARY TABLE neighbour (source uuid, k int, embedding halfvec)")
    changed = {
        "id": "md5(o.id::text || n.k)::uuid",
        "document_id": "md5(o.document_id::text || n.k)::uuid",
        "embedding": "n.embedding",
    }
    into, values = _columns(Chunk, changed)
    batches, draw, k = list(stored(index)), np.random.default_rng(SEED), 0
    while missing > 0:
        k += 1
        for keys, vectors in batches:
            batch = list(zip(keys, vectors, strict=True))[:missing]
            missing -= len(batch)
            if not batch:
                break
            _stage([key for key, _ in batch], neighbours(vectors[: len(batch)], draw)[draw.permutation(len(batch))], k)
            cursor.execute(
                f"INSERT INTO knowledge_chunk ({into}) SELECT {values} FROM neighbour n JOIN knowledge_chunk o ON o.id = n.source"
            )
            cursor.execute("TRUNCATE neighbour")
        say(f"Copied the passages {k} times, {missing:,} to go")


def _stage(keys: Sequence[Any], vectors: Vectors, k: int) -> None:
    raw = driver()
    register_vector(raw)
    kinds = [TypeInfo.fetch(raw, each) for each in ("uuid", "int4", "halfvec")]
    with raw.cursor() as cursor, cursor.copy("COPY neighbour (source, k, embedding) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([kind.oid for kind in kinds if kind])
        for key, vector in zip(keys, vectors, strict=True):
            copy.write_row((key, k, HalfVector(vector)))


def neighbours(vectors: Vectors, draw: np.random.Generator) -> Vectors:
    """Unit vectors around these, with a cosine of about NEAR, spread as these are among themselves."""
    one, other = (vectors[draw.permutation(len(vectors))] for _ in range(2))
    apart = one - other
    apart /= np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-6)
    return unit(vectors + apart * np.float32(math.sqrt(1 / NEAR**2 - 1)))
