"""Answers marked as not helpful: newest first, with question, sources and what else was found, for who may read transcripts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.utils import timezone

from conversations import not_helpful
from conversations.models import Answer, Citation, Contact, Feedback
from knowledge.models import Document
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = "/admin/conversations/answer/not-helpful/"
DAY = timedelta(days=1)


@pytest.fixture
def desk(client: Client) -> Client:
    person = factories.staff()
    person.user_permissions.set(Permission.objects.filter(codename__in=["view_contact", "view_document", "view_answer"]))
    client.force_login(person)
    return client


@pytest.fixture
def asha() -> Contact:
    return factories.a_contact()


def marked(
    person: Contact, question: str = "is fever bad?", *, days_ago: float = 0, value: str = "not_helpful", **fields: Any
) -> Answer:
    answer = factories.an_answer(person, **fields)
    if question:
        factories.an_inbound(person, question, answer=answer, status="answered")
    Feedback.objects.create(answer=answer, value=value, created_at=timezone.now() - days_ago * DAY)
    return answer


def cites(answer: Answer, **fields: Any) -> Citation:
    usual = {"number": 1, "chunk_key": uuid4(), "title": "Fever", "publisher": "WHO", "quote": "Drink.", "score": 0.7}
    return Citation.objects.create(answer=answer, **usual | fields)


def text(client: Client, **asked: str) -> str:
    answer = client.get(PAGE, asked)
    assert answer.status_code == 200
    return answer.content.decode()


def shown(client: Client, **asked: str) -> list[Any]:
    return [each.answer for each in client.get(PAGE, asked).context["judged"]]


def test_an_answer_stands_with_its_question_its_sources_and_what_else_was_found(desk: Client, asha: Contact) -> None:
    document = Document.objects.create(title="Fever now", text="x", content_hash="h")
    chunk = uuid4()
    found = [
        {"chunk": str(chunk), "title": "Fever", "heading": "Care", "url": "", "score": 0.7},
        {"chunk": str(uuid4()), "title": "Dengue", "heading": "Signs", "url": "", "score": 0.4},
    ]
    answer = marked(asha, "is fever bad?", text="Rest in bed. [1]", passages=found, confidence=0.66)
    cites(answer, document=document, chunk_key=chunk, page=12, unreviewed=True, quote="Rest in bed when hot.")
    page = text(desk)
    said = ("is fever bad?", "Rest in bed. [1]", "[1] Fever", "page 12", "Rest in bed when hot.", "Dengue", "confidence 0.66")
    assert [each for each in (*said, "What else was found (1)", asha.label) if each not in page] == []
    for address in (f"contact/{asha.pk}/change", f"document/{document.pk}/change", f"answer/{answer.pk}/change"):
        assert address in page


def test_the_newest_mark_comes_first_and_helpful_ones_are_left_out(desk: Client, asha: Contact) -> None:
    old, new = marked(asha, days_ago=3), marked(asha, days_ago=1)
    marked(asha, value="helpful")
    assert shown(desk) == [new.pk, old.pk]


def test_marks_are_filtered_by_kind_and_time(desk: Client, asha: Contact) -> None:
    old = marked(asha, days_ago=20, kind="generated")
    new = marked(asha, days_ago=2)
    older = marked(asha, days_ago=200)
    assert shown(desk, kind="generated") == [old.pk]
    assert shown(desk, days="7") == [new.pk]
    assert shown(desk, days="30", kind="extractive") == [new.pk]
    assert shown(desk, days="x", kind="zorbitis") == [new.pk, old.pk, older.pk]
    assert "Extractive (2)" in text(desk)
    assert "Nothing matches." in text(desk, kind="generated", days="7")


def test_words_no_key_opens_are_said_to_be_so_and_the_others_are_read(desk: Client, asha: Contact) -> None:
    bad = marked(asha, "zorbitis", text="gone")
    marked(asha, "cabbage", text="Cabbage is fine.")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE conversations_answer SET text = 'nonsense'::bytea WHERE id = %s", [bad.pk])
        cursor.execute("UPDATE conversations_inboundmessage SET text = 'nonsense'::bytea WHERE answer_id = %s", [bad.pk])
    page = text(desk)
    assert page.count(not_helpful.UNREADABLE) == 2
    assert "Cabbage is fine." in page


def test_several_messages_of_one_burst_are_one_question_and_none_is_said(desk: Client, asha: Contact) -> None:
    answer = marked(asha, "my son")
    factories.an_inbound(asha, "has fever", answer=answer, received_at=factories.NOW + factories.SECOND)
    marked(asha, "", text="Hello.")
    page = text(desk)
    assert "my son\nhas fever" in page
    assert "(nothing in words)" in page
    assert "It cited nothing." in page


def test_many_marks_are_paged_and_keep_their_filters(desk: Client, asha: Contact) -> None:
    for number in range(23):
        marked(asha, "", days_ago=number)
    assert [len(shown(desk, page=each)) for each in ("1", "2", "9")] == [20, 3, 3]
    assert "?kind=&amp;days=30&amp;page=2" in text(desk, days="30")


@pytest.mark.parametrize("permissions", [[], ["view_document"], ["view_answer"]])
def test_words_are_read_only_with_the_permission_for_transcripts(client: Client, asha: Contact, permissions: list[str]) -> None:
    marked(asha, "zorbitis")
    person = factories.staff("lata")
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(person)
    answer = client.get(PAGE)
    assert answer.status_code == 403
    assert "zorbitis" not in answer.content.decode()


def test_somebody_who_is_not_signed_in_is_sent_to_the_door(client: Client) -> None:
    assert client.get(PAGE).status_code == 302


def test_the_page_is_only_read_and_no_cache_keeps_it(desk: Client) -> None:
    assert desk.post(PAGE).status_code == 405
    assert "no-store" in desk.get(PAGE)["Cache-Control"]


def test_without_marks_the_page_says_where_they_come_from(desk: Client) -> None:
    page = text(desk)
    assert "Nobody has marked an answer as not helpful." in page
    assert '<form method="get" class="filters"' not in page


def test_who_may_not_see_documents_gets_no_link_to_one(client: Client, asha: Contact) -> None:
    document = Document.objects.create(title="Fever now", text="x", content_hash="h")
    cites(marked(asha), document=document)
    person = factories.staff("lata")
    person.user_permissions.set(Permission.objects.filter(codename="view_contact"))
    client.force_login(person)
    assert str(document.pk) not in text(client)
