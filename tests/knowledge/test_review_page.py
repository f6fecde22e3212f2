"""A document's own page: the state, what to read first, the next step, and the source beside what will be cited."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from knowledge import trials
from knowledge.models import Document, GoldenQuestion, Trial
from tests.fixtures import ChangeEnvironment
from tests.knowledge import people

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def woken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Each call that would wake the worker."""
    calls: list[bool] = []
    monkeypatch.setattr("knowledge.tasks.index_due.apply_async", lambda retry: calls.append(retry))
    return calls


@pytest.fixture
def meera() -> User:
    return people.reviewer()


@pytest.fixture
def desk(client: Client, meera: User) -> Client:
    client.force_login(meera)
    return client


def page(document: Document, query: str = "") -> str:
    return reverse("admin:knowledge_document_change", args=[document.pk]) + query


def text_of(client: Client, document: Document, query: str = "") -> str:
    return re.sub(r"\s+", " ", client.get(page(document, query)).content.decode())


def take(client: Client, document: Document, step: str, **asked: str) -> str:
    seen = dict(re.findall(r'name="(seen)" value="([^"]*)"', text_of(client, document)))
    answer = client.post(reverse("admin:knowledge_document_step", args=[document.pk, step]), seen | asked, follow=True)
    document.refresh_from_db()
    return re.sub(r"\s+", " ", answer.content.decode())


# Steps


def test_a_second_person_publishes_retires_and_puts_back(desk: Client, meera: User) -> None:
    document = people.a_document(uploaded_by=people.contributor())
    assert "Fever in children: published." in take(desk, document, "publish")
    assert (document.status, document.reviewed_by) == ("published", meera)
    assert "retired it: out of date" in take(desk, document, "retire", reason="out of date")
    assert not Document.objects.citable().exists()
    assert "put back into use" in take(desk, document, "put_back")
    assert Document.objects.citable().get() == document


def test_publishing_by_the_uploader_is_refused_with_a_sentence_and_offered_to_nobody(desk: Client, meera: User) -> None:
    document = people.a_document(uploaded_by=meera)
    assert "You cannot publish it: you uploaded it, so somebody else has to review" in text_of(desk, document)
    assert "/step/publish/" not in text_of(desk, document)
    assert "Fever in children: you uploaded it" in take(desk, document, "publish")
    assert document.status == "in_review"


def test_with_a_single_clinician_the_page_says_that_nobody_else_reviewed_it(
    desk: Client, meera: User, environment: ChangeEnvironment
) -> None:
    environment(single_clinician=True)
    document = people.a_document(uploaded_by=meera)
    assert "Published by the person who uploaded it." in take(desk, document, "publish")
    assert document.status == "published"


def test_a_step_that_does_not_exist_and_one_by_a_link_are_refused(desk: Client) -> None:
    document = people.a_document()
    assert desk.post(reverse("admin:knowledge_document_step", args=[document.pk, "explode"])).status_code == 404
    assert desk.get(reverse("admin:knowledge_document_step", args=[document.pk, "publish"])).status_code == 405


def test_a_document_that_is_not_there_is_not_found(desk: Client) -> None:
    assert desk.get("/admin/knowledge/document/01a2097a-227a-7759-a73b-b76d629de071/change/").status_code == 404
    assert desk.get("/admin/knowledge/document/nonsense/change/").status_code == 404


def test_an_index_that_failed_says_why_and_is_tried_again(desk: Client, woken: list[bool]) -> None:
    document = people.a_document(status="index_failed", reason="The document has no readable text.", chunks=0)
    text = text_of(desk, document)
    assert "Nothing of it is cited.</strong> The document has no readable text." in text
    assert "Try indexing again" in text
    assert "It waits for the index." in take(desk, document, "retry")
    assert (document.status, woken) == ("uploaded", [False])


