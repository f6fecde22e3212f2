"""Find the passages that answer a question: vectors and full text, fused by score, ties broken by id.

    prepare   the question is read (knowledge.asking) and embedded      (the model; only in a worker)
    words     its words, their document frequencies, the rarest first   (one statement)
    found     the best of each half with the scores of both             (one statement, one for the titles' words)
    ranked    one figure for each candidate                             (knowledge.ranking, pure)
    filled    the texts of those that are returned, repeats left out    (one statement)

Only citable documents and passages of the active embedding model take part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from pgvector import HalfVector

from jeevo import measures
from knowledge import asking, embedding_indexes, embeddings, indexing, ranking, reranking
from knowledge.chunk_rows import PLACES, SATURATION, search_configuration
from knowledge.models import Chunk, EmbeddingIndex
from knowledge.passages import Passage, Vectors
from knowledge.ranking import Candidate, Ranked

# Of each half. More finds nothing that would come among the first twelve.
CANDIDATES = 100
# The rarest words of the question bring candidates while together they stand in at most so many passages. A commoner
# word scores what was found and brings nothing: what it could bring stands behind (docs/adr/0019).
MOST_POSTINGS = 1_000
# A question whose every word is common still brings its rarest.
MOST_ALONE = 4 * MOST_POSTINGS
# A subquery for each word, because a join would read every word there is.
_TITLE_WORDS = """
SELECT c.id, array_agg(u.lexeme), array_agg(coalesce((SELECT t.passages FROM knowledge_term t WHERE t.lexeme = u.lexeme), 0))
FROM knowledge_chunk c, LATERAL (SELECT ts_filter(c.search, '{a}') AS words OFFSET 0) title, unnest(title.words) u
WHERE c.id = ANY(%(chunks)s::uuid[]) AND title.words @@ %(words)s::tsquery GROUP BY c.id
"""
_TEXTS = "SELECT id, text FROM knowledge_chunk WHERE id = ANY(%(chunks)s::uuid[])"
# Of a passage and its document, what is shown or goes into an answer, in the order of `_passage`.
_WHOLE = """
SELECT c.id, c.document_id, d.title, d.publisher, d.url, c.heading, c.position, c.page,
       d.origin = 'starter' AND d.reviewed_at IS NULL, c.text, c.sentences, c.sentence_vectors
FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id WHERE c.id = ANY(%(chunks)s::uuid[])
"""
_SLOW_WAYS = ("seqscan", "hashjoin", "mergejoin")


@dataclass(frozen=True)
class Query:
    """A question made ready. `vectors`: shape (n, dimensions), the whole question first, then its short form if it has one."""

    question: str
    # As its words are searched: spelled right, and with the guideline's words beside the everyday ones.
    text: str
    vectors: Vectors
    index: EmbeddingIndex
    language: str = "en"

    @property
    def vector(self) -> Vectors:
        whole: Vectors = self.vectors[0]
        return whole


@dataclass(frozen=True)
class Filters:
    language: str | None = "en"
    audience: str | None = None
    # A document under review that takes part although it is not published; for clinicians only.
    under_review: UUID | None = None
    # Only these documents take part; an evaluation ranks a few that were judged.
    within: tuple[UUID, ...] | None = None

    @property
    def values(self) -> dict[str, Any]:
        """What stands behind the names in the condition of `_citable`."""
        return {
            "language": self.language,
            "audience": self.audience,
            "under_review": self.under_review,
            "within": list(self.within) if self.within is not None else None,
        }


@dataclass(frozen=True)
class _Word:
    term: int
    lexeme: str
    # In how many passages it stands.
    passages: int


def prepare(question: str, *, short: str | None = None, language: str = "en") -> Query:
    """Read and embed the question; loads the model. `short`: a short form somebody made; else the rules make one."""
    index = embedding_indexes.active()
    reading = asking.read(question, index=index, language=language, short=short)
    texts = [reading.text] if reading.short is None else [reading.text, reading.short]
    return Query(question, reading.text, embeddings.embed(texts, model=index.model), index, language)


@measures.vector_search_duration.time()
def search(query: Query, *, filters: Filters | None = None, limit: int = 12) -> list[Passage]:
    """The best passages, best first, near-repeats left out; `Passage.parts` says why each was found."""
    words = _words(query)
    best = _filled(_ranked(query, words, _found(query, words, filters or Filters())), query, max(limit, _reranked()))
    return reranking.reranked(query.question, best)[:limit]


def _reranked() -> int:
    """How many passages the cross-encoder reads; none without one."""
    return reranking.READ if settings.ENVIRONMENT.reranker_model else 0


def found(query: Query, *, filters: Filters | None = None) -> list[Candidate]:
    """The best passages of each half, in no order, with the scores of both."""
    return _found(query, _words(query), filters or Filters())


def ranked(query: Query, candidates: Sequence[Candidate]) -> list[Ranked]:
    """The order in which they answer the question."""
    return _ranked(query, _words(query), candidates)


def _found(query: Query, words: Sequence[_Word], filters: Filters) -> list[Candidate]:
    rows = _candidate_rows(query, words, filters)
    titles = _title_words(rows, words, query.index.counted)
    return [
        Candidate(
            chunk=row[0],
            document=row[1],
            title=row[2],
            heading=row[4],
            cosines=tuple(row[5]),
            text=row[6],
            title_words=titles.get((row[2], row[3]), {}),
        )
        for row in rows
    ]


def _title_words(rows: Sequence[Any], words: Sequence[_Word], passages: int) -> dict[tuple[str, str], dict[str, float]]:
    """Of each title in its language that names a word of the question, the lexemes and how rare each is."""
    # Read from one passage of all those that stand under it.
    under = {row[0]: (row[2], row[3]) for row in {(row[2], row[3]): row for row in rows}.values()}
    named = _rows(_TITLE_WORDS, {"chunks": list(under), "words": _as_query(words)})
    return {
        under[chunk]: {lexeme: _rarity(stands_in, passages) for lexeme, stands_in in zip(lexemes, counts, strict=True)}
        for chunk, lexemes, counts in named
    }


def _ranked(query: Query, words: Sequence[_Word], candidates: Sequence[Candidate]) -> list[Ranked]:
    rarity = {word.lexeme: _rarity(word.passages, query.index.counted) for word in words}
    is_read = embeddings.reads(query.language, model=query.index.model)
    meaning = ranking.meaning_of(query.text, is_read=is_read)
    asked = ranking.Asked(query.text, rarity, (SATURATION + 1) * sum(rarity.values()), meaning)
    return ranking.rank(asked, candidates)


def _words(query: Query) -> list[_Word]:
    """The question's words that stand in some passage, the rarest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.id, t.lexeme, t.passages FROM unnest(to_tsvector(%s::text::regconfig, %s::text)) u"
            " JOIN knowledge_term t ON t.lexeme = u.lexeme ORDER BY t.passages, t.lexeme",
            [search_configuration(query.language), query.text],
        )
        return [_Word(*row) for row in cursor.fetchall()]


