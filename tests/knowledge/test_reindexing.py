"""Changing the embedding model: the old index answers until the new one is whole, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from knowledge import embedding_indexes, embeddings, indexing, reindexing, retrieval, tasks
from knowledge.models import Chunk, Document, EmbeddingIndex
from tests import factories, tiny_models

Status = EmbeddingIndex.Status
pytestmark = pytest.mark.django_db
ARTICLES = {
    "Fever": "## Care\n\nGive water to a child with fever. Rest.\n\n## Help\n\nSee a doctor.",
    "Burns": "Cool the burn with water.",
    "Dengue": "## Care\n\nDrink water. Rest. See a doctor.",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model of 48 dimensions."""
    return str(tiny_models.embedding_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def library() -> list[Document]:
    return [factories.a_document(title, text) for title, text in ARTICLES.items()]


def first(question: str) -> str:
    return retrieval.search(retrieval.prepare(question))[0].title


def forever() -> bool:
    return False


def after(steps: int) -> Callable[[], bool]:
    """Says stop after so many questions."""
    asked = iter(range(steps))
    return lambda: next(asked, None) is None


def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindexing, "_GROUP", 1)


def test_a_model_of_another_size_answers_once_its_index_is_whole(library: list[Document], small: str) -> None:
    before = embedding_indexes.active()
    index = reindexing.begin(small, by="meera", now=timezone.now())
    assert reindexing.work(index, until=forever) is False
    index.refresh_from_db()
    assert (index.status, index.dimensions, index.window) == (Status.ACTIVE, 48, tiny_models.WINDOW)
    assert index.done == index.total == 3
    assert embedding_indexes.active() == index
    assert {len(each.embedding) for each in Chunk.objects.filter(index=index)} == {48}
    assert embedding_indexes.has_vector_index(index)
    assert {each.title for each in retrieval.search(retrieval.prepare("water for a burn"))} == set(ARTICLES)
    before.refresh_from_db()
    assert before.status == Status.RETIRED


