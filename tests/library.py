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
from knowledge import embeddings, indexing, retrieval, starter, vocabulary
from knowledge.models import Document
from knowledge.passages import Passage, Vectors

_TABLES = ("knowledge_document", "knowledge_chunk")


@dataclass(frozen=True)
class Library:
    slugs: dict[UUID, str]

    def find(self, question: str) -> tuple[str, Vectors, list[Passage]]:
        """The question as it is searched, its vector, and what was found."""
        asked = vocabulary.widened(question)
        vector = vector_of(asked)
        return asked, vector, retrieval.search(asked, vector=vector)

    def confidence(self, question: str) -> float:
        asked, _, found = self.find(question)
        return evidence.confidence(asked, found)

    def documents(self, question: str) -> list[str]:
        """Slugs of the documents found, best first, each once."""
        return list(dict.fromkeys(self.slugs[each.document] for each in self.find(question)[2]))


@cache
def vector_of(text: str) -> Vectors:
    vectors: Vectors = embeddings.embed([text])[0]
    return vectors


@pytest.fixture(scope="session")
def shelf(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> dict[str, bytes]:
    """The rows of every starter article, as PostgreSQL copies them; nothing stays in the database."""
    with django_db_blocker.unblock(), transaction.atomic():
        starter.load()
        now = timezone.now()
        for document in indexing.due(now=now):
            if indexing.claim(document, now=now):
                document.refresh_from_db()
                indexing.index(document)
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
    return Library(dict(Document.objects.values_list("id", "slug")))