def test_a_broker_that_is_away_stops_nobody(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(retry: bool) -> None:
        raise OperationalError

    monkeypatch.setattr("knowledge.tasks.index_due.apply_async", away)
    document = people.a_document(status="index_failed", chunks=0)
    take(desk, document, "retry")
    assert document.status == "uploaded"


def test_a_new_version_names_the_old_one_and_the_way_back(desk: Client, meera: User) -> None:
    old = people.published("Dengue 2020", by=meera, at=timezone.now())
    new = people.a_document("Dengue 2026", supersedes=old)
    assert "Publishing it takes out of use" in text_of(desk, new)
    assert "A newer version is here" in text_of(desk, old)
    assert "Put back the old version" in take(desk, new, "publish")
    take(desk, new, "put_back_old")
    old.refresh_from_db()
    assert (old.status, new.status) == ("published", "retired")


def test_a_due_document_asks_to_be_confirmed_and_an_expired_one_for_a_date(desk: Client, meera: User) -> None:
    document = people.published(by=meera, at=timezone.now() - 400 * DAY)
    assert "It is due for a check since" in text_of(desk, document)
    assert "It is due for a check" not in take(desk, document, "confirm")
    Document.objects.update(expires_on=date(2020, 1, 1))
    text = text_of(desk, document)
    assert 'It expired: <a href="?edit=1#details">give it a later date</a>' in text
    assert "/step/confirm/" not in text
    assert "<details open><summary>Change title" in text_of(desk, document, "?edit=1")
    assert "it expired on 1 January 2020" in take(desk, document, "confirm")


def test_an_unreviewed_starter_article_says_so_until_a_clinician_publishes_it(desk: Client) -> None:
    document = people.a_document(origin="starter", slug="fever")
    banner = "No clinician has reviewed this starter article."
    assert banner in text_of(desk, document)
    assert banner not in take(desk, document, "publish")
    assert banner not in text_of(desk, people.a_document("Upload"))


INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=", re.IGNORECASE)


def test_no_page_of_a_document_needs_inline_script_or_style(desk: Client) -> None:
    document = people.a_document(text="| Age | Dose |\n|---|--:|\n| 2 | 5 |\n\n<p style='x' onclick='y'>", flags=["<style>"])
    for name in ("change", "history"):
        shown = desk.get(reverse(f"admin:knowledge_document_{name}", args=[document.pk])).content.decode()
        assert INLINE.findall(re.sub(r"&lt;.*?&gt;", "", shown)) == []
    for name in ("changelist", "stale", "coverage", "add"):
        assert INLINE.findall(desk.get(reverse(f"admin:knowledge_document_{name}")).content.decode()) == []


# What is read


def test_what_extraction_noticed_stands_before_the_step(desk: Client) -> None:
    document = people.a_document(flags=["Page 3 holds <b>text</b> that cannot be seen."])
    text = text_of(desk, document)
    assert text.index("Read these first") < text.index("/step/publish/")
    assert "Page 3 holds &lt;b&gt;text&lt;/b&gt; that cannot be seen." in text


def test_the_page_shows_the_text_beside_what_will_be_cited(desk: Client) -> None:
    text = text_of(desk, people.a_document(text="## Signs\n\n- A rash\n- A fever"))
    for part in ("<h4>Signs</h4>", "<li>A rash</li>", "Section 0", "Passage 0 of Fever in children.", "2 passages to cite"):
        assert part in text


def a_pdf(**fields: Any) -> Document:
    text = "<!-- page 1 -->\nCover\n<!-- page 2 -->\nGive water."
    document = people.a_document(kind="pdf", pages=3, file="documents/x.pdf", file_name="fever.pdf", text=text, **fields)
    document.chunks.filter(position=0).update(page=1)
    document.chunks.filter(position=1).update(page=2)
    return document


def test_a_pdf_is_turned_page_by_page_beside_its_picture(desk: Client) -> None:
    document = a_pdf()
    text = text_of(desk, document, "?page=2")
    assert f'src="{reverse("admin:knowledge_document_page", args=[document.pk, 2])}"' in text
    for part in (
        "Page 2 of 3",
        'rel="prev" href="?page=1#reading"',
        'rel="next" href="?page=3#reading"',
        "Give water.",
        "Passage 1 of",
    ):
        assert part in text
    assert "Passage 0 of" not in text
    assert "Cover" not in text


def test_a_page_without_text_says_that_nothing_of_it_is_cited(desk: Client) -> None:
    text = text_of(desk, a_pdf(), "?page=3")
    assert "Nothing of this page is cited." in text
    assert "Nothing was read from this page." in text


@pytest.mark.parametrize(("asked", "shown"), [("0", 1), ("99", 3), ("-1", 1), ("x", 1), ("²", 1), ("9" * 40, 1), ("", 1)])
def test_a_page_number_that_is_not_there_opens_one_that_is(asked: str, shown: int, desk: Client) -> None:
    assert desk.get(page(a_pdf()), {"page": asked}).context["open"].number == shown


def test_a_page_follows_the_worker_while_it_waits(desk: Client) -> None:
    document = people.a_document(status="uploaded", chunks=0)
    text = text_of(desk, document)
    assert 'data-until-changed="?part=state" data-mark="uploaded"' in text
    assert desk.get(page(document, "?part=state")).content == b"uploaded"
    Document.objects.update(status="in_review")
    assert desk.get(page(document, "?part=state")).content == b"in_review"
    assert "data-until-changed" not in text_of(desk, document)


# Details


def details(document: Document, **changed: Any) -> dict[str, Any]:
    usual = {"title": document.title, "language": "en", "audience": "public", "confirm_every_days": 365}
    return usual | {"publisher": document.publisher, "url": document.url, "topic": document.topic} | changed


def test_a_reviewer_changes_details_and_no_word(desk: Client, woken: list[bool]) -> None:
    document = people.a_document(topic="fevr")
    desk.post(page(document), details(document, topic="fever", expires_on="2027-05-01", url="who.int/fever", text="other"))
    held = Document.objects.get()
    assert (held.topic, held.expires_on, held.url, held.text) == (
        "fever",
        date(2027, 5, 1),
        "https://who.int/fever",
        document.text,
    )
    assert (held.status, woken) == ("in_review", [False])


@pytest.mark.parametrize(
    ("stored", "offered"),
    [
        ("public", ["public", "staff"]),
        ("Staff", ["public", "staff"]),
        (" Clinic  nurses", ["public", "staff", "clinic nurses"]),
    ],
)
def test_the_audience_is_chosen_and_an_unknown_one_may_stay(stored: str, offered: list[str], desk: Client) -> None:
    field = desk.get(page(people.a_document(audience=stored))).context["form"]["audience"]
    assert [value for value, _ in field.field.choices] == offered
    assert field.value() == offered[-1 if stored != "public" else 0]


@pytest.mark.parametrize(
    ("stored", "chosen", "kept"),
    [
        ("public", "staff", "staff"),
        ("Public", "public", "public"),
        ("Clinicians", "clinicians", "clinicians"),
        ("public", "STAFF", "staff"),
    ],
)
def test_the_audience_is_stored_in_lower_case(stored: str, chosen: str, kept: str, desk: Client) -> None:
    document = people.a_document(audience=stored)
    assert desk.post(page(document), details(document, audience=chosen)).status_code == 302
    assert Document.objects.get().audience == kept


@pytest.mark.parametrize("chosen", ["everyone", ""])
def test_an_audience_that_nobody_has_is_refused_beside_its_field(chosen: str, desk: Client) -> None:
    document = people.a_document(audience="staff")
    answer = desk.post(page(document), details(document, audience=chosen))
    assert (answer.status_code, set(answer.context["form"].errors)) == (422, {"audience"})
    assert Document.objects.get().audience == "staff"


def test_wrong_details_are_said_beside_their_field_and_nothing_is_saved(desk: Client) -> None:
    document = people.a_document()
    answer = desk.post(page(document), details(document, title="", confirm_every_days=0))
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"title", "confirm_every_days"}
    assert "<h1>Fever in children</h1>" in answer.content.decode()
    assert Document.objects.get().title == "Fever in children"


