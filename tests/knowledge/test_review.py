"""The life of a document: who may take which step, what it leaves behind, and what it refuses with a sentence."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from knowledge import changes, indexing, review
from knowledge.models import Document, UnansweredQuestion
from tests.factories import NOW
from tests.fixtures import ChangeEnvironment
from tests.knowledge import people

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
LATER = NOW + DAY


@pytest.fixture
def meera() -> User:
    return people.reviewer("meera")


@pytest.fixture
def ravi() -> User:
    return people.contributor("ravi")


def now_of(document: Document) -> Document:
    return Document.objects.get(pk=document.pk)


def two_versions(meera: User, **fields: Any) -> tuple[Document, Document]:
    old = people.published("Dengue 2020", by=meera, at=NOW)
    return old, people.a_document("Dengue 2026", supersedes=old, **fields)


# Publishing


def test_publishing_names_the_reviewer_and_the_time(meera: User, ravi: User) -> None:
    review.publish(people.a_document(uploaded_by=ravi), by=meera, now=NOW)
    document = Document.objects.get()
    assert (document.status, document.reviewed_by, document.reviewed_at) == ("published", meera, NOW)


def test_the_uploader_may_not_publish_it(meera: User) -> None:
    document = people.a_document(uploaded_by=meera)
    with pytest.raises(review.NotAllowed, match="you uploaded it, so somebody else has to review and publish it"):
        review.publish(document, by=meera, now=NOW)
    assert now_of(document).status == "in_review"


def test_with_a_single_clinician_the_uploader_may_publish_it(meera: User, environment: ChangeEnvironment) -> None:
    environment(single_clinician=True)
    document = people.a_document(uploaded_by=meera)
    review.publish(document, by=meera, now=NOW)
    assert now_of(document).reviewed_by == meera


@pytest.mark.parametrize("status", ["uploaded", "indexing", "index_failed"])
def test_what_is_not_indexed_cannot_be_published(status: str, meera: User) -> None:
    with pytest.raises(review.NotAllowed, match="not indexed"):
        review.publish(people.a_document(status=status), by=meera, now=NOW)


def test_a_document_without_passages_cannot_be_published(meera: User) -> None:
    with pytest.raises(review.NotAllowed, match="not indexed"):
        review.publish(people.a_document(chunks=0), by=meera, now=NOW)


def test_what_is_published_is_not_published_again(meera: User) -> None:
    document = people.published(by=meera, at=NOW)
    with pytest.raises(review.NotAllowed, match="published already"):
        review.publish(document, by=meera, now=LATER)
    assert now_of(document).reviewed_at == NOW


@pytest.mark.parametrize("step", [review.publish, review.retire, review.put_back, review.confirm, review.put_back_old])
@pytest.mark.parametrize("status", ["in_review", "published", "retired"])
def test_only_a_clinician_reviewer_takes_a_step(step: Any, status: str, meera: User, ravi: User) -> None:
    by: dict[str, Any] = {"reviewed_by": meera, "reviewed_at": NOW} if status == "published" else {}
    by |= {"retired_by": meera, "retired_at": NOW} if status == "retired" else {}
    document = people.a_document(status=status, supersedes=people.a_document("Old"), **by)
    with pytest.raises(review.NotAllowed):
        step(document, by=ravi, now=LATER)
    assert now_of(document).status == status


def test_publishing_deals_with_the_questions_it_was_brought_for(meera: User) -> None:
    document = people.a_document()
    kept: dict[str, Any] = {"language": "en", "score": 0.2}
    meant = UnansweredQuestion.objects.create(text="a", answer_key=document.pk, document=document, **kept)
    other = UnansweredQuestion.objects.create(text="b", answer_key=people.a_document("Other").pk, **kept)
    review.publish(document, by=meera, now=NOW)
    meant.refresh_from_db()
    other.refresh_from_db()
    assert (meant.resolved_at, meant.resolved_by, other.resolved_at) == (NOW, meera, None)


# Retiring and putting back


def test_retiring_keeps_who_when_and_the_review_before_it(meera: User) -> None:
    document = people.published(by=meera, at=NOW)
    review.retire(document, by=meera, now=LATER, reason="the dose changed")
    held = now_of(document)
    assert (held.status, held.retired_by, held.retired_at, held.reviewed_at) == ("retired", meera, LATER, NOW)
    assert changes.of(held)[0].did == "retired it: the dose changed"
    with pytest.raises(review.NotAllowed, match="retired already"):
        review.retire(document, by=meera, now=LATER)


def test_a_document_that_is_being_indexed_is_not_retired_under_the_worker(meera: User) -> None:
    with pytest.raises(review.NotAllowed, match="being indexed"):
        review.retire(people.a_document(status="indexing"), by=meera, now=NOW)


def test_a_retired_document_is_put_back_by_its_new_reviewer(meera: User) -> None:
    document = people.published(by=people.reviewer("asha"), at=NOW, confirmed_by=meera, confirmed_at=NOW)
    review.retire(document, by=meera, now=NOW)
    review.put_back(document, by=meera, now=LATER)
    held = now_of(document)
    assert (held.status, held.reviewed_by, held.reviewed_at) == ("published", meera, LATER)
    assert (held.retired_by, held.retired_at, held.confirmed_by, held.confirmed_at) == (None, None, None, None)
    assert held.checked_at == LATER


def test_only_what_is_retired_is_put_back(meera: User) -> None:
    with pytest.raises(review.NotAllowed, match="not retired"):
        review.put_back(people.a_document(), by=meera, now=NOW)


# Versions


def test_a_new_version_takes_the_place_of_the_old_one(meera: User) -> None:
    old, new = two_versions(meera)
    review.publish(new, by=meera, now=LATER)
    assert [now_of(each).status for each in (old, new)] == ["retired", "published"]
    assert (now_of(old).retired_by, now_of(old).retired_at) == (meera, LATER)
    assert changes.of(now_of(old))[0].did == "retired it: Dengue 2026 took its place"
    assert changes.of(now_of(new))[0].did == "published it in place of Dengue 2020"


def test_an_unreviewed_starter_article_is_superseded_too(meera: User) -> None:
    starter = people.a_document("Dengue", origin="starter", slug="dengue")
    review.publish(people.a_document("Dengue 2026", supersedes=starter), by=meera, now=NOW)
    assert now_of(starter).status == "retired"
    assert not Document.objects.citable().filter(pk=starter.pk).exists()


def test_the_old_version_is_put_back_as_it_was_reviewed(meera: User) -> None:
    old, new = two_versions(meera)
    review.publish(new, by=meera, now=LATER)
    review.put_back_old(new, by=meera, now=LATER)
    assert [now_of(each).status for each in (old, new)] == ["published", "retired"]
    assert (now_of(old).reviewed_at, now_of(old).retired_at) == (NOW, None)


def test_a_starter_article_that_nobody_reviewed_is_put_back_unreviewed(meera: User) -> None:
    starter = people.a_document("Dengue", origin="starter", slug="dengue")
    new = people.a_document("Dengue 2026", supersedes=starter)
    review.publish(new, by=meera, now=NOW)
    review.put_back_old(new, by=meera, now=LATER)
    assert (now_of(starter).status, now_of(starter).reviewed_at) == ("in_review", None)


def test_an_old_version_does_not_come_back_beside_the_new_one(meera: User) -> None:
    old, new = two_versions(meera)
    review.publish(new, by=meera, now=LATER)
    with pytest.raises(review.NotAllowed, match="a newer version of it is published"):
        review.put_back(old, by=meera, now=LATER)
    review.put_back_old(new, by=meera, now=LATER)
    with pytest.raises(review.NotAllowed, match="none to put back"):
        review.put_back_old(new, by=meera, now=LATER)


def test_two_new_versions_of_one_document_are_not_in_use_at_once(meera: User) -> None:
    old, one = two_versions(meera)
    other = people.a_document("Dengue 2027", supersedes=old)
    review.publish(one, by=meera, now=LATER)
    with pytest.raises(review.NotAllowed, match="another new version"):
        review.publish(other, by=meera, now=LATER)
    with pytest.raises(IntegrityError), transaction.atomic():
        Document.objects.filter(pk=other.pk).update(status="published", reviewed_by=meera, reviewed_at=NOW)


def test_of_a_long_line_of_versions_one_is_in_use(meera: User) -> None:
    first, second = two_versions(meera)
    third = people.a_document("Dengue 2028", supersedes=second)
    review.publish(second, by=meera, now=NOW + DAY)
    review.publish(third, by=meera, now=NOW + 2 * DAY)
    with pytest.raises(review.NotAllowed, match="a newer version of it is published"):
        review.put_back(first, by=meera, now=NOW + 3 * DAY)
    review.put_back_old(third, by=meera, now=NOW + 3 * DAY)
    assert [now_of(each).status for each in (first, second, third)] == ["retired", "published", "retired"]
    review.put_back_old(second, by=meera, now=NOW + 4 * DAY)
    review.put_back(third, by=meera, now=NOW + 5 * DAY)
    assert [now_of(each).status for each in (first, second, third)] == ["retired", "retired", "published"]
    review.put_back_old(third, by=meera, now=NOW + 6 * DAY)
    assert [now_of(each).status for each in (first, second, third)] == ["published", "retired", "retired"]


def test_versions_that_supersede_each_other_in_a_circle_end_in_a_sentence(meera: User) -> None:
    old, new = two_versions(meera)
    Document.objects.filter(pk=old.pk).update(supersedes=new)
    with pytest.raises(review.NotAllowed, match="a newer version of it is published"):
        review.publish(new, by=meera, now=LATER)


def test_nothing_is_retired_when_the_new_version_cannot_be_published(meera: User) -> None:
    old, new = two_versions(meera, uploaded_by=meera)
    with pytest.raises(review.NotAllowed):
        review.publish(new, by=meera, now=LATER)
    assert now_of(old).status == "published"


def test_a_new_version_begins_with_what_is_said_about_the_old_one(meera: User) -> None:
    old = people.published(by=meera, at=NOW, topic="dengue", publisher="WHO", language="hi", expires_on=date(2027, 1, 1))
    new = review.new_version_of(old)
    assert (new.title, new.topic, new.publisher, new.language, new.supersedes) == (old.title, "dengue", "WHO", "hi", old)
    assert (new.text, new.status, new.expires_on, new.reviewed_at) == ("", "uploaded", None, None)
    assert Document.objects.count() == 1


# Confirming


def test_confirming_begins_the_interval_anew(meera: User) -> None:
    document = people.published(by=meera, at=NOW - 400 * DAY)
    assert Document.objects.stale(now=NOW).get() == document
    review.confirm(document, by=meera, now=NOW)
    assert not Document.objects.stale(now=NOW).exists()
    assert (now_of(document).confirmed_by, now_of(document).confirmed_at) == (meera, NOW)
    assert now_of(document).reviewed_at == NOW - 400 * DAY


def test_an_expired_document_is_not_confirmed_but_given_a_new_date(meera: User) -> None:
    document = people.published(by=meera, at=NOW, expires_on=NOW.date())
    with pytest.raises(review.NotAllowed, match="it expired on 1 March 2026"):
        review.confirm(document, by=meera, now=NOW)
    review.change_details(document, {"expires_on": date(2027, 1, 1)}, by=meera)
    review.confirm(document, by=meera, now=NOW)
    assert not Document.objects.stale(now=NOW).exists()


def test_only_what_is_published_is_confirmed(meera: User) -> None:
    with pytest.raises(review.NotAllowed, match="not published"):
        review.confirm(people.a_document(), by=meera, now=NOW)


# Details


def test_details_change_and_the_words_do_not(meera: User) -> None:
    document = people.published(by=meera, at=NOW, topic="fevr")
    assert review.change_details(document, {"topic": "fever", "publisher": ""}, by=meera) == ("topic",)
    held = now_of(document)
    assert (held.topic, held.status, held.text) == ("fever", "published", document.text)
    with pytest.raises(ValueError, match="no detail of a document: text"):
        review.change_details(document, {"text": "other words"}, by=meera)


@pytest.mark.usefixtures("fake_embed")
def test_a_new_title_is_indexed_again_under_the_same_review(meera: User) -> None:
    document = people.published(by=meera, at=NOW)
    review.change_details(document, {"title": "Fever"}, by=meera)
    assert now_of(document).status == "uploaded"
    indexing.index(now_of(document))
    assert (now_of(document).status, now_of(document).reviewed_at) == ("published", NOW)


@pytest.mark.parametrize(("status", "why"), [("indexing", "being indexed"), ("retired", "Put it back before")])
def test_a_title_is_not_changed_where_it_could_not_be_indexed(status: str, why: str, meera: User) -> None:
    document = people.a_document(status=status)
    with pytest.raises(review.NotAllowed, match=why):
        review.change_details(document, {"language": "hi"}, by=meera)
    review.change_details(document, {"topic": "fever"}, by=meera)
    assert (now_of(document).language, now_of(document).topic) == ("en", "fever")


def test_a_contributor_changes_no_detail(ravi: User) -> None:
    with pytest.raises(review.NotAllowed):
        review.change_details(people.a_document(uploaded_by=ravi), {"topic": "fever"}, by=ravi)


# Indexing again


def test_a_failed_index_is_tried_again_by_whoever_may_add_documents(ravi: User) -> None:
    document = people.a_document(status="index_failed", reason="The document has no readable text.", chunks=0)
    review.retry(document, by=ravi)
    assert (now_of(document).status, now_of(document).reason) == ("uploaded", "")
    with pytest.raises(review.NotAllowed, match="did not fail"):
        review.retry(document, by=ravi)


def test_a_document_retired_before_it_was_indexed_has_a_way_back(meera: User) -> None:
    document = people.a_document(status="uploaded", chunks=0)
    review.retire(document, by=meera, now=NOW)
    review.retry(document, by=meera)
    assert (now_of(document).status, now_of(document).retired_at, now_of(document).retired_by) == ("uploaded", None, None)


def test_what_failed_after_a_review_and_was_retired_is_reviewed_again(meera: User) -> None:
    kept: dict[str, Any] = {"reviewed_by": meera, "reviewed_at": NOW}
    document = people.a_document(status="index_failed", chunks=0, **kept)
    review.retire(document, by=meera, now=LATER)
    review.retry(document, by=meera)
    assert (now_of(document).reviewed_by, now_of(document).reviewed_at) == (None, None)


def test_a_viewer_does_not_ask_for_another_try() -> None:
    with pytest.raises(review.NotAllowed, match="add documents"):
        review.retry(people.a_document(status="index_failed"), by=people.viewer())


# History


def test_the_history_names_the_person_outside_of_a_request(meera: User, ravi: User) -> None:
    document = people.a_document(uploaded_by=ravi)
    review.publish(document, by=meera, now=NOW)
    review.change_details(document, {"topic": "fever", "expires_on": date(2027, 1, 1)}, by=meera)
    newest, published, added = changes.of(now_of(document))
    assert (newest.who, newest.did) == ("meera", "changed topic, expires on")
    assert [(each.name, each.before, each.after) for each in newest.details] == [
        ("topic", "nothing", "fever"),
        ("expires on", "nothing", "2027-01-01"),
    ]
    assert (published.who, published.did, published.details) == ("meera", "published it", ())
    assert (added.who, added.did) == ("ravi", "added it")


def test_documents_that_were_imported_at_once_name_who_brought_them(ravi: User) -> None:
    Document.objects.bulk_create([Document(title="Flu", text="x", content_hash="h", uploaded_by=ravi)])
    assert [(each.who, each.did) for each in changes.of(Document.objects.get())] == [("ravi", "added it")]


def test_a_long_reason_fits_the_history(meera: User) -> None:
    document = people.a_document()
    review.retire(document, by=meera, now=NOW, reason="word " * 60)
    said = changes.of(now_of(document))[0].did
    assert len(said) == 100
    assert said.endswith("…")


def test_the_newest_changes_can_be_asked_for_alone(meera: User) -> None:
    document = people.a_document()
    review.publish(document, by=meera, now=NOW)
    review.retire(document, by=meera, now=NOW)
    assert [each.did for each in changes.of(now_of(document), limit=1)] == ["retired it"]
