"""Coverage by topic: what may be cited, what waits, what people asked in vain, and the page that plots it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from knowledge import coverage
from knowledge.admin.curation_pages import WIDTH, bars
from knowledge.coverage import Topic
from knowledge.models import Document, UnansweredQuestion
from tests.factories import NOW
from tests.fixtures import ChangeEnvironment
from tests.knowledge import people

PAGE = "/admin/knowledge/document/coverage/"
DAY = timedelta(days=1)


@pytest.fixture
def meera(db: None) -> User:
    return people.reviewer()


def asked(nearest: Document | None, *, at: datetime = NOW, resolved: bool = False) -> None:
    question = UnansweredQuestion.objects.create(
        text="x", language="en", score=0.2, nearest=nearest, answer_key=uuid4(), resolved_at=at if resolved else None
    )
    UnansweredQuestion.objects.filter(pk=question.pk).update(created_at=at)


def topics() -> dict[str, Topic]:
    return {each.name: each for each in coverage.by_topic(NOW).topics}


def test_a_topic_counts_what_may_be_cited_and_what_waits(meera: User, environment: ChangeEnvironment) -> None:
    environment(serve_starter_content=False)
    people.published("One", by=meera, at=NOW, topic="Fever", chunks=3)
    people.published("Two", by=meera, at=NOW, topic=" fever ", chunks=2)
    people.a_document("Three", topic="fever")
    people.a_document("Four", topic="burns", status="index_failed", chunks=0)
    people.a_document("Five", origin="starter", slug="five")
    assert topics() == {
        "fever": Topic("fever", citable=2, passages=5, waiting=1),
        "burns": Topic("burns"),
        "": Topic("", waiting=1),
    }


def test_starter_content_counts_while_it_is_served(meera: User, environment: ChangeEnvironment) -> None:
    people.a_document("Fever", origin="starter", slug="fever", topic="fever")
    environment(serve_starter_content=True)
    assert (topics()["fever"].citable, topics()["fever"].waiting) == (1, 0)
    environment(serve_starter_content=False)
    assert (topics()["fever"].citable, topics()["fever"].waiting) == (0, 1)


def test_questions_count_for_the_topic_that_came_nearest(meera: User) -> None:
    fever = people.published("Fever", by=meera, at=NOW, topic="fever")
    asked(fever)
    asked(fever, resolved=True)
    asked(fever, at=NOW - 91 * DAY)
    asked(None)
    found = coverage.by_topic(NOW)
    assert [(each.asked, each.unanswered) for each in found.topics] == [(2, 1)]
    assert found.near_nothing == 1


def test_topics_without_a_document_come_first_then_those_most_asked_about(meera: User) -> None:
    for name in ("anaemia", "burns", "cough"):
        document = people.published(name, by=meera, at=NOW, topic=name)
    asked(document)
    people.a_document("Zika", topic="zika")
    found = coverage.by_topic(NOW)
    assert [each.name for each in found.topics] == ["zika", "cough", "anaemia", "burns"]
    assert found.uncovered == 1


FIGURES = st.builds(Topic, st.text("abc", max_size=3), st.integers(0, 9000), unanswered=st.integers(0, 9000))


@given(st.lists(FIGURES, max_size=20))
def test_a_bar_is_seen_where_there_is_anything_and_never_leaves_the_plot(rows: list[Topic]) -> None:
    for bar in bars(rows):
        for length, figure in ((bar.citable, bar.topic.citable), (bar.unanswered, bar.topic.unanswered)):
            assert 0 <= length <= WIDTH
            assert (length >= 1) == (figure > 0)


def test_the_page_plots_topics_with_the_numbers_behind_them(client: Client, meera: User) -> None:
    asked(people.published("Fever", by=meera, at=NOW, topic="fever"))
    UnansweredQuestion.objects.update(created_at=NOW + 400 * DAY)
    people.a_document("Zika <b>", topic="<b>zika</b>")
    client.force_login(meera)
    text = re.sub(r"\s+", " ", client.get(PAGE).content.decode())
    for part in (
        "2 topics, 1 of them without a document",
        "&lt;b&gt;zika&lt;/b&gt;",
        "<strong>no document</strong>",
        "<rect",
        "<tbody>",
    ):
        assert part in text
    assert "topic__iexact=fever" in text
    assert "<b>zika" not in text


def test_the_link_of_a_topic_lists_its_documents(client: Client, meera: User) -> None:
    people.published("Fever", by=meera, at=NOW, topic="Fever")
    people.a_document("Burns")
    client.force_login(meera)
    for bar, title in zip(bars(coverage.by_topic(NOW).topics), ["Burns", "Fever"], strict=True):
        assert [each.title for each in client.get(bar.address).context["cl"].result_list] == [title]


def test_a_page_without_documents_says_how_to_begin(client: Client, meera: User) -> None:
    client.force_login(meera)
    text = client.get(PAGE).content.decode()
    assert "No document is here yet" in text
    assert "No document has been published, confirmed or retired yet." in text
