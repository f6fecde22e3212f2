"""The starter articles, indexed once a session with the real model and put into a test's transaction when it asks.

A test that reads them names the plugin: `pytest_plugins = ("tests.library",)` and the fixture `library`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from conversations import evidence
from knowledge import embedding_indexes, embeddings, indexing, retrieval, starter, vocabulary
from knowledge.models import Chunk, Document, EmbeddingIndex
from knowledge.passages import Passage, Vectors

_TABLES = ("knowledge_term", "knowledge_document", "knowledge_chunk")


@dataclass(frozen=True)
class Library:
    slugs: dict[UUID, str]

    def find(self, question: str) -> tuple[str, Vectors, list[Passage]]:
        """The question as it is searched, its vector, and what was found."""
        query = query_of(question)
        return query.text, query.vector, retrieval.search(query)

    def confidence(self, question: str) -> float:
        asked, _, found = self.find(question)
        return evidence.confidence(asked, found)

    def documents(self, question: str) -> list[str]:
        """Slugs of the documents found, best first, each once."""
        return list(dict.fromkeys(self.slugs[each.document] for each in self.find(question)[2]))


def query_of(question: str) -> retrieval.Query:
    """As `retrieval.prepare`, with each text embedded once in a session."""
    text = vocabulary.widened(question)
    return retrieval.Query(question, text, _vectors(text), embedding_indexes.active())


@cache
def _vectors(text: str) -> Vectors:
    return embeddings.embed([text])


@pytest.fixture(scope="session")
def shelf(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> dict[str, bytes]:
    """The rows of every starter article, as PostgreSQL copies them; nothing stays in the database."""
    with django_db_blocker.unblock(), transaction.atomic():
        starter.load()
        now = timezone.now()
        indexing.index_all(indexing.claim_some(1000, now=now))
        indexing.recount()
        rows = {table: _copied(table) for table in _TABLES}
        transaction.set_rollback(True)
    return rows


def _copied(table: str) -> bytes:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copy:
        return b"".join(copy)


@pytest.fixture
def library(db: None, shelf: dict[str, bytes]) -> Library:
    """Every starter article in this test's transaction."""
    for table in _TABLES:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
            copy.write(shelf[table])
    with connection.cursor() as cursor:
        # Copied rows bring their numbers; the next new word needs one of its own.
        cursor.execute("SELECT setval('knowledge_term_id_seq', (SELECT max(id) FROM knowledge_term))")
    active = embedding_indexes.active()
    EmbeddingIndex.objects.filter(pk=active.pk).update(counted=Chunk.objects.count())
    return Library(dict(Document.objects.values_list("id", "slug")))