def _rarest(words: Sequence[_Word]) -> list[_Word]:
    chosen: list[_Word] = []
    postings = 0
    for word in words:
        postings += word.passages
        if postings > (MOST_POSTINGS if chosen else MOST_ALONE):
            break
        chosen.append(word)
    return chosen


def _weights(words: Sequence[_Word], passages: int) -> str:
    """The question as a sparse vector of inverse document frequencies (BM25's): its product with a passage is BM25."""
    return "{" + ",".join(f"{each.term}:{_rarity(each.passages, passages):.4f}" for each in words) + "}/" + str(PLACES)


def _rarity(stands_in: int, passages: int) -> float:
    return math.log(1 + (max(passages - stands_in, 0) + 0.5) / (stands_in + 0.5))


def _as_query(words: Sequence[_Word]) -> str:
    """A tsquery of any of the words; a lexeme is quoted, because it may hold any sign."""
    return " | ".join("'" + word.lexeme.replace("\\", "\\\\").replace("'", "''") + "'" for word in words)


def _citable(filters: Filters) -> str:
    """The condition on the document `d`; its values come with the statement."""
    citable = "d.status = 'published'"
    if settings.ENVIRONMENT.serve_starter_content:
        citable += " OR d.status = 'in_review' AND d.origin = 'starter'"
    if filters.under_review:
        citable += " OR d.id = %(under_review)s::uuid"
    conditions = [f"({citable})"]
    if filters.language:
        conditions.append("d.language = %(language)s::text")
    if filters.audience:
        conditions.append("d.audience = %(audience)s::text")
    if filters.within is not None:
        conditions.append("d.id = ANY(%(within)s::uuid[])")
    return " AND ".join(conditions)


def _statement(query: Query, filters: Filters, *, exact: bool) -> str:
    index, size, citable = query.index, int(query.index.dimensions), _citable(filters)
    # Written out, because a parameter would hide from the planner which HNSW index this is.
    of_index = f"c.index_id = '{index.pk}'"
    # With a sum around it the order cannot come from the index, and every passage of the documents is compared.
    distance = f"(c.embedding::halfvec({size}) <=> %(vector_{{n}})s::halfvec({size}))" + (" + 0" if exact else "")
    nearest = " UNION ".join(
        f"(SELECT c.id FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id WHERE {of_index} AND {citable}"
        f" ORDER BY {distance.format(n=n)} LIMIT %(limit)s::int)"
        for n in range(len(query.vectors))
    )
    cosines = ", ".join(
        f"1 - (c.embedding::halfvec({size}) <=> %(vector_{n})s::halfvec({size}))" for n in range(len(query.vectors))
    )
    return f"""
WITH dense AS ({nearest}), said AS (
    SELECT c.id, c.document_id, c.terms <#> %(weights)s::sparsevec AS far FROM knowledge_chunk c
    WHERE c.search @@ %(words)s::tsquery AND {of_index} ORDER BY far, c.id OFFSET 0
), lexical AS (
    SELECT s.id FROM said s JOIN knowledge_document d ON d.id = s.document_id WHERE {citable}
    ORDER BY s.far, s.id LIMIT %(limit)s::int
)
SELECT c.id, c.document_id, d.title, d.language, c.heading, ARRAY[{cosines}], -(c.terms <#> %(weights)s::sparsevec)
FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id
WHERE c.id IN (SELECT id FROM dense UNION SELECT id FROM lexical)
"""


