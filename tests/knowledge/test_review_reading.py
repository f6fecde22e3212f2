"""A review is of what somebody read, and one version at a time is in use: neither is got around by a change in between."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from knowledge import indexing, review
from knowledge.models import Document
from tests.factories import NOW
from tests.knowledge import people

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_embed")]
LATER = NOW + timedelta(days=1)
CHANGED = "it changed while you were reading it. Read it again, then publish it."


@pytest.fixture
def meera() -> User:
    return people.reviewer("meera")


@pytest.fixture
def desk(client: Client, meera: User) -> Client:
    client.force_login(meera)
    return client


def now_of(document: Document) -> Document:
    return Document.objects.get(pk=document.pk)


def states(*documents: Document) -> list[str]:
    return [now_of(each).status for each in documents]


def indexed() -> None:
    indexing.index_all(indexing.claim_some(100, now=timezone.now()))


def rewritten(document: Document, text: str = "Text that nobody read.") -> None:
    """As an import brings the same record again with other words."""
    new = {"text": text, "content_hash": hashlib.sha256(text.encode()).hexdigest(), "status": "uploaded"}
    Document.objects.filter(pk=document.pk).update(**new)
    indexed()


# What was read


def test_publishing_what_was_read_approves_it(meera: User) -> None:
    document = people.a_document(indexed_at=NOW)
    review.publish(document, by=meera, now=NOW, seen=review.as_read(now_of(document)))
    assert states(document) == ["published"]


def test_a_text_that_came_after_the_reading_is_not_approved(meera: User) -> None:
    document = people.a_document(indexed_at=NOW)
    seen = review.as_read(now_of(document))
    rewritten(document)
    with pytest.raises(review.NotAllowed, match=re.escape(CHANGED)):
        review.publish(document, by=meera, now=LATER, seen=seen)
    held = now_of(document)
    assert (held.status, held.reviewed_by) == ("in_review", None)
    review.publish(document, by=meera, now=LATER, seen=review.as_read(held))
    assert states(document) == ["published"]


def test_passages_that_were_made_again_are_read_again(meera: User) -> None:
    document = people.a_document(indexed_at=NOW)
    seen = review.as_read(now_of(document))
    review.change_details(document, {"title": "Fever of adults"}, by=meera)
    indexed()
    with pytest.raises(review.NotAllowed, match=re.escape(CHANGED)):
        review.publish(document, by=meera, now=LATER, seen=seen)


def test_a_detail_that_is_not_cited_needs_no_second_reading(meera: User) -> None:
    document = people.a_document(indexed_at=NOW)
    seen = review.as_read(now_of(document))
    review.change_details(document, {"topic": "fever"}, by=meera)
    review.publish(document, by=meera, now=LATER, seen=seen)
    assert states(document) == ["published"]


def test_putting_back_approves_only_what_was_read(meera: User) -> None:
    document = people.published(by=meera, at=NOW, indexed_at=NOW)
    review.retire(document, by=meera, now=NOW)
    with pytest.raises(review.NotAllowed, match=re.escape(CHANGED)):
        review.put_back(document, by=meera, now=LATER, seen="another text")
    review.put_back(document, by=meera, now=LATER, seen=review.as_read(now_of(document)))
    assert states(document) == ["published"]


def test_who_may_not_publish_is_told_that_first() -> None:
    with pytest.raises(review.NotAllowed, match="only a clinician reviewer"):
        review.publish(people.a_document(), by=people.contributor(), now=NOW, seen="another text")


def test_the_mark_differs_with_the_words_and_with_the_passages() -> None:
    marks = {review.as_read(Document(content_hash=words, indexed_at=at)) for words, at in product(("a", "b"), (None, NOW, LATER))}
    assert len(marks) == 6
    assert "" not in marks


def mark_of(client: Client, document: Document) -> str:
    """What the page's form for the next step sends along."""
    text = client.get(reverse("admin:knowledge_document_change", args=[document.pk])).content.decode()
    (form,) = re.findall(r'<form[^>]*/step/(?:publish|put_back)/".*?</form>', text, re.DOTALL)
    (mark,) = re.findall(r'name="seen" value="([^"]*)"', form)
    return str(mark)


