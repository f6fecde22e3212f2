"""A question as it is searched: misspelled names put right, the guideline's words beside the everyday ones, and a short
form of a long message. Whatever is changed is added beside what the person wrote or close to it, never instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from uuid import UUID

from django.db import connection

from knowledge import condensing, embeddings, spelling, vocabulary
from knowledge.chunk_rows import search_configuration
from knowledge.models import EmbeddingIndex

# Words of titles and headings, commonest first: the names a question can be put right with.
_MOST_NAMES = 20_000
_MOST_SUSPECTS, _MOST_UNKNOWN = 60, 12


@dataclass(frozen=True)
class Reading:
    text: str
    # None where the question is short or nothing is gained.
    short: str | None


def read(question: str, *, index: EmbeddingIndex, language: str = "en", short: str | None = None) -> Reading:
    """`short`: a short form made elsewhere; without one the rules make it for a long message."""
    put_right = partial(_put_right, index=index, language=language)
    if short is None and len(question.split()) > condensing.SHORT:
        short = condensing.condensed(question, partial(_rarity, language=language))
    return Reading(vocabulary.widened(put_right(question)), vocabulary.widened(put_right(short)) if short else None)


def _put_right(text: str, *, index: EmbeddingIndex, language: str) -> str:
    if not language.startswith("en"):
        return text
    lexicon = _lexicon(index.pk, index.model, index.counted, index.counted_at)
    suspects = spelling.suspects(text, lexicon=lexicon)
    if not suspects:
        return text
    # A message in another language in Latin letters has hundreds; putting those right would only make it worse.
    unknown = _unknown(suspects[:_MOST_SUSPECTS], language)
    return spelling.corrected(text, unknown=unknown, lexicon=lexicon) if len(unknown) <= _MOST_UNKNOWN else text


def _unknown(words: Sequence[str], language: str) -> set[str]:
    """Those that no passage has in any form."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w FROM unnest(%s::text[]) w WHERE NOT EXISTS ("
            "SELECT FROM unnest(to_tsvector(%s::text::regconfig, w)) u JOIN knowledge_term t ON t.lexeme = u.lexeme)",
            [list(words), search_configuration(language)],
        )
        return {word for (word,) in cursor.fetchall()}


def _rarity(sentences: list[str], *, language: str) -> list[float]:
    """For each, higher the fewer passages have its rarest word."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.place, min(t.passages) FROM unnest(%s::text[]) WITH ORDINALITY AS s(text, place),"
            " unnest(to_tsvector(%s::text::regconfig, s.text)) u JOIN knowledge_term t ON t.lexeme = u.lexeme"
            " WHERE t.passages > 0 GROUP BY s.place",
            [sentences, search_configuration(language)],
        )
        fewest = dict(cursor.fetchall())
    return [1 / fewest[place] if place in fewest else 0.0 for place in range(1, len(sentences) + 1)]


@lru_cache(maxsize=2)
def _lexicon(index: UUID, model: str, counted: int, counted_at: datetime | None) -> spelling.Lexicon:
    """Read anew when the words were counted anew, so that a process learns the names of new documents. A restore of the
    knowledge base sets the time as well, because what it puts in place may have as many passages."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word FROM ts_stat($$SELECT to_tsvector('simple', title) FROM knowledge_document WHERE status <> 'retired'$$)"
            " WHERE length(word) >= 4 AND word ~ '^[[:alpha:]]+$' ORDER BY ndoc DESC, word LIMIT %s",
            [_MOST_NAMES],
        )
        names = tuple(word for (word,) in cursor.fetchall())
    return spelling.Lexicon(names, embeddings.whole_words(model))
