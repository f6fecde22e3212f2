"""A document's passages change all at once or not at all, and only one worker does it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone

from knowledge import chunk_rows, embedding_indexes, embeddings, indexing, tasks
from knowledge.models import DIMENSIONS, Chunk, Document
from knowledge.passages import Vectors
from tests import factories

Status = Document.Status
TEXT = "## Care\n\nRest in bed. Drink water.\n\n## Help\n\nSee a doctor."


def a_document(text: str = TEXT, **fields: Any) -> Document:
    return Document.objects.create(**{"title": "Flu", "text": text, "content_hash": "x"} | fields)


def texts(document: Document) -> list[str]:
    return list(document.chunks.order_by("position").values_list("text", flat=True))


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_document_becomes_passages_with_vectors_and_words() -> None:
    document = a_document()
    assert indexing.index(document) == 2
    chunk = document.chunks.get(position=0)
    assert (chunk.heading, chunk.text, chunk.sentences) == ("Care", "Rest in bed. Drink water.", ["Rest in bed.", "Drink water."])
    assert chunk.index == embedding_indexes.active()
    assert indexing.unpack(bytes(chunk.sentence_vectors), 2).shape == (2, DIMENSIONS)
    assert "'drink'" in str(chunk.search)
    assert "'flu':1A" in str(chunk.search)
    document.refresh_from_db()
    assert document.indexed_at is not None
    assert document.status == Status.IN_REVIEW


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_the_vector_of_a_passage_is_made_with_its_title_and_heading(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    real = embeddings.embed

    def spy(given: list[str], *, model: str) -> Vectors:
        seen.extend(given)
        return real(given, model=model)

    monkeypatch.setattr(embeddings, "embed", spy)
    indexing.index(a_document())
    assert seen[:2] == ["Flu > Care. Rest in bed. Drink water.", "Flu > Help. See a doctor."]
    assert seen[2:] == ["Rest in bed.", "Drink water.", "See a doctor."]


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_reviewed_document_stays_published_when_it_is_indexed_again() -> None:
    document = a_document(reviewed_by=factories.staff(), reviewed_at=timezone.now())
    indexing.index(document)
    document.refresh_from_db()
    assert document.status == Status.PUBLISHED


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_retired_document_stays_retired_when_it_is_indexed_again() -> None:
    staff, now = factories.staff(), timezone.now()
    document = a_document(reviewed_by=staff, reviewed_at=now, retired_by=staff, retired_at=now)
    indexing.index(document)
    document.refresh_from_db()
    assert document.status == Status.RETIRED


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "   \n", "## Only a heading"])
def test_a_document_without_text_fails_with_a_reason(text: str) -> None:
    document = a_document(text)
    assert indexing.index(document) == 0
    document.refresh_from_db()
    assert (document.status, document.reason) == (Status.INDEX_FAILED, "The document has no readable text.")
    assert not document.chunks.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_an_error_in_the_model_keeps_the_old_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    document = a_document()
    indexing.index(document)
    before = texts(document)

    def broken(_: list[str], *, model: str) -> Vectors:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(embeddings, "embed", broken)
    document.text = "New words only."
    with pytest.raises(RuntimeError):
        indexing.index(document)
    assert texts(document) == before


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_an_error_in_the_middle_of_writing_keeps_the_old_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector of the wrong length is refused by the database after the old passages were deleted."""
    document = a_document()
    indexing.index(document)
    before = texts(document)
    monkeypatch.setattr(embeddings, "embed", lambda given, model: np.ones((len(given), 3), dtype=np.float32))
    document.text = "New words only."
    with pytest.raises(Exception, match="expected 384 dimensions"):
        indexing.index(document)
    assert texts(document) == before
    document.refresh_from_db()
    assert document.status == Status.IN_REVIEW


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_indexing_again_replaces_every_passage() -> None:
    document = a_document()
    indexing.index(document)
    document.text = "Only this remains."
    indexing.index(document)
    assert texts(document) == ["Only this remains."]


@pytest.mark.django_db
def test_new_documents_and_stalled_ones_are_due_oldest_first() -> None:
    now = timezone.now()
    old, new = a_document(title="old"), a_document(title="new")
    stalled, fresh, done = (a_document(title=title) for title in ("stalled", "fresh", "done"))
    for document, minutes in ((stalled, 11), (fresh, 9)):
        Document.objects.filter(pk=document.pk).update(status=Status.INDEXING, updated_at=now - timedelta(minutes=minutes))
    Document.objects.filter(pk=done.pk).update(status=Status.IN_REVIEW)
    assert indexing.due(now=now) == [old, new, stalled]


