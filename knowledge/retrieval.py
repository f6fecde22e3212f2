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

from knowledge import asking, embedding_indexes, embeddings, indexing, ranking, reranking
from knowledge.chunk_rows import PLACES, SATURATION, search_configuration
from knowledge.models import Chunk, EmbeddingIndex, Term
from knowledge.passages import Passage, Vectors
from knowledge.ranking import Candidate, Ranked

# Of each half. More finds nothing that would come among the first twelve.
CANDIDATES = 100
# The rarest words of the question are looked up until together they stand in this many passages: a word that
# stands everywhere says nothing, and reading its list is what makes full text slow.
MOST_POSTINGS = 4_000
# And beyond that only while they stand in hardly any.
FEWEST_POSTINGS = CANDIDATES


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
    rarity = _rarities({lexeme for row in rows for lexeme in row[6]}, query.index.counted)
    return [
        Candidate(
            chunk=row[0],
            document=row[1],
            title=row[2],
            heading=row[3],
            cosines=tuple(map(float, row[4])),
            text=float(row[5]),
            title_words={lexeme: rarity.get(lexeme, 0.0) for lexeme in row[6]},
        )
        for row in rows
    ]


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
        if postings >= FEWEST_POSTINGS and postings + word.passages > MOST_POSTINGS:
            break
        postings += word.passages
        chosen.append(word)
    return chosen


def _weights(words: Sequence[_Word], passages: int) -> str:
    """The question as a sparse vector of inverse document frequencies (BM25's): its product with a passage is BM25."""
    return "{" + ",".join(f"{each.term}:{_rarity(each.passages, passages):.4f}" for each in words) + "}/" + str(PLACES)


def _rarity(stands_in: int, passages: int) -> float:
    return math.log(1 + (max(passages - stands_in, 0) + 0.5) / (stands_in + 0.5))


def _rarities(lexemes: set[str], passages: int) -> dict[str, float]:
    known = Term.objects.filter(lexeme__in=lexemes).values_list("lexeme", "passages")
    return {lexeme: _rarity(stands_in, passages) for lexeme, stands_in in known}


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
WITH dense AS ({nearest}), lexical AS (
    SELECT c.id FROM knowledge_chunk c JOIN knowledge_document d ON d.id = c.document_id
    WHERE c.search @@ %(words)s::tsquery AND {of_index} AND {citable}
    ORDER BY c.terms <#> %(weights)s::sparsevec, c.id LIMIT %(limit)s::int
)
SELECT c.id, c.document_id, d.title, c.heading, ARRAY[{cosines}], -(c.terms <#> %(weights)s::sparsevec),
       tsvector_to_array(ts_filter(c.search, '{{a}}'))
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
    """Reading the whole table looks cheap to the planner for a common word, and unpacks every passage's words."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('enable_seqscan', 'off', true)")
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _rows(statement: str, values: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _filled(order: Sequence[Ranked], query: Query, limit: int) -> list[Passage]:
    # Twice as many as are wanted, because some repeat a better one.
    best = order[: 2 * limit]
    chunks = Chunk.objects.select_related("document").defer("embedding", "search", "terms", "document__text")
    rows = chunks.in_bulk([each.candidate.chunk for each in best])
    pairs: list[tuple[Ranked, Chunk]] = []
    for each in best:
        chunk = rows.get(each.candidate.chunk)
        if chunk is not None and len(pairs) < limit and not ranking.repeats(chunk.text, [other.text for _, other in pairs]):
            pairs.append((each, chunk))
    _fill_sentences([chunk for _, chunk in pairs], query.index)
    return [_passage(each, chunk) for each, chunk in pairs]


def _fill_sentences(chunks: Sequence[Chunk], index: EmbeddingIndex) -> None:
    """Embed the sentences that a large import left out, and keep them for the next question."""
    bare = [chunk for chunk in chunks if chunk.sentences and not chunk.sentence_vectors]
    if not bare:
        return
    vectors = embeddings.embed([sentence for chunk in bare for sentence in chunk.sentences], model=index.model)
    start = 0
    for chunk in bare:
        chunk.sentence_vectors = indexing.pack(vectors[start : start + len(chunk.sentences)])
        start += len(chunk.sentences)
        Chunk.objects.filter(pk=chunk.pk).update(sentence_vectors=chunk.sentence_vectors)


def _passage(each: Ranked, chunk: Chunk) -> Passage:
    document = chunk.document
    return Passage(
        chunk=chunk.pk,
        document=document.pk,
        title=document.title,
        publisher=document.publisher,
        url=document.url,
        heading=chunk.heading,
        position=chunk.position,
        page=chunk.page,
        unreviewed=document.is_unreviewed_starter,
        score=each.score,
        cosine=each.cosine,
        text=chunk.text,
        sentences=tuple(chunk.sentences),
        vectors=np.asarray(indexing.unpack(bytes(chunk.sentence_vectors), len(chunk.sentences))),
        parts=each.parts,
    )