def test_a_title_that_cannot_be_changed_now_says_why(desk: Client) -> None:
    document = people.a_document(status="indexing")
    answer = desk.post(page(document), details(document, title="Fever"))
    assert answer.status_code == 409
    assert "Nothing was changed: it is being indexed." in answer.content.decode()


# Golden questions


def golden_trial(document: Document, by: User, **result: Any) -> Trial:
    trial = trials.ask_for(Trial.Kind.GOLDEN, {}, by=by, now=timezone.now(), document=document)
    base = {"total": 2, "done": 2, "document": str(document.pk), "model": "m", "right_before": 2, "right_after": 2}
    trial.status, trial.result = Trial.Status.DONE, base | {"worse": [], "better": [], "questions": []} | result
    trial.save()
    return trial


def test_testing_golden_questions_writes_a_trial_that_the_page_follows(desk: Client, meera: User) -> None:
    document = people.a_document()
    desk.post(reverse("admin:knowledge_document_golden", args=[document.pk]))
    trial = Trial.objects.get()
    assert (trial.kind, trial.document, trial.requested_by, trial.status) == ("golden", document, meera, "waiting")
    assert desk.get(page(document, "?part=state")).content == b"in_review waiting"
    assert 'data-mark="in_review waiting"' in text_of(desk, document)


