"""Find the passages that answer a question: vectors and full text, fused by score, ties broken by id.

One statement brings the candidates of both halves with both scores, so the fusion is exact for every
candidate. Only citable documents and passages of the current model take part.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from pgvector import HalfVector

from knowledge import embeddings, indexing
from knowledge.models import Document
from knowledge.passages import Passage, Vectors

CANDIDATES = 40
Row = tuple[Any, ...]
# Cosine plus a quarter of the full-text score relative to the best one: fusing scores beat fusing ranks (docs/adr).
TEXT_WEIGHT = 0.25

_SEARCH = """
WITH citable AS (
    SELECT id FROM knowledge_document WHERE id = ANY(%(documents)s::uuid[])
), words AS (
    SELECT replace(plainto_tsquery(%(configuration)s::text::regconfig, %(question)s::text)::text, '&', '|')::tsquery AS query
), dense AS (
    SELECT c.id FROM knowledge_chunk c
    WHERE c.model = %(model)s::text AND c.document_id IN (SELECT id FROM citable)
    ORDER BY c.embedding <=> %(vector)s::halfvec LIMIT %(limit)s::int
), lexical AS (
    SELECT c.id FROM knowledge_chunk c, words w
    WHERE c.search @@ w.query AND c.model = %(model)s::text AND c.document_id IN (SELECT id FROM citable)
    ORDER BY ts_rank(c.search, w.query, 1) DESC, c.id LIMIT %(limit)s::int
)
SELECT c.id, c.document_id, c.heading, c.page, c.text, c.sentences, c.sentence_vectors,
       1 - (c.embedding <=> %(vector)s::halfvec) AS cosine, coalesce(ts_rank(c.search, w.query, 1), 0) AS rank,
       d.title, d.publisher, d.url, d.origin = 'starter' AND d.reviewed_at IS NULL AS unreviewed, c.position
FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id, words w
WHERE c.id IN (SELECT id FROM dense UNION SELECT id FROM lexical)
"""


def search(question: str, *, vector: Vectors, limit: int = 12, language: str = "en") -> list[Passage]:
    """The best passages, best first. `vector` is the question's embedding, shape (dimensions,).

    `score` is cosine + TEXT_WEIGHT x (full-text rank / best full-text rank), so from about 0 to 1.25.
    """
    rows = _candidates(question, vector, language)
    best = max((row[8] for row in rows), default=0.0) or 1.0
    fused = sorted(((row[7] + TEXT_WEIGHT * row[8] / best, row) for row in rows), key=lambda each: (-each[0], str(each[1][0])))
    return [_passage(score, row) for score, row in fused[:limit]]


def _candidates(question: str, vector: Vectors, language: str) -> list[Row]:
    documents = list(Document.objects.citable().filter(language=language).values_list("id", flat=True))
    values: dict[str, Any] = {
        "documents": documents,
        "configuration": indexing.search_configuration(language),
        "question": question,
        "model": embeddings.model_name(),
        "vector": HalfVector(vector.tolist()).to_text(),
        "limit": CANDIDATES,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SEARCH, values)
        rows: list[Row] = cursor.fetchall()
    return rows


def _passage(score: float, row: Row) -> Passage:
    chunk, document, heading, page, text, sentences, packed, cosine, _, title, publisher, url, unreviewed, position = row
    return Passage(
        chunk=chunk,
        document=document,
        title=title,
        publisher=publisher,
        url=url,
        heading=heading,
        position=position,
        page=page,
        unreviewed=unreviewed,
        score=float(score),
        cosine=float(cosine),
        text=text,
        sentences=tuple(sentences),
        vectors=indexing.unpack(packed, len(sentences)),
    )