def _values(query: Query, words: Sequence[_Word], filters: Filters) -> dict[str, Any]:
    return {
        "words": _as_query(_rarest(words)),
        "weights": _weights(words, query.index.counted),
        "limit": CANDIDATES,
        **filters.values,
        **{f"vector_{n}": HalfVector(vector.tolist()).to_text() for n, vector in enumerate(query.vectors)},
    }


@measures.vector_db_duration.time()
def _candidate_rows(query: Query, words: Sequence[_Word], filters: Filters) -> list[Any]:
    values = _values(query, words, filters)
    rows = _by_indexes(_statement(query, filters, exact=False), values)
    if len(rows) < CANDIDATES and _starved(query, filters, len(rows)):
        rows = _rows(_statement(query, filters, exact=True), values)
    return rows


def _starved(query: Query, filters: Filters, rows: int) -> bool:
    """Whether the filters left more than was found: the scan of the index gives up after its last allowed tuple."""
    citable = _citable(filters)
    ((there,),) = _rows(
        "SELECT count(*) FROM (SELECT 1 FROM knowledge_document d JOIN knowledge_chunk c ON c.document_id = d.id"
        f" WHERE {citable} AND c.index_id = '{query.index.pk}' LIMIT {CANDIDATES}) AS there",
        filters.values,
    )
    return bool(there > rows)


def _by_indexes(statement: str, values: dict[str, Any]) -> list[Any]:
    """Reading a whole table looks cheap to the planner for a common word; it unpacks every passage's words."""
    with transaction.atomic():
        _rows("SELECT " + ", ".join(f"set_config('enable_{way}', 'off', true)" for way in _SLOW_WAYS), {})
        return _rows(statement, values)


def _rows(statement: str, values: dict[str, Any]) -> list[Any]:
    with measures.database_query_duration.time(), connection.cursor() as cursor, connection.wrap_database_errors:
        # Past Django's own `execute`, which cannot ask for binary results: sentences' vectors then come in half the bytes.
        return list(cursor.cursor.execute(statement, values, binary=True).fetchall())


def _filled(order: Sequence[Ranked], query: Query, limit: int) -> list[Passage]:
    chosen = _distinct(order, limit)
    rows = _with_sentences(_rows(_WHOLE, {"chunks": list(chosen)}), query.index)
    whole = {row[0]: row for row in rows}
    return [_passage(each, whole[key]) for key, each in chosen.items() if key in whole]


def _distinct(order: Sequence[Ranked], limit: int) -> dict[UUID, Ranked]:
    """The best that repeat no better one, best first."""
    # Twice as many as are wanted, because some repeat a better one.
    best = {each.candidate.chunk: each for each in order[: 2 * limit]}
    texts = dict(_rows(_TEXTS, {"chunks": list(best)}))
    chosen: dict[UUID, Ranked] = {}
    for key, each in best.items():
        if len(chosen) < limit and key in texts and not ranking.repeats(texts[key], [texts[other] for other in chosen]):
            chosen[key] = each
    return chosen


def _with_sentences(rows: Sequence[Any], index: EmbeddingIndex) -> list[Any]:
    """Embed the sentences that a large import left out, and keep them for the next question."""
    bare = [(row[0], row[10]) for row in rows if row[10] and not row[11]]
    if not bare:
        return list(rows)
    vectors = embeddings.embed([sentence for _, sentences in bare for sentence in sentences], model=index.model)
    start, packed = 0, {}
    for key, sentences in bare:
        packed[key] = indexing.pack(vectors[start : start + len(sentences)])
        start += len(sentences)
        Chunk.objects.filter(pk=key).update(sentence_vectors=packed[key])
    return [(*row[:11], packed.get(row[0], row[11])) for row in rows]


def _passage(each: Ranked, row: Any) -> Passage:
    chunk, document, title, publisher, url, heading, position, page, unreviewed, text, sentences, packed = row
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
        score=each.score,
        cosine=each.cosine,
        text=text,
        sentences=tuple(sentences),
        vectors=np.asarray(indexing.unpack(packed, len(sentences))),
        parts=each.parts,
    )