def pressed(client: Client, document: Document, step: str, **sent: str) -> str:
    address = reverse("admin:knowledge_document_step", args=[document.pk, step])
    return client.post(address, sent, follow=True).content.decode()


def test_the_page_sends_what_it_showed(desk: Client) -> None:
    document = people.a_document(indexed_at=NOW)
    seen = mark_of(desk, document)
    rewritten(document)
    assert f"Fever in children: {CHANGED}" in pressed(desk, document, "publish", seen=seen)
    assert states(document) == ["in_review"]
    assert "Fever in children: published." in pressed(desk, document, "publish", seen=mark_of(desk, document))
    assert states(document) == ["published"]


@pytest.mark.parametrize("step", ["publish", "put_back"])
def test_a_request_that_shows_no_reading_publishes_nothing(step: str, desk: Client, meera: User) -> None:
    document = people.a_document()
    if step == "put_back":
        review.retire(document, by=meera, now=NOW)
    before = states(document)
    assert CHANGED in pressed(desk, document, step)
    assert states(document) == before
    pressed(desk, document, step, seen=mark_of(desk, document))
    assert states(document) == ["published"]


# One version in use


@pytest.mark.parametrize("detail", [{"title": "Dengue anew"}, {"language": "hi"}])
def test_an_old_version_does_not_come_back_while_the_new_one_is_indexed_again(detail: dict[str, Any], meera: User) -> None:
    old = people.a_document("Dengue 2020")
    new = people.a_document("Dengue 2026", supersedes=old)
    review.publish(old, by=meera, now=NOW)
    review.publish(new, by=meera, now=NOW)
    review.change_details(new, detail, by=meera)
    with pytest.raises(review.NotAllowed, match="a newer version of it is published"):
        review.put_back(old, by=meera, now=LATER)
    indexed()
    assert states(old, new) == ["retired", "published"]


@pytest.mark.parametrize("status", ["uploaded", "indexing", "index_failed"])
def test_a_sibling_is_not_published_while_the_other_is_on_its_way_back(status: str, meera: User) -> None:
    old = people.a_document("Dengue 2020")
    one, other = (people.a_document(title, supersedes=old) for title in ("Dengue 2026", "Dengue 2027"))
    review.publish(one, by=meera, now=NOW)
    review.change_details(one, {"language": "hi"}, by=meera)
    Document.objects.filter(pk=one.pk).update(status=status)
    with pytest.raises(review.NotAllowed, match="another new version"):
        review.publish(other, by=meera, now=LATER)
    assert states(other) == ["in_review"]


def test_a_sibling_that_was_refused_leaves_the_index_at_work(meera: User) -> None:
    old = people.a_document("Dengue 2020")
    one, other = (people.a_document(title, supersedes=old) for title in ("Dengue 2026", "Dengue 2027"))
    review.publish(one, by=meera, now=NOW)
    review.change_details(one, {"title": "Dengue of 2026"}, by=meera)
    with pytest.raises(review.NotAllowed):
        review.publish(other, by=meera, now=LATER)
    waiting = people.a_document("Burns", status="uploaded")
    indexed()
    assert states(one, other, waiting) == ["published", "in_review", "in_review"]


def test_what_is_retired_on_its_way_back_makes_room_for_its_sibling(meera: User) -> None:
    old = people.a_document("Dengue 2020")
    one, other = (people.a_document(title, supersedes=old) for title in ("Dengue 2026", "Dengue 2027"))
    review.publish(one, by=meera, now=NOW)
    review.change_details(one, {"title": "Dengue of 2026"}, by=meera)
    review.retire(one, by=meera, now=LATER)
    review.publish(other, by=meera, now=LATER)
    indexed()
    assert states(one, other) == ["retired", "published"]


def test_an_old_version_on_its_way_back_is_retired_by_the_new_one(meera: User) -> None:
    old = people.published("Dengue 2020", by=meera, at=NOW)
    new = people.a_document("Dengue 2026", supersedes=old)
    review.change_details(old, {"title": "Dengue of 2020"}, by=meera)
    review.publish(new, by=meera, now=LATER)
    indexed()
    assert states(old, new) == ["retired", "published"]
