"""Knowledge in the console: reviewed by a second person, shown as it will be cited, never deleted."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from knowledge import review
from knowledge.models import Document, UnansweredQuestion
from tests import factories

pytestmark = pytest.mark.django_db
LIST = "admin:knowledge_document_changelist"


def staff(name: str, *permissions: str) -> User:
    person = User.objects.create(username=name, is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return person


@pytest.fixture
def meera() -> User:
    return staff(
        "meera",
        "view_document",
        "change_document",
        "add_document",
        "view_unansweredquestion",
        "change_unansweredquestion",
        "view_chunk",
    )


@pytest.fixture
def desk(client: Client, meera: User) -> Client:
    client.force_login(meera)
    return client


def a_document(title: str = "Fever in children", *, chunks: int = 2, **fields: object) -> Document:
    document = Document.objects.create(title=title, text="x", **{"status": "in_review", "content_hash": "h"} | fields)
    factories.some_chunks(document, [(f"Section {number}", f"Passage {number} of {title}.") for number in range(chunks)])
    return document


def page(document: Document) -> str:
    return reverse("admin:knowledge_document_change", args=[document.pk])


def test_a_second_person_publishes_and_is_named(desk: Client, meera: User) -> None:
    document = a_document(uploaded_by=staff("ravi"))
    answer = desk.post(page(document), {"_publish": "1"}, follow=True)
    document.refresh_from_db()
    assert (document.status, document.reviewed_by) == ("published", meera)
    assert document.reviewed_at is not None
    assert "1 document published." in answer.content.decode()


def test_publishing_by_the_uploader_is_refused_with_a_sentence(desk: Client, meera: User) -> None:
    document = a_document(uploaded_by=meera)
    answer = desk.post(page(document), {"_publish": "1"}, follow=True)
    document.refresh_from_db()
    assert (document.status, document.reviewed_by) == ("in_review", None)
    assert "you uploaded it, so somebody else has to review and publish it." in answer.content.decode()


def test_the_action_publishes_what_it_may_and_names_the_rest(desk: Client, meera: User) -> None:
    mine, theirs, starter = (
        a_document("Mine", uploaded_by=meera),
        a_document("Theirs", uploaded_by=staff("ravi")),
        a_document("Starter", origin="starter", slug="s"),
    )
    chosen = {"action": "publish", "_selected_action": [mine.pk, theirs.pk, starter.pk]}
    text = desk.post(reverse(LIST), chosen, follow=True).content.decode()
    assert set(Document.objects.filter(status="published")) == {theirs, starter}
    assert "2 documents published." in text
    assert "Mine: you uploaded it" in text


@pytest.mark.parametrize("status", ["uploaded", "indexing", "index_failed"])
def test_what_is_not_indexed_cannot_be_published(status: str) -> None:
    document = a_document(status=status)
    with pytest.raises(review.NotAllowed, match="not indexed"):
        review.publish(document, by=staff("meera"), now=timezone.now())


def test_a_document_without_passages_cannot_be_published() -> None:
    with pytest.raises(review.NotAllowed, match="not indexed"):
        review.publish(a_document(chunks=0), by=staff("meera"), now=timezone.now())


def test_retiring_stops_citing_and_publishing_brings_it_back(desk: Client) -> None:
    document = a_document(uploaded_by=staff("ravi"))
    desk.post(page(document), {"_publish": "1"})
    desk.post(page(document), {"_retire": "1"})
    assert not Document.objects.citable().filter(pk=document.pk).exists()
    assert Document.objects.get(pk=document.pk).status == "retired"
    desk.post(page(document), {"_publish": "1"})
    assert Document.objects.citable().filter(pk=document.pk).exists()


def test_a_viewer_can_neither_publish_nor_retire(client: Client) -> None:
    document = a_document(uploaded_by=staff("ravi"))
    client.force_login(staff("lata", "view_document"))
    assert "_publish" not in client.get(page(document)).content.decode()
    assert client.post(page(document), {"_publish": "1"}).status_code == 403
    client.post(reverse(LIST), {"action": "publish", "_selected_action": [document.pk]})
    assert Document.objects.get().status == "in_review"


def test_saving_a_document_again_changes_no_word_and_no_uploader(desk: Client) -> None:
    ravi = staff("ravi")
    document = a_document(uploaded_by=ravi)
    desk.post(page(document), {"title": "Something else", "text": "other words", "_save": "1"})
    document.refresh_from_db()
    assert (document.title, document.text, document.uploaded_by) == ("Fever in children", "x", ravi)


def test_the_page_shows_what_will_be_cited_passage_by_passage(desk: Client) -> None:
    text = desk.get(page(a_document())).content.decode()
    for part in (
        "Section 0",
        "Passage 0 of Fever in children.",
        "Section 1",
        "Passage 1 of Fever in children.",
    ):
        assert part in text


def test_an_unreviewed_starter_article_says_so_until_a_clinician_publishes_it(desk: Client) -> None:
    document = a_document(origin="starter", slug="fever")
    banner = "No clinician has reviewed this starter article."
    assert banner in desk.get(page(document)).content.decode()
    desk.post(page(document), {"_publish": "1"})
    assert banner not in desk.get(page(document)).content.decode()
    assert banner not in desk.get(page(a_document("Upload"))).content.decode()


def test_a_new_document_remembers_who_brought_it_and_waits_for_the_index(desk: Client, meera: User) -> None:
    fields = {
        "title": "Malaria",
        "publisher": "WHO",
        "language": "en",
        "audience": "public",
        "text": "# Malaria\n\nSleep under a net.",
    }
    assert desk.post(reverse("admin:knowledge_document_add"), fields).status_code == 302
    document = Document.objects.get()
    assert (document.uploaded_by, document.status, document.origin, len(document.content_hash)) == (
        meera,
        "uploaded",
        "upload",
        64,
    )


def test_no_document_and_no_passage_is_deleted(client: Client) -> None:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    document = a_document()
    chunk = document.chunks.all()[0]
    assert client.post(reverse("admin:knowledge_document_delete", args=[document.pk]), {"post": "yes"}).status_code == 403
    assert client.post(reverse("admin:knowledge_chunk_delete", args=[chunk.pk]), {"post": "yes"}).status_code == 403
    assert client.post(reverse("admin:knowledge_chunk_change", args=[chunk.pk]), {"text": "other"}).status_code == 403
    assert Document.objects.count() == 1


def test_the_list_counts_passages_and_filters_with_counts(desk: Client) -> None:
    a_document(chunks=3)
    a_document("Burns", status="index_failed", chunks=0)
    answer = desk.get(reverse(LIST))
    assert [row.chunk_count for row in answer.context["cl"].result_list] == [0, 3]
    assert "Index Failed (1)" in answer.content.decode()
    assert [row.title for row in desk.get(reverse(LIST), {"q": "children"}).context["cl"].result_list] == ["Fever in children"]


def a_question(words: str = "what is zorbitis?") -> UnansweredQuestion:
    return UnansweredQuestion.objects.create(
        text=words, language="en", score=0.31, nearest=a_document("Dengue"), answer_key=uuid4()
    )


def test_a_question_is_readable_on_its_own_page_alone(desk: Client) -> None:
    question = a_question()
    listed = desk.get(reverse("admin:knowledge_unansweredquestion_changelist")).content.decode()
    assert "zorbitis" not in listed
    assert "Dengue" in listed
    assert "0.31" in listed
    assert "zorbitis" in desk.get(reverse("admin:knowledge_unansweredquestion_change", args=[question.pk])).content.decode()


def test_questions_are_marked_as_dealt_with(desk: Client) -> None:
    question = a_question()
    address = reverse("admin:knowledge_unansweredquestion_changelist")
    text = desk.post(address, {"action": "resolve", "_selected_action": [question.pk]}, follow=True).content.decode()
    question.refresh_from_db()
    assert question.resolved_at is not None
    assert "1 question marked as dealt with." in text
    assert desk.get(address, {"resolved": "no"}).context["cl"].result_count == 0


def test_a_viewer_cannot_mark_a_question_as_dealt_with(client: Client) -> None:
    question = a_question()
    client.force_login(staff("lata", "view_unansweredquestion"))
    client.post(
        reverse("admin:knowledge_unansweredquestion_changelist"),
        {"action": "resolve", "_selected_action": [question.pk]},
    )
    question.refresh_from_db()
    assert question.resolved_at is None


def test_empty_lists_say_how_to_begin(desk: Client) -> None:
    assert "No document is here yet" in desk.get(reverse(LIST)).content.decode()
    assert (
        "Every question so far found a source"
        in desk.get(reverse("admin:knowledge_unansweredquestion_changelist")).content.decode()
    )


def test_a_document_is_added_with_its_address_and_without_a_warning(desk: Client, meera: User) -> None:
    """The tests turn warnings into errors: Django warns of an address field that does not say which scheme it takes."""
    add = reverse("admin:knowledge_document_add")
    assert desk.get(add).status_code == 200
    form = {"title": "Scabies", "url": "who.int/scabies", "language": "en", "audience": "public", "text": "Scabies itches."}
    assert desk.post(add, form, follow=True).status_code == 200
    document = Document.objects.get(title="Scabies")
    assert (document.url, document.uploaded_by) == ("https://who.int/scabies", meera)