@pytest.mark.django_db
def test_a_document_is_claimed_once_until_its_worker_stalls() -> None:
    document, now = a_document(), timezone.now()
    assert indexing.claim(document, now=now) is True
    assert indexing.claim(document, now=now) is False
    assert indexing.claim(document, now=now + timedelta(minutes=9)) is False
    assert indexing.claim(document, now=now + timedelta(minutes=11)) is True


@pytest.mark.django_db
@pytest.mark.parametrize("status", [Status.IN_REVIEW, Status.PUBLISHED, Status.RETIRED, Status.INDEX_FAILED])
def test_only_what_waits_can_be_claimed(status: str) -> None:
    who: dict[str, Any] = {"reviewed_by": factories.staff(), "reviewed_at": timezone.now()}
    assert indexing.claim(a_document(status=status, **who), now=timezone.now()) is False


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_at_the_same_moment_one_gets_the_document() -> None:
    document, now = a_document(), timezone.now()
    start, got = threading.Barrier(4), []

    def work() -> None:
        start.wait()
        got.append(indexing.claim(document, now=now))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False, False, False, True]


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_the_task_indexes_all_that_waits_and_nothing_twice() -> None:
    documents = [a_document(title=f"Flu {number}") for number in range(3)]
    tasks.index_due()
    first = set(Chunk.objects.values_list("pk", flat=True))
    assert {document.chunks.count() for document in documents} == {2}
    tasks.index_due()
    assert set(Chunk.objects.values_list("pk", flat=True)) == first


def test_vectors_come_out_of_the_packing_as_they_went_in() -> None:
    vectors = np.random.default_rng(1).normal(size=(5, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    packed = indexing.pack(vectors)
    assert len(packed) == 5 * DIMENSIONS * 2
    assert np.allclose(indexing.unpack(packed, 5), vectors, atol=1e-3)
    assert np.allclose(indexing.unpack(memoryview(packed), 5), vectors, atol=1e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize(("language", "expected"), [("en", "english"), ("en-GB", "english"), ("hi", "hindi"), ("sw", "simple")])
def test_full_text_follows_the_language_of_the_document(language: str, expected: str) -> None:
    assert chunk_rows.search_configuration(language) == expected


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_record_rewritten_while_it_is_indexed_waits_for_its_turn_with_the_new_text() -> None:
    document = a_document()
    Document.objects.filter(pk=document.pk).update(text="New words.", content_hash="new", status=Status.UPLOADED)
    indexing.index(document)
    document.refresh_from_db()
    assert document.status == Status.UPLOADED


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_passages_of_an_old_text_are_never_put_under_a_new_one() -> None:
    """A slow worker embedded the old words; meanwhile they were rewritten and another worker indexed the new ones."""
    slow = a_document()
    Document.objects.filter(pk=slow.pk).update(text="New words.", content_hash="new")
    indexing.index(Document.objects.get(pk=slow.pk))
    indexing.index(slow)
    assert texts(slow) == ["New words."]


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_fault_of_one_document_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = a_document("Bad words."), a_document("Good words.", title="Cold")
    real = indexing._indexed

    def refuse(document: Document) -> None:
        if document.pk == bad.pk:
            raise IntegrityError("a constraint of this document alone")
        real(document)

    monkeypatch.setattr(indexing, "_indexed", refuse)
    tasks.index_due()
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, good.status) == (Status.INDEX_FAILED, Status.IN_REVIEW)
    assert "IntegrityError" in bad.reason


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_while_the_database_is_away_documents_wait_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [a_document(), a_document(title="Cold")]

    def away(_: object) -> None:
        raise OperationalError("the connection was lost")

    monkeypatch.setattr(indexing, "_indexed", away)
    with pytest.raises(OperationalError):
        tasks.index_due()
    assert {Document.objects.get(pk=each.pk).status for each in documents} == {Status.UPLOADED}


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_a_long_document_is_written_in_slices_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_rows, "_AT_ONCE", 2)
    document = a_document("\n\n".join(f"## Part {number}\n\nRest for {number} days." for number in range(5)))
    assert indexing.index(document) == 5
    assert texts(document) == [f"Rest for {number} days." for number in range(5)]