def test_publishing_without_a_test_warns_and_goes_on(desk: Client) -> None:
    GoldenQuestion.objects.create(text="How do I treat a fever?")
    document = people.a_document()
    warning = "The golden questions were not tested with it."
    assert warning in text_of(desk, document)
    assert warning in take(desk, document, "publish")
    assert document.status == "published"


def test_publishing_with_questions_that_got_worse_names_them(desk: Client, meera: User) -> None:
    question = GoldenQuestion.objects.create(text="How do I treat a fever?")
    document = people.a_document(indexed_at=timezone.now() - DAY)
    row = {"id": str(question.pk), "text": question.text, "title": "Fever", "before": 1, "after": 4}
    golden_trial(document, meera, worse=[str(question.pk)], questions=[row])
    text = text_of(desk, document)
    assert "1 golden question does worse with it." in text
    assert "should find Fever: found at place 1 without this document, at place 4 with it." in text


def test_a_good_test_warns_of_nothing_until_the_document_is_indexed_again(desk: Client, meera: User) -> None:
    GoldenQuestion.objects.create(text="How do I treat a fever?")
    document = people.a_document(indexed_at=timezone.now() - DAY)
    golden_trial(document, meera)
    assert "You can publish it all the same" not in text_of(desk, document)
    Document.objects.update(indexed_at=timezone.now() + DAY)
    assert "It was indexed again after the golden questions were tested with it." in text_of(desk, document)


def test_questions_that_expect_this_document_are_listed(desk: Client) -> None:
    document = people.a_document()
    GoldenQuestion.objects.create(text="How do I treat a fever?", document=document)
    GoldenQuestion.objects.create(text="An old one?", document=document, active=False)
    text = text_of(desk, document)
    assert "How do I treat a fever?" in text
    assert "An old one?" not in text


# History and versions


def test_the_page_and_the_history_say_who_did_what(desk: Client) -> None:
    document = people.a_document(uploaded_by=people.contributor())
    take(desk, document, "publish")
    history = desk.get(reverse("admin:knowledge_document_history", args=[document.pk])).content.decode()
    for text in (text_of(desk, document), history):
        assert "<strong>meera</strong> published it" in text
        assert "<strong>ravi</strong> added it" in text


def test_a_typed_document_is_rewritten_and_an_uploaded_one_imported_again(desk: Client) -> None:
    typed = desk.get(page(people.a_document())).context["new_version"]
    assert typed.startswith("/admin/knowledge/document/add/?supersedes=")
    assert "/document/add/" not in desk.get(page(a_pdf())).context["new_version"]
