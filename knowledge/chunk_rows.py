"""Passages into rows: vectors, words, and BM25's share of each word, in one statement for many passages.

The words are those of PostgreSQL's own text search, with the title and the heading counted more often
than the text. What a word is worth in itself (its document frequency) is kept apart in Term, so that a
new document changes no old row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from jeevo.ids import new_id
from knowledge.models import EmbeddingIndex
from knowledge.passages import Vectors

# PostgreSQL's own text search configurations; other languages are matched word for word.
_CONFIGURATIONS = {"en": "english", "hi": "hindi", "es": "spanish", "ta": "tamil", "ne": "nepali", "fr": "french"}
# BM25F (Robertson and Zaragoza, 2009): saturation, length of the text, how often a word of title or heading counts.
SATURATION, LENGTH, TITLE, HEADING = 1.2, 0.75, 3.0, 1.0
# Words of an average passage. A constant, so that the passages of one document do not depend on those of others;
# passages have about one length anyway.
AVERAGE_LENGTH = 60
PLACES = 1_000_000_000
# Rows of one statement: each takes milliseconds in the vector index, and a statement has 30 seconds.
_AT_ONCE = 300

_WORDS = """
    SELECT g.key, g.configuration,
           setweight(to_tsvector(g.configuration, g.title), 'A') || setweight(to_tsvector(g.configuration, g.heading), 'B')
           || setweight(to_tsvector(g.configuration, g.text), 'C') AS search
    FROM unnest(%(keys)s::uuid[], %(configurations)s::text[]::regconfig[], %(titles)s::text[], %(headings)s::text[],
                %(texts)s::text[]) AS g(key, configuration, title, heading, text)
"""
_NEW_TERMS = f"""
WITH words AS ({_WORDS}), found AS (
    SELECT DISTINCT u.lexeme FROM words w, unnest(w.search) AS u
)
INSERT INTO knowledge_term (lexeme, passages)
SELECT f.lexeme, 0 FROM found f WHERE NOT EXISTS (SELECT FROM knowledge_term t WHERE t.lexeme = f.lexeme)
ORDER BY f.lexeme ON CONFLICT (lexeme) DO NOTHING
"""
TERM_WEIGHTS = f"""
    SELECT coalesce(
        '{{' || string_agg(t.id || ':' || round((f.often * {SATURATION + 1} / (f.often + {SATURATION}))::numeric, 4), ',')
        || '}}/{PLACES}', '{{}}/{PLACES}')::sparsevec
    FROM (SELECT {1 - LENGTH} + {LENGTH} * count(*) / {AVERAGE_LENGTH}.0 AS norm
          FROM unnest(w.search) AS x, unnest(x.weights) AS p WHERE p NOT IN ('A', 'B')) AS l,
         unnest(w.search) AS u
         JOIN knowledge_term t ON t.lexeme = u.lexeme,
         LATERAL (SELECT sum(CASE p WHEN 'A' THEN {TITLE} WHEN 'B' THEN {HEADING} ELSE 1 / l.norm END)::float AS often
                  FROM unnest(u.weights) AS p) AS f
"""
_INSERT = f"""
WITH words AS MATERIALIZED ({_WORDS})
INSERT INTO knowledge_chunk
    (id, document_id, index_id, position, heading, page, text, sentences, sentence_vectors, embedding, search, terms)
SELECT g.key, g.document, %(index)s::uuid, g.position, g.heading, nullif(g.page, 0), g.text,
       ARRAY(SELECT jsonb_array_elements_text(g.sentences::jsonb)), g.sentence_vectors, g.embedding::halfvec, w.search,
       ({TERM_WEIGHTS})
FROM unnest(%(keys)s::uuid[], %(documents)s::uuid[], %(positions)s::int[], %(headings)s::text[], %(pages)s::int[],
            %(texts)s::text[], %(sentences)s::text[], %(sentence_vectors)s::bytea[], %(embeddings)s::text[])
     AS g(key, document, position, heading, page, text, sentences, sentence_vectors, embedding)
JOIN words w ON w.key = g.key
"""


@dataclass(frozen=True)
class NewChunk:
    document: UUID
    # Of the document; the words of both halves begin with it.
    title: str
    language: str
    position: int
    heading: str
    page: int | None
    text: str
    sentences: tuple[str, ...]
    embedding: Vectors
    # Packed, one row a sentence; empty to leave them for later.
    sentence_vectors: bytes = b""


def search_configuration(language: str) -> str:
    return _CONFIGURATIONS.get(language.split("-")[0], "simple")


def insert(chunks: Sequence[NewChunk], *, index: EmbeddingIndex) -> None:
    """Write the passages; call it inside a transaction, so that a document is there whole or not at all."""
    for start in range(0, len(chunks), _AT_ONCE):
        _insert(chunks[start : start + _AT_ONCE], index)


def _insert(chunks: Sequence[NewChunk], index: EmbeddingIndex) -> None:
    values: dict[str, Any] = {
        "index": index.pk,
        "keys": [new_id() for _ in chunks],
        "documents": [each.document for each in chunks],
        "configurations": [search_configuration(each.language) for each in chunks],
        "titles": [each.title for each in chunks],
        "headings": [each.heading[:400] for each in chunks],
        "positions": [each.position for each in chunks],
        "pages": [each.page or 0 for each in chunks],
        "texts": [each.text for each in chunks],
        "sentences": [json.dumps(each.sentences, ensure_ascii=False) for each in chunks],
        "sentence_vectors": [each.sentence_vectors for each in chunks],
        "embeddings": ["[" + ",".join(f"{value:.6g}" for value in each.embedding) + "]" for each in chunks],
    }
    with connection.cursor() as cursor:
        cursor.execute(_NEW_TERMS, values)
        cursor.execute(_INSERT, values)


def count_terms(index: EmbeddingIndex) -> int:
    """Count anew in how many passages of the index each word stands; the number of passages counted."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Half a million passages take longer than a statement may.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT count(*) FROM knowledge_chunk WHERE index_id = %s", [index.pk])
        (passages,) = cursor.fetchone()
        cursor.execute(
            """
            UPDATE knowledge_term t SET passages = coalesce(s.ndoc, 0)
            FROM knowledge_term k LEFT JOIN ts_stat(%s) s ON s.word = k.lexeme
            WHERE t.id = k.id AND t.passages IS DISTINCT FROM coalesce(s.ndoc, 0)
            """,
            [f"SELECT search FROM knowledge_chunk WHERE index_id = '{index.pk}'"],
        )
    EmbeddingIndex.objects.filter(pk=index.pk).update(counted=passages)
    index.counted = passages
    return int(passages)
