"""The search index: whole, in use, and one search timed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from knowledge import embedding_indexes
from knowledge.models import Document
from operations import search_index
from tests import factories
from tests.operations.lookers import table

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def a_document(slug: str = "fever", *, passages: int = 2) -> Document:
    document = Document.objects.create(title=slug, origin="starter", slug=slug, status="in_review", text="x", indexed_at=NOW)
    factories.some_chunks(document, [("", f"Passage {number}.") for number in range(passages)])
    return document


def test_without_passages_every_question_is_declined() -> None:
    assert search_index.look(NOW).state in ("unknown", "breached")
    embedding_indexes.active()
    found = search_index.look(NOW)
    assert (found.answer, found.state) == ("No passage is indexed: every question is declined", "breached")


def test_a_search_is_timed_among_the_passages_that_are_there() -> None:
    a_document(passages=3)
    found = search_index.look(NOW)
    assert found.state == "good"
    assert found.answer.endswith("ms among 3 passages")
    facts = dict(found.facts)
    assert "dimensions" in facts["Model"]
    assert facts["Settings"] == "ef_search 120, iterative scan strict_order"
    assert facts["Citable documents without passages"] == "0"
    assert table(found, "Indexes of the knowledge")[0][1] == "Active"


def test_a_citable_document_without_passages_is_at_risk() -> None:
    a_document()
    Document.objects.create(title="Cough", origin="starter", slug="cough", status="in_review", text="x", indexed_at=NOW)
    found = search_index.look(NOW)
    assert (found.answer, found.state) == ("1 document that may be cited has no passages", "at_risk")


def test_whether_the_index_serves_is_read_from_the_plan() -> None:
    a_document(passages=3)
    index = embedding_indexes.active()
    # Without sorting only an index over the vectors gives an order: among three passages its cost is beside that of a sort.
    for off, by_index in (("enable_indexscan", False), ("enable_sort", True)):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_indexscan = on")
            cursor.execute(f"SET LOCAL {off} = off")
        tried = search_index.try_search(index)
        assert tried is not None
        assert tried.by_index is by_index


def test_a_missing_index_matters_where_there_are_many_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    a_document(passages=3)
    embedding_indexes.drop_vector_index(embedding_indexes.active())
    found = search_index.look(NOW)
    assert found.state == "good"
    assert "missing or broken" in found.said[0]
    monkeypatch.setattr(search_index, "SMALL", 2)
    found = search_index.look(NOW)
    assert (found.answer, found.state) == ("The vectors have no index", "breached")


@pytest.mark.parametrize(("done", "said"), [((0, 0, 0, 0), "beginning"), ((0, 0, 30, 120), "25 %"), ((50, 100, 1, 9), "50 %")])
def test_progress_is_a_share_of_rows_or_of_blocks(done: tuple[int, int, int, int], said: str) -> None:
    assert search_index._share(*done) == said
