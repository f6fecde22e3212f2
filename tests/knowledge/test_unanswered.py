"""Unanswered questions: grouped without a word unsealed, promised a document, dealt with, and taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from knowledge import embedding_indexes, embeddings, grouping, unanswered
from knowledge.models import Document, UnansweredQuestion
from tests import factories, fakes
from tests.factories import HOUR, NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_embed")]
DAY = timedelta(days=1)


def a_question(words: str, *, at: Any = NOW, placed: bool = True, **fields: Any) -> UnansweredQuestion:
    model = embedding_indexes.current_model()
    vector = {"vector": grouping.pack(fakes.embed([words])[0]), "model": model} if placed else {}
    usual = {"language": "en", "score": 0.3, "answer_key": uuid4()}
    row = UnansweredQuestion.objects.create(text=words, **usual | vector | fields)
    UnansweredQuestion.objects.filter(pk=row.pk).update(created_at=at)
    row.created_at = at
    return row


def break_seal(row: UnansweredQuestion, column: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE knowledge_unansweredquestion SET {column} = 'nonsense'::bytea WHERE id = %s", [row.pk])


def test_questions_of_one_meaning_are_one_group_with_what_they_have_in_common() -> None:
    dengue = factories.a_document("Dengue", "Dengue is a fever.")
    first = a_question("cost of an mri scan", at=NOW - DAY, language="en", score=0.2)
    a_question("cost of an mri scan", at=NOW - HOUR, language="hi", nearest=dengue, score=0.4)
    a_question("cost of an mri scan please", language="en")
    alone = a_question("cabbage and thyroid")
    largest, other = unanswered.grouped()
    assert (largest.count, largest.first, largest.last) == (3, first.created_at, NOW)
    assert (largest.languages, largest.nearest, largest.score, largest.promised) == ([("en", 2), ("hi", 1)], dengue.pk, 0.4, None)
    assert (other.keys, other.nearest) == ([alone.pk], None)


def test_grouping_reads_no_words_and_loads_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    row = a_question("cost of an mri scan")
    break_seal(row, "text")
    monkeypatch.setattr(embeddings, "embed", None)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        (only,) = unanswered.grouped()
    assert only.keys == [row.pk]
    assert not any('"text"' in each["sql"] for each in asked.captured_queries)
    assert len(asked) == 2


def test_vectors_are_sealed_because_they_tell_much_of_the_words() -> None:
    row = a_question("cost of an mri scan")
    with connection.cursor() as cursor:
        cursor.execute("SELECT vector, text FROM knowledge_unansweredquestion")
        vector, text = (bytes(each) for each in cursor.fetchone())
    assert row.vector.encode() not in vector
    assert vector.startswith(b"gAAAA")
    assert b"an mri scan" not in text


def test_a_vector_that_cannot_be_read_makes_a_group_of_its_own() -> None:
    a_question("cost of an mri scan")
    odd = a_question("cost of an mri scan", vector="no vector")
    sealed = a_question("cost of an mri scan")
    break_seal(sealed, "vector")
    assert [each.count for each in unanswered.grouped()] == [1, 1, 1]
    assert {odd.pk, sealed.pk} < {key for each in unanswered.grouped() for key in each.keys}


def test_words_no_key_opens_are_said_to_be_so_and_others_are_read() -> None:
    good, bad = a_question("cabbage"), a_question("mri")
    break_seal(bad, "text")
    assert unanswered.words([good.pk, bad.pk, uuid4()]) == {good.pk: "cabbage", bad.pk: unanswered.MISSING}


def test_questions_of_another_model_wait_until_a_worker_places_them() -> None:
    placed = a_question("cost of an mri scan")
    old = a_question("cost of an mri scan", model="an older model")
    bare = a_question("cost of an mri scan", placed=False)
    assert [each.keys for each in unanswered.grouped()] == [[placed.pk]]
    assert {each.pk for each in unanswered.ungrouped()} == {old.pk, bare.pk}
    assert unanswered.fill_vectors() == 2
    (only,) = unanswered.grouped()
    assert only.count == 3
    assert unanswered.ungrouped() == []
    assert unanswered.fill_vectors() == 0


def test_one_that_cannot_be_read_is_not_placed_for_ever() -> None:
    row = a_question("mri", placed=False)
    break_seal(row, "text")
    assert [unanswered.fill_vectors(), unanswered.fill_vectors()] == [1, 0]
    assert [each.keys for each in unanswered.grouped()] == [[row.pk]]


def test_only_the_newest_are_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unanswered, "NEWEST", 2)
    rows = [a_question(f"question{number}", at=NOW + number * HOUR) for number in range(4)]
    assert {key for each in unanswered.grouped() for key in each.keys} == {rows[2].pk, rows[3].pk}


def test_the_longest_address_stays_under_what_a_server_reads() -> None:
    rows = tuple(unanswered.Row(uuid4(), NOW, "en", 0.1, None, None) for _ in range(500))
    group = unanswered.QuestionGroup(rows)
    assert len(group.linked) < 3_000
    assert unanswered.keys_in(group.linked) == group.keys[: unanswered.LINKED]
    assert unanswered.keys_in(group.all_keys, most=unanswered.NEWEST) == group.keys


@pytest.mark.parametrize("linked", ["", ",", "no key", "1,2", "'; DROP TABLE x", "\x00", "-" * 5000])
def test_what_is_no_key_is_left_out(linked: str) -> None:
    key = uuid4()
    assert unanswered.keys_in(linked) == []
    assert unanswered.keys_in(f"{linked},{key},{key.hex}") == [key]


def test_a_promised_document_deals_with_its_questions_when_it_is_published() -> None:
    by, document = factories.staff(), factories.a_document("MRI", "What an MRI costs.")
    rows = [a_question("cost of an mri scan"), a_question("price of mri"), a_question("cabbage")]
    assert unanswered.promise(document, [rows[0].pk, rows[1].pk]) == 2
    assert unanswered.waiting().count() == 3
    assert {each.promised for each in unanswered.grouped()} == {document.pk, None}
    assert unanswered.published(document, by=by, now=NOW) == 2
    assert [each.keys for each in unanswered.grouped()] == [[rows[2].pk]]
    rows[0].refresh_from_db()
    assert (rows[0].resolved_at, rows[0].resolved_by, rows[0].document) == (NOW, by, document)
    assert unanswered.published(document, by=by, now=NOW) == 0


def test_dealing_with_questions_by_hand_can_be_taken_back_and_takes_nothing_else_back() -> None:
    meera, ravi = factories.staff(), factories.staff("ravi")
    mine, theirs = a_question("cabbage"), a_question("mri")
    assert unanswered.resolve([theirs.pk], by=ravi, now=NOW - DAY) == 1
    assert unanswered.resolve([mine.pk, theirs.pk], by=meera, now=NOW) == 1
    assert unanswered.reopen([mine.pk, theirs.pk], resolved_at=NOW) == 1
    assert list(unanswered.waiting()) == [mine]
    mine.refresh_from_db()
    assert (mine.resolved_at, mine.resolved_by) == (None, None)
    assert unanswered.reopen([theirs.pk]) == 1


def test_a_promise_survives_its_document_going_away() -> None:
    document = Document.objects.create(title="MRI", text="x", content_hash="h")
    row = a_question("mri")
    unanswered.promise(document, [row.pk])
    document.delete()
    promised: UUID | None = unanswered.grouped()[0].promised
    assert promised is None
