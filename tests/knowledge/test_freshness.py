"""What is due for a check, in which order, and the page where a reviewer confirms it in place."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from knowledge import freshness, review
from knowledge.models import Document
from tests.factories import NOW
from tests.knowledge import people

DAY = timedelta(days=1)
PAGE = "/admin/knowledge/document/stale/"
in_database = pytest.mark.django_db


@pytest.fixture
def meera(db: None) -> User:
    return people.reviewer()


def checked(title: str, *, days_ago: int, by: User, now: datetime = NOW, **fields: Any) -> Document:
    return people.published(title, by=by, at=now - days_ago * DAY, **fields)


def titles(documents: list[Document]) -> list[str]:
    return [each.title for each in documents]


@given(
    st.integers(1, 4000),
    st.integers(0, 4000),
    st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.none() | st.integers(0, 3000),
)
def test_a_document_is_confirmed_by_its_expiry_or_the_end_of_its_interval(
    interval: int, reviewed: int, expires: date | None, confirmed: int | None
) -> None:
    confirmed_at = None if confirmed is None else NOW - confirmed * DAY
    document = Document(
        confirm_every_days=interval, reviewed_at=NOW - reviewed * DAY, confirmed_at=confirmed_at, expires_on=expires
    )
    last = NOW - (reviewed if confirmed is None else confirmed) * DAY
    assert document.confirm_by == min(day for day in ((last + interval * DAY).date(), expires) if day)


def test_what_is_due_comes_the_longest_overdue_first(meera: User) -> None:
    checked("Late", days_ago=400, by=meera)
    checked("Later", days_ago=500, by=meera)
    checked("Expired", days_ago=1, by=meera, expires_on=date(2020, 1, 1))
    checked("Soon", days_ago=350, by=meera)
    checked("Good", days_ago=1, by=meera)
    people.a_document("Not published", reviewed_by=meera, reviewed_at=NOW - 900 * DAY)
    assert titles(freshness.stale(now=NOW)) == ["Expired", "Later", "Late"]
    assert titles(freshness.due_soon(now=NOW)) == ["Soon"]
    assert titles(freshness.stale(now=NOW, limit=1)) == ["Expired"]
    assert (freshness.stale_count(NOW), freshness.soon_count(NOW)) == (3, 1)


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_one_document_is_due_exactly_when_the_list_holds_it(seconds: int, meera: User) -> None:
    document = checked("Fever", days_ago=365, by=meera)
    now = NOW + timedelta(seconds=seconds)
    assert freshness.is_due(document, now=now) == (seconds >= 0) == bool(freshness.stale(now=now))
    expired = checked("Burns", days_ago=1, by=meera, expires_on=NOW.date())
    assert freshness.is_due(expired, now=NOW)
    expired.status = "retired"
    assert not freshness.is_due(expired, now=NOW)


def test_an_interval_of_its_own_counts(meera: User) -> None:
    checked("Weekly", days_ago=8, by=meera, confirm_every_days=7)
    assert titles(freshness.stale(now=NOW)) == ["Weekly"]
    assert titles(freshness.stale(now=NOW - 2 * DAY)) == []


def test_the_knowledge_base_is_fresh_for_seven_days_after_any_look(meera: User) -> None:
    document = checked("Fever", days_ago=9, by=meera)
    assert not freshness.is_fresh(NOW)
    review.confirm(document, by=meera, now=NOW - 7 * DAY)
    assert freshness.last_checked() == NOW - 7 * DAY
    assert freshness.is_fresh(NOW)
    assert not freshness.is_fresh(NOW + timedelta(seconds=1))
    review.retire(document, by=meera, now=NOW)
    assert freshness.last_checked() == NOW


@in_database
def test_where_nobody_looked_yet_nothing_is_fresh() -> None:
    people.a_document()
    assert freshness.last_checked() is None
    assert not freshness.is_fresh(NOW)


def test_a_reviewer_confirms_in_place_and_comes_back_to_the_list(client: Client, meera: User) -> None:
    document = checked("Fever", days_ago=400, by=meera, now=timezone.now())
    client.force_login(meera)
    text = client.get(PAGE).content.decode()
    assert "1 document to check now" in text
    assert "365 days after the last check" in text
    address = reverse("admin:knowledge_document_step", args=[document.pk, "confirm"])
    answer = client.post(address, {"next": "stale"}, follow=True)
    assert answer.redirect_chain[0][0] == PAGE
    assert "Fever: confirmed." in answer.content.decode()
    assert "Nothing to check now" in answer.content.decode()


def test_an_expired_document_needs_another_date_not_a_confirmation(client: Client, meera: User) -> None:
    document = checked("Fever", days_ago=1, by=meera, now=timezone.now(), expires_on=date(2020, 1, 1))
    client.force_login(meera)
    text = client.get(PAGE).content.decode()
    assert f"/{document.pk}/change/?edit=1#details" in text
    assert "Still right" not in text


def test_others_see_what_is_due_without_buttons(client: Client, meera: User) -> None:
    checked("Fever", days_ago=400, by=meera, now=timezone.now())
    client.force_login(people.contributor())
    text = client.get(PAGE).content.decode()
    assert "Fever" in text
    assert "Still right" not in text


def test_a_long_list_is_cut_and_says_so(client: Client, meera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knowledge.admin.curation_pages.MOST_ROWS", 2)
    for number in range(3):
        checked(f"Fever {number}", days_ago=400, by=meera, now=timezone.now())
    client.force_login(meera)
    text = client.get(PAGE).content.decode()
    assert "3 documents to check now" in text
    assert "These are the 2 longest overdue." in text
    assert text.count("Still right") == 2
