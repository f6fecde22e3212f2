"""Is the search index whole, in use and quick? The vectors' HNSW index, the passages behind it, and one timed search."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, OuterRef, TextField
from django.db.models.functions import Cast
from django.urls import reverse

from knowledge import embedding_indexes
from knowledge.models import Chunk, Document, EmbeddingIndex
from operations.figures import State
from operations.findings import Cell, Finding, Judged, Step, Table
from operations.index_use import size
from operations.phrases import count, lasted

# The guide's target for vector search.
TARGET_MS = 500
# Below it the planner reads every vector, which is exact and quick.
SMALL = 2_000
_STATES: dict[str, State] = {"active": "good", "building": "unknown", "paused": "at_risk", "failed": "breached"}
_SIZES = """
    SELECT coalesce(pg_relation_size(to_regclass(%s)), 0), pg_total_relation_size('knowledge_chunk'),
           n_live_tup, n_dead_tup, last_autovacuum, (SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelid = to_regclass(%s))
    FROM pg_stat_user_tables WHERE relid = 'knowledge_chunk'::regclass
"""
_BUILDING = """
    SELECT coalesce(c.relname, 'an index'), p.phase, p.tuples_done, p.tuples_total, p.blocks_done, p.blocks_total
    FROM pg_stat_progress_create_index p LEFT JOIN pg_class c ON c.oid = p.index_relid
    WHERE p.datname = current_database()
"""
_SETTINGS = """
    SELECT current_setting('hnsw.ef_search', true), current_setting('hnsw.iterative_scan', true), extversion
    FROM pg_extension WHERE extname = 'vector'
