"""Which embedding model answers now, and the HNSW index over its vectors.

One row is active. Its vectors have an index of their own, because each model has its own dimensions;
the name and the predicate carry the row's key, so that a query that names the row finds it.
"""

from __future__ import annotations

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from knowledge import embeddings
from knowledge.models import Chunk, EmbeddingIndex

Status = EmbeddingIndex.Status
# Twice the usual care while it is built, so that a search finds as much with less looking (docs/adr/0020).
_LINKS, _CONSTRUCTION = 16, 256
# Bytes of the graph a passage takes in memory while it is built, beside its vector; and the least and the most to ask for.
_GRAPH, _LEAST, _MOST = 1_000, 512 * 2**20, 2 * 2**30


def active() -> EmbeddingIndex:
    """The index that answers. The first call of a new installation makes it, for the model that the environment names."""
    found = EmbeddingIndex.objects.filter(status=Status.ACTIVE).first()
    return found or _first()


def current_model() -> str:
    return active().model


@transaction.atomic
def _first() -> EmbeddingIndex:
    name = settings.ENVIRONMENT.embedding_model
    now = timezone.now()
    made, new = EmbeddingIndex.objects.get_or_create(
        status=Status.ACTIVE,
        defaults={
            "model": name,
            "dimensions": embeddings.dimensions(name),
            "window": embeddings.window(name),
            "activated_at": now,
            "finished_at": now,
        },
    )
    if new:
        create_vector_index(made)
    return made


def vector_index_name(index: EmbeddingIndex) -> str:
    return f"chunk_embedding_{index.pk.hex[-12:]}"


def has_vector_index(index: EmbeddingIndex) -> bool:
    """Whether the vectors are indexed and the index is whole: one that was interrupted stays behind as invalid."""
    with connection.cursor() as cursor:
        cursor.execute(
            # A restore may keep an index of the same name in a schema of its own.
            "SELECT i.indisvalid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
            " WHERE c.relname = %s AND pg_table_is_visible(c.oid)",
            [vector_index_name(index)],
        )
        found = cursor.fetchone()
    return bool(found and found[0])


def create_vector_index(index: EmbeddingIndex) -> None:
    """Make the HNSW index, without stopping anybody who reads or writes where no transaction is open."""
    if has_vector_index(index):
        return
    concurrently = "" if connection.in_atomic_block else "CONCURRENTLY"
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            # Rows written in this transaction have foreign keys still to be checked, and a table with such is not indexed.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"DROP INDEX {concurrently} IF EXISTS {vector_index_name(index)}")
        # On one transaction-less connection the default of 30 s would end the making of a large index.
        cursor.execute("SELECT set_config('statement_timeout', '0', false)")
        # A graph that does not fit takes many times as long.
        cursor.execute("SELECT set_config('maintenance_work_mem', %s, false)", [f"{_memory(index) // 1024}kB"])
        try:
            cursor.execute(
                f"CREATE INDEX {concurrently} {vector_index_name(index)} ON knowledge_chunk"
                f" USING hnsw ((embedding::halfvec({int(index.dimensions)})) halfvec_cosine_ops)"
                f" WITH (m = {_LINKS}, ef_construction = {_CONSTRUCTION}) WHERE index_id = '{index.pk}'"
            )
        finally:
            if not connection.needs_rollback:
                cursor.execute("SELECT set_config('statement_timeout', '30s', false)")
                cursor.execute("RESET maintenance_work_mem")


def _memory(index: EmbeddingIndex) -> int:
    passages = Chunk.objects.filter(index=index).count()
    return min(max(_LEAST, passages * (2 * int(index.dimensions) + _GRAPH)), _MOST)


def drop_vector_index(index: EmbeddingIndex) -> None:
    concurrently = "" if connection.in_atomic_block else "CONCURRENTLY"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {concurrently} IF EXISTS {vector_index_name(index)}")