def test_the_old_index_answers_while_the_new_one_is_made(
    library: list[Document], small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_at_a_time(monkeypatch)
    index = reindexing.begin(small, by="meera", now=timezone.now())
    assert reindexing.work(index, until=after(2)) is True
    assert (index.done, index.total) == (2, 3)
    assert embedding_indexes.active().model == embeddings.BUNDLED
    assert first("how do I cool a burn") == "Burns"
    assert len(retrieval.search(retrieval.prepare("a burn"))) == Chunk.objects.filter(index=embedding_indexes.active()).count()


def test_cancelled_work_is_kept_and_gone_on_with(library: list[Document], small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one_at_a_time(monkeypatch)
    index = reindexing.begin(small, by="meera", now=timezone.now())
    reindexing.work(index, until=after(2))
    reindexing.cancel(index, now=timezone.now())
    assert reindexing.work(index, until=forever) is False
    assert embedding_indexes.active().model == embeddings.BUNDLED
    made = set(Chunk.objects.filter(index=index).values_list("pk", flat=True))
    again = reindexing.begin(small, by="ravi", now=timezone.now())
    assert again == index
    reindexing.work(again, until=forever)
    assert embedding_indexes.active() == index
    assert made < set(Chunk.objects.filter(index=index).values_list("pk", flat=True))


def test_a_document_that_changes_meanwhile_is_in_the_new_index_with_its_new_text(
    library: list[Document], small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_at_a_time(monkeypatch)
    index = reindexing.begin(small, by="meera", now=timezone.now())
    reindexing.work(index, until=after(3))
    changed = library[0]
    changed.text = "Give nothing but rest."
    changed.save()
    indexing.index(changed)
    late = factories.a_document("Rash", "Wash the skin with water.")
    reindexing.work(index, until=forever)
    assert [each.text for each in Chunk.objects.filter(index=index, document=changed)] == ["Give nothing but rest."]
    assert Chunk.objects.filter(index=index, document=late).exists()


def test_rebuilding_makes_every_vector_anew_from_the_text(library: list[Document]) -> None:
    active = embedding_indexes.active()
    wrong = np.full(384, 0.05, dtype=np.float32).tolist()
    Chunk.objects.update(embedding=wrong)
    call_command("reindex", "--rebuild")
    assert embedding_indexes.active() != active
    assert embedding_indexes.active().model == active.model
    assert first("how do I cool a burn") == "Burns"


def test_two_indexes_are_never_made_at_once(library: list[Document], small: str) -> None:
    reindexing.begin(small, by="meera", now=timezone.now())
    with pytest.raises(reindexing.NotPossible, match="Another index is being built"):
        reindexing.begin("another", by="ravi", now=timezone.now())


def test_of_two_workers_one_gets_the_work_until_its_heart_stops(small: str) -> None:
    now = timezone.now()
    index = reindexing.begin(small, by="meera", now=now)
    assert reindexing.due(now=now) == index
    assert reindexing.claim(index, now=now) is True
    assert reindexing.claim(index, now=now + timedelta(seconds=30)) is False
    assert reindexing.due(now=now + timedelta(seconds=30)) is None
    assert reindexing.claim(index, now=now + reindexing.LEASE + timedelta(seconds=1)) is True


def test_a_model_that_is_not_there_fails_with_what_to_do(library: list[Document]) -> None:
    index = reindexing.begin("/no/such/folder", by="meera", now=timezone.now())
    with pytest.raises(reindexing.NotPossible, match="could not be"):
        reindexing.work(index, until=forever)
    index.refresh_from_db()
    assert index.status == Status.FAILED
    assert "folder" in index.reason
    assert first("how do I cool a burn") == "Burns"


def test_the_index_before_can_be_gone_back_to_with_what_came_since(library: list[Document], small: str) -> None:
    before = embedding_indexes.active()
    call_command("reindex", "--model", small)
    late = factories.a_document("Rash", "Wash the skin with water.")
    call_command("reindex", "--go-back")
    assert embedding_indexes.active() == before
    assert Chunk.objects.filter(index=before, document=late).exists()
    assert first("how do I cool a burn") == "Burns"


def test_an_old_index_is_removed_after_a_week_and_the_one_that_answers_never(library: list[Document], small: str) -> None:
    before = embedding_indexes.active()
    call_command("reindex", "--model", small)
    reindexing.remove_old(now=timezone.now() + reindexing.KEPT - timedelta(minutes=1))
    assert Chunk.objects.filter(index=before).exists()
    reindexing.remove_old(now=timezone.now() + reindexing.KEPT + timedelta(minutes=1))
    assert not Chunk.objects.filter(index=before).exists()
    assert not embedding_indexes.has_vector_index(before)
    with pytest.raises(reindexing.NotPossible, match="in use"):
        reindexing.remove(embedding_indexes.active())
    assert retrieval.search(retrieval.prepare("water"))


def test_the_vector_index_is_used_by_the_search(library: list[Document]) -> None:
    """The predicate must be written out: a parameter would hide it from the planner."""
    query = retrieval.prepare("water for a burn")
    statement = retrieval._statement(query, retrieval.Filters(), exact=False)
    values = retrieval._values(query, retrieval._words(query), retrieval.Filters())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("EXPLAIN " + statement, values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert embedding_indexes.vector_index_name(query.index) in plan


def test_the_command_says_what_answers_and_what_is_made(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("reindex", "--model", small, "--background")
    call_command("reindex", "--status")
    said = capsys.readouterr().out
    assert f"{embeddings.BUNDLED} answers (384 dimensions)." in said
    assert f"{small}: building, 0 of 0 documents." in said
    call_command("reindex", "--cancel")
    assert EmbeddingIndex.objects.get(model=small).status == Status.CANCELLED


def test_the_command_says_when_there_is_nothing_to_go_back_to() -> None:
    with pytest.raises(CommandError, match="No other index has answered before"):
        call_command("reindex", "--go-back")


def test_pausing_and_resuming(library: list[Document], small: str) -> None:
    index = reindexing.begin(small, by="meera", now=timezone.now())
    reindexing.pause(index)
    assert reindexing.due(now=timezone.now()) is None
    assert reindexing.work(index, until=forever) is False
    reindexing.resume(index)
    assert reindexing.work(index, until=forever) is False
    assert embedding_indexes.active() == index
    with pytest.raises(reindexing.NotPossible, match="not being built"):
        reindexing.pause(index)


def test_the_worker_works_for_a_while_and_comes_back(
    library: list[Document], small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other documents wait in the same lane, so an index of hours is built in turns."""
    one_at_a_time(monkeypatch)
    monkeypatch.setattr(tasks, "TURN", -1.0)
    sent: list[str] = []
    monkeypatch.setattr(tasks.reindex_due, "apply_async", lambda **_: sent.append("again"))
    index = reindexing.begin(small, by="meera", now=timezone.now())
    tasks.reindex_due()
    index.refresh_from_db()
    assert (index.status, index.heartbeat_at, sent) == (Status.BUILDING, None, ["again"])
    monkeypatch.setattr(tasks, "TURN", 60.0)
    tasks.reindex_due()
    assert embedding_indexes.active() == index
    assert sent == ["again"]


def test_the_worker_survives_a_model_that_is_not_there() -> None:
    index = reindexing.begin("/no/such/folder", by="meera", now=timezone.now())
    tasks.reindex_due()
    index.refresh_from_db()
    assert index.status == Status.FAILED