"""


@dataclass(frozen=True)
class Tried:
    """One search for the nearest passages of a passage that is there."""

    milliseconds: float
    by_index: bool


def look(now: datetime) -> Finding:
    index = EmbeddingIndex.objects.filter(status="active").first()
    if index is None:
        return Finding("search", _QUESTION, "No search index exists yet", "unknown", ("It is made with the first document.",))
    passages = Chunk.objects.filter(index=index).count()
    whole = embedding_indexes.has_vector_index(index)
    tried = try_search(index) if passages else None
    left_out = _not_indexed(index)
    answer, state = _answer(passages, whole, tried, left_out)
    return Finding(
        "search",
        _QUESTION,
        answer,
        state,
        tuple(_said(passages, whole, tried, left_out)),
        _facts(index, passages, tried, left_out),
        (_building(), _indexes(now)),
        steps=(
            Step(
                "Indexes by model",
                reverse("admin:knowledge_embeddingindex_changelist"),
                permission="knowledge.view_embeddingindex",
            ),
            Step("Runbook: slow search", reverse("admin:troubleshooting_runbook", args=["slow-search"])),
        ),
    )


_QUESTION = "Is the search index whole, in use and quick?"


def _answer(passages: int, whole: bool, tried: Tried | None, left_out: int) -> tuple[str, State]:
    if not passages:
        return "No passage is indexed: every question is declined", "breached"
    if not whole and passages > SMALL:
        return "The vectors have no index", "breached"
    if tried is None:
        return "A search did not end within two seconds", "breached"
    if tried.milliseconds > TARGET_MS:
        return f"A search takes {tried.milliseconds:,.0f} ms", "breached"
    if left_out:
        return f"{count(left_out, 'document that may be cited has', 'documents that may be cited have')} no passages", "at_risk"
    return f"A search takes {tried.milliseconds:,.0f} ms among {count(passages, 'passage', 'passages')}", "good"


def _said(passages: int, whole: bool, tried: Tried | None, left_out: int) -> list[str]:
    said = []
    if not whole:
        said.append("The index over the vectors is missing or broken: build it again on the page of indexes.")
    if tried and not tried.by_index and passages > SMALL:
        said.append("The planner reads every vector instead of the index. ANALYZE knowledge_chunk may put it right.")
    if tried and not tried.by_index and passages <= SMALL:
        said.append("So few passages are compared one by one, which is exact and quick; the index serves when there are more.")
    if left_out:
        said.append("The indexing worker takes them within a minute. If the number stays, look at workers and queues.")
    return said


def _facts(index: EmbeddingIndex, passages: int, tried: Tried | None, left_out: int) -> tuple[tuple[str, str], ...]:
    name = embedding_indexes.vector_index_name(index)
    with connection.cursor() as cursor:
        cursor.execute(_SIZES, [name, name])
        graph, table, live, dead, vacuumed, scans = cursor.fetchone()
        cursor.execute(_SETTINGS)
        ef_search, iterative, version = cursor.fetchone()
    # Only these lack something: the column of a passage's own vector cannot be empty.
    bare = Chunk.objects.filter(index=index, sentence_vectors=b"").count()
    return (
        ("Model", f"{index.model}, {index.dimensions:,} dimensions"),
        ("Index over the vectors", f"{size(graph)}, read {scans or 0:,} times"),
        ("Passages with everything", size(table)),
        ("Rows", f"{live:,} live, {dead:,} dead, {'vacuumed by itself' if vacuumed else 'never vacuumed by itself'}"),
        ("Passages without a vector", "0, the database refuses them"),
        ("Passages without vectors of their sentences", f"{bare:,}, made when they are first needed"),
        ("Citable documents without passages", f"{left_out:,}"),
        (
            "Sample search",
            f"{tried.milliseconds:,.1f} ms, {'by the index' if tried.by_index else 'one by one'}" if tried else "none",
        ),
        ("Settings", f"ef_search {ef_search or 'unset'}, iterative scan {iterative or 'unset'}"),
        ("pgvector", version),
        ("Model of the environment", str(settings.ENVIRONMENT.embedding_model)),
    )


def _not_indexed(index: EmbeddingIndex) -> int:
    passages = Chunk.objects.filter(document=OuterRef("pk"), index=index)
    return Document.objects.citable().order_by().filter(~Exists(passages)).count()


def try_search(index: EmbeddingIndex) -> Tried | None:
    """The nearest ten of a passage that is there, as retrieval asks for them; None when two seconds do not suffice."""
    width = int(index.dimensions)
    nearest = (
        f"SELECT c.id FROM knowledge_chunk c WHERE c.index_id = '{index.pk}' ORDER BY c.embedding::halfvec({width})"  # noqa: S608
        f" <=> %s::halfvec({width}) LIMIT 10"
    )
    vector = Chunk.objects.filter(index=index).order_by().values_list(Cast("embedding", TextField()), flat=True).first()
    if vector is None:
        return None
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '2s'")
            cursor.execute(f"EXPLAIN (FORMAT JSON) {nearest}", [vector])
            plan = str(cursor.fetchone()[0])
            started = time.monotonic()
            cursor.execute(nearest, [vector])
            cursor.fetchall()
            milliseconds = 1000 * (time.monotonic() - started)
    except DatabaseError:
        return None
    return Tried(milliseconds, embedding_indexes.vector_index_name(index) in plan)


def _building() -> Table:
    with connection.cursor() as cursor:
        cursor.execute(_BUILDING)
        found = cursor.fetchall()
    rows = tuple((name, phase, _share(*done)) for name, phase, *done in found)
    return Table("Indexes being built now", ("Index", "Step", "Done"), rows, "None.")


def _share(tuples: int, all_tuples: int, blocks: int, all_blocks: int) -> str:
    done, whole = (tuples, all_tuples) if all_tuples else (blocks, all_blocks)
    return f"{done * 100 // whole} %" if whole else "beginning"


def _indexes(now: datetime) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in EmbeddingIndex.objects.all()[:10]:
        alive: Any = each.heartbeat_at
        worked = f"{lasted(now - alive)} ago" if alive else "-"
        state = Judged(each.get_status_display(), _STATES.get(each.status, "unknown"))
        done = f"{each.done:,} of {each.total:,}" if each.total else "-"
        rows.append((each.model, state, done, worked, each.reason or "-"))
    columns = ("Model", "State", "Documents", "Worked on", "Reason")
    return Table("Indexes of the knowledge", columns, tuple(rows), numbers=(2,))
