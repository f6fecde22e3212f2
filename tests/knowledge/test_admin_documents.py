"""The list of documents and the form to write one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from knowledge import changes
from knowledge.models import Document, EmbeddingIndex, UnansweredQuestion
from tests.knowledge import people

pytestmark = pytest.mark.django_db
LIST = "/admin/knowledge/document/"
ADD = "/admin/knowledge/document/add/"
FORM = {"title": "Malaria", "publisher": "WHO", "language": "en", "audience": "public", "text": "# Malaria\n\nSleep under a net."}


@pytest.fixture(autouse=True)
def _no_broker(no_broker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.tasks.index_due.apply_async", lambda **_: None)


@pytest.fixture
def meera() -> User:
    return people.reviewer()


@pytest.fixture
def desk(client: Client, meera: User) -> Client:
    client.force_login(meera)
    return client


def rows(client: Client, **asked: str) -> list[str]:
    return [each.title for each in client.get(LIST, asked).context["cl"].result_list]


def test_the_list_says_what_people_scan_for(desk: Client, meera: User) -> None:
    people.published(by=meera, at=timezone.now(), publisher="WHO", topic="fever", chunks=3)
    text = desk.get(LIST).content.decode()
    for part in ("Fever in children", "WHO · fever", "Published", "by meera, again by", '<td class="field-passages">3</td>'):
        assert part in text


def test_passages_of_an_index_in_the_making_are_not_counted(desk: Client) -> None:
    document = people.a_document(chunks=2)
    other = EmbeddingIndex.objects.create(model="other", dimensions=384)
    chunk = document.chunks.defer(None).get(position=0)
    chunk.pk, chunk.index = uuid4(), other
    chunk.save(force_insert=True)
    assert [each.chunk_count for each in desk.get(LIST).context["cl"].result_list] == [2]
    assert desk.get(reverse("admin:knowledge_chunk_changelist")).context["cl"].result_count == 2


def test_the_list_asks_no_more_of_the_database_for_more_documents(desk: Client, meera: User) -> None:
    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            desk.get(LIST)
        return len(queries)

    people.published(by=meera, at=timezone.now())
    few = asked()
    for number in range(5):
        people.published(f"Other {number}", by=meera, at=timezone.now())
    assert asked() == few


def test_filters_show_counts_and_find(desk: Client, meera: User) -> None:
    people.published("Old", by=meera, at=timezone.now() - timedelta(days=400))
    people.a_document("Burns", status="index_failed", chunks=0)
    people.a_document("Odd", flags=["Page 7 looks like a scan."], file_name="odd.pdf")
    text = desk.get(LIST).content.decode()
    for part in ("Index Failed (1)", "Due for a check (1)", "Something was noticed in the file (1)", "Reviewed (1)"):
        assert part in text
    assert rows(desk, due="yes") == ["Old"]
    assert rows(desk, flags="yes") == ["Odd"]
    assert rows(desk, status__exact="index_failed") == ["Burns"]
    assert rows(desk, q="odd.pdf") == ["Odd"]
    assert rows(desk, review="no") == ["Burns", "Odd"]


def test_an_empty_list_says_how_to_begin(desk: Client) -> None:
    assert "No document is here yet. Import files, or write one" in desk.get(LIST).content.decode()


def test_nothing_is_published_from_the_list_where_nobody_reads_it(desk: Client) -> None:
    document = people.a_document()
    assert '<option value="retire">' in desk.get(LIST).content.decode()
    assert '<option value="publish">' not in desk.get(LIST).content.decode()
    desk.post(LIST, {"action": "publish", "_selected_action": [document.pk]})
    assert Document.objects.get().status == "in_review"


def test_an_action_does_what_it_may_and_names_the_rest(desk: Client, meera: User) -> None:
    published, waiting = people.published("Old", by=meera, at=timezone.now()), people.a_document("New", status="indexing")
    chosen = {"action": "retire", "_selected_action": [published.pk, waiting.pk]}
    text = desk.post(LIST, chosen, follow=True).content.decode()
    assert list(Document.objects.filter(status="retired")) == [published]
    assert "1 document retired." in text
    assert "New: it is being indexed" in text


@pytest.mark.parametrize(("action", "done"), [("retire", "1 document retired."), ("confirm", "1 document confirmed.")])
def test_the_other_actions_take_their_step(action: str, done: str, desk: Client, meera: User) -> None:
    document = people.published(by=meera, at=timezone.now())
    text = desk.post(LIST, {"action": action, "_selected_action": [document.pk]}, follow=True).content.decode()
    document.refresh_from_db()
    assert done in text
    assert (document.retired_by if action == "retire" else document.confirmed_by) == meera


def test_a_contributor_is_offered_no_action(client: Client) -> None:
    document = people.a_document()
    client.force_login(people.contributor())
    assert '<option value="retire">' not in client.get(LIST).content.decode()
    client.post(LIST, {"action": "retire", "_selected_action": [document.pk]})
    assert Document.objects.get().status == "in_review"


def test_a_new_document_remembers_who_brought_it_and_waits_for_the_index(client: Client) -> None:
    ravi = people.contributor()
    client.force_login(ravi)
    answer = client.post(ADD, FORM)
    document = Document.objects.get()
    assert answer.headers["Location"] == reverse("admin:knowledge_document_change", args=[document.pk])
    assert (document.uploaded_by, document.status, document.origin, len(document.content_hash)) == (
        ravi,
        "uploaded",
        "upload",
        64,
    )
    assert [(each.who, each.did) for each in changes.of(document)] == [("ravi", "wrote it")]


def test_a_document_is_added_with_its_address_and_without_a_warning(desk: Client) -> None:
    """The tests turn warnings into errors: Django warns of an address field that does not say which scheme it takes."""
    assert desk.get(ADD).status_code == 200
    assert desk.post(ADD, FORM | {"url": "who.int/malaria"}, follow=True).status_code == 200
    assert Document.objects.get().url == "https://who.int/malaria"


def test_a_new_version_is_written_from_the_old_one(desk: Client, meera: User) -> None:
    old = people.published(by=meera, at=timezone.now(), topic="fever", publisher="WHO", text="# Fever\n\nGive water.")
    form: Any = desk.get(ADD, {"supersedes": str(old.pk)}).context["adminform"].form
    assert [form[name].initial for name in ("title", "topic", "publisher", "text")] == [old.title, "fever", "WHO", old.text]
    desk.post(f"{ADD}?supersedes={old.pk}", FORM | {"supersedes": old.pk})
    assert Document.objects.get(title="Malaria").supersedes == old


def test_a_new_document_is_for_one_of_the_audiences_or_that_of_the_old_one(desk: Client) -> None:
    old = people.a_document(audience="Clinicians")
    assert desk.post(ADD, FORM | {"audience": "clinicians"}).status_code == 200
    field: Any = desk.get(ADD, {"supersedes": str(old.pk)}).context["adminform"].form["audience"]
    assert [value for value, _ in field.field.choices] == ["public", "staff", "clinicians"]
    desk.post(f"{ADD}?supersedes={old.pk}", FORM | {"audience": field.value(), "supersedes": old.pk})
    assert [each.audience for each in Document.objects.filter(supersedes=old)] == ["clinicians"]


@pytest.mark.parametrize("key", ["", "nonsense", "01a2097a-227a-7759-a73b-b76d629de071"])
def test_a_new_version_of_nothing_is_an_empty_form(key: str, desk: Client) -> None:
    answer = desk.get(ADD, {"supersedes": key, "title": "Rabies"})
    assert answer.status_code == 200
    assert answer.context["adminform"].form.initial.get("title") == "Rabies"


def test_a_document_written_for_questions_is_noted_on_them(desk: Client) -> None:
    question = UnansweredQuestion.objects.create(text="x", language="en", score=0.2, answer_key=uuid4())
    desk.post(f"{ADD}?answers={question.pk.hex}", FORM)
    question.refresh_from_db()
    assert question.document == Document.objects.get()
    assert question.resolved_at is None


def test_no_document_and_no_passage_is_deleted_or_rewritten(client: Client) -> None:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    document = people.a_document()
    chunk = document.chunks.all()[0]
    assert client.post(reverse("admin:knowledge_document_delete", args=[document.pk]), {"post": "yes"}).status_code == 403
    assert client.post(reverse("admin:knowledge_chunk_delete", args=[chunk.pk]), {"post": "yes"}).status_code == 403
    assert client.post(reverse("admin:knowledge_chunk_change", args=[chunk.pk]), {"text": "other"}).status_code == 403
    assert Document.objects.count() == 1
