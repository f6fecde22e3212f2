"""The first release's data, brought to today's tables: its passages are found as before.

The tables of that time are made in a database of their own, so that the other tests' tables stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from knowledge import chunk_rows, embedding_indexes, indexing, retrieval
from knowledge.models import Chunk, Document, EmbeddingIndex, Term, UnansweredQuestion
from tests import fakes
from tests.factories import NOW

FIRST: list[tuple[str, str]] = [("knowledge", "0001_initial")]
NEW, OLD = "jeevo_migration_test", "all-MiniLM-L6-v2"
TEXTS = {
    "Dengue": "Rest and drink plenty of water while the fever lasts.",
    "Burns": "Cool the burn under running water for twenty minutes.",
    "Rabies": "Wash the bite with soap and water and see a doctor the same day.",
}


@contextmanager
def a_database_of_its_own() -> Iterator[None]:
    usual = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NEW} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {NEW}")
    try:
        _connect(NEW)
        yield
    finally:
        _connect(usual)
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {NEW} WITH (FORCE)")


def _connect(name: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = name


def migrate(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([*targets])
    return executor.loader.project_state(targets).apps


def as_the_first_release_left_it(apps: Any) -> None:
    """One published article, one in review, one whose question found nothing; and a passage of another model."""
    models = {name: apps.get_model("knowledge", name) for name in ("Document", "Chunk", "UnansweredQuestion")}
    meera = apps.get_model("auth", "User").objects.create(username="meera")
    for title, text in TEXTS.items():
        reviewed = (
            {"status": "published", "reviewed_by": meera, "reviewed_at": NOW} if title == "Dengue" else {"status": "in_review"}
        )
        document = models["Document"].objects.create(
            title=title, text=text, content_hash="h", origin="starter", slug=title.lower(), indexed_at=NOW, **reviewed
        )
        written(document, text, OLD)
    written(document, "A passage of a model that was tried and left.", "another-model", position=1)
    models["UnansweredQuestion"].objects.create(
        text="x", language="en", score=0.2, answer_key=uuid4(), resolved_at=NOW, nearest=document
    )


def written(document: Any, text: str, model: str, *, position: int = 0) -> None:
    """A row of the first release: its vector and its words, as that release wrote them."""
    (vector,) = fakes.embed([indexing.heading_path(document.title, "What to do") + ". " + text])
    values = "[" + ",".join(f"{value:.6g}" for value in vector) + "]"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO knowledge_chunk (id, document_id, position, heading, text, sentences, sentence_vectors, model,"
            " embedding, search) SELECT %s::uuid, %s::uuid, %s::int, 'What to do', %s::text, ARRAY[%s::text], %s::bytea,"
            " %s::text, %s::text::halfvec, to_tsvector('english', %s::text)",
            [uuid4(), document.pk, position, text, text, indexing.pack(np.asarray([vector])), model, values, text],
        )


@pytest.fixture(scope="module")
def _carried_over(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), a_database_of_its_own():
        as_the_first_release_left_it(migrate(FIRST))
        migrate(MigrationExecutor(connection).loader.graph.leaf_nodes("knowledge"))
        yield


pytestmark = pytest.mark.usefixtures("_carried_over", "fake_embed")


@pytest.mark.parametrize("title", TEXTS)
def test_every_passage_is_found_by_its_meaning_and_its_words(title: str) -> None:
    meaning = retrieval.search(retrieval.prepare(indexing.heading_path(title, "What to do") + ". " + TEXTS[title]))
    assert (meaning[0].title, round(meaning[0].cosine, 2)) == (title, 1.0)
    words = retrieval.search(retrieval.prepare(title.lower()))
    assert title in [each.title for each in words]
    assert words[0].text in TEXTS.values()


def test_each_model_has_its_index_and_the_bundled_one_answers() -> None:
    found = {each.model: (each.status, each.counted, each.chunks.count()) for each in EmbeddingIndex.objects.all()}
    assert found == {OLD: ("active", 3, 3), "another-model": ("retired", 1, 1)}
    active = embedding_indexes.active()
    assert (active.model, active.dimensions) == (OLD, 384)
    assert embedding_indexes.has_vector_index(active)


def weights() -> dict[str, str]:
    rows = Chunk.objects.filter(index__status="active").select_related("document")
    return {each.document.title: str(each.terms) for each in rows}


def test_words_are_weighed_as_those_of_a_new_document_are() -> None:
    carried, active = weights(), embedding_indexes.active()
    (vector,) = fakes.embed(["x"])
    with transaction.atomic():
        Chunk.objects.filter(index=active).delete()
        new = [
            chunk_rows.NewChunk(each.pk, each.title, "en", 0, "What to do", None, each.text, (each.text,), vector)
            for each in Document.objects.all()
        ]
        chunk_rows.insert(new, index=active)
        assert weights() == carried
        transaction.set_rollback(True)
    assert Term.objects.get(lexeme="water").passages == 3


def test_reviews_and_questions_are_as_they_were() -> None:
    states = {each.title: (each.status, each.reviewed_at, each.confirm_every_days) for each in Document.objects.all()}
    assert states == {"Dengue": ("published", NOW, 365), "Burns": ("in_review", None, 365), "Rabies": ("in_review", None, 365)}
    question = UnansweredQuestion.objects.get()
    assert (question.text, question.resolved_at, question.resolved_by) == ("x", NOW, None)
