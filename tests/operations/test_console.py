"""The home page: whether the service is well, each figure true to the rows, and pages that obey the content policy."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conversations.models import Answer, Citation, Handover, OutboundMessage
from knowledge.models import Document, UnansweredQuestion
from operations import figures, incidents, phrases, plot
from operations.console import ConsoleSite
from operations.verdict import verdict
from tests import factories
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db
# At noon "today" holds the last hours, whatever the hour the tests run at.
NOW = timezone.now().replace(hour=12, minute=30, second=0, microsecond=0)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


@pytest.fixture
def asha(client: Client) -> Client:
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    return client


def a_citable_document() -> Document:
    document = Document.objects.create(
        title="Fever", origin="starter", slug="fever", status="in_review", text="x", indexed_at=NOW - HOUR
    )
    factories.some_chunks(document, [("", "Drink.")])
    return document


def test_the_console_is_the_admin_site() -> None:
    assert isinstance(admin.site, ConsoleSite)


def test_nothing_waits() -> None:
    tile = figures.waiting_messages(NOW)
    assert (tile.figure, tile.said, tile.state) == ("0", "No message waits.", "good")


def test_messages_that_wait_longer_than_a_minute_are_counted_in_words() -> None:
    person = factories.a_contact()
    for minutes in (2, 3, 4):
        factories.an_inbound(person, status="waiting", received_at=NOW - minutes * MINUTE)
    factories.an_inbound(person, status="processing", received_at=NOW - timedelta(seconds=30))
    factories.an_inbound(person, status="answered", received_at=NOW - HOUR)
    tile = figures.waiting_messages(NOW)
    assert (tile.figure, tile.said, tile.state) == (
        "4",
        "3 messages have waited longer than a minute.",
        "at_risk",
    )
    assert tile.since == NOW - 4 * MINUTE
    factories.an_inbound(None, status="received", received_at=NOW - 6 * MINUTE)
    assert figures.waiting_messages(NOW).state == "breached"


def test_people_who_wait_are_counted_and_a_late_red_flag_is_a_breach() -> None:
    Handover.objects.create(contact=factories.a_contact("1"), reason="asked", opened_at=NOW - 3 * HOUR)
    Handover.objects.create(contact=factories.a_contact("2"), reason="red_flag", opened_at=NOW - MINUTE)
    asha = User.objects.create(username="asha")
    Handover.objects.create(
        contact=factories.a_contact("3"),
        reason="asked",
        opened_at=NOW - 9 * HOUR,
        taken_by=asha,
        taken_at=NOW,
    )
    tile = figures.waiting_people(NOW)
    assert (tile.figure, tile.said, tile.state) == ("2", "The oldest has waited 3 hours.", "at_risk")
    Handover.objects.filter(reason="red_flag").update(opened_at=NOW - 11 * MINUTE)
    assert figures.waiting_people(NOW).state == "breached"


def test_failures_name_the_commonest_reason_of_the_last_day() -> None:
    person = factories.a_contact()
    for reason, code, when in (
        ("This person cannot receive the message", 131026, HOUR),
        ("This person cannot receive the message", 131026, 2 * HOUR),
        ("Other", 100, HOUR),
        ("Old", 100, 30 * HOUR),
    ):
        factories.an_outbound(person, status="failed", reason=reason, error_code=code, failed_at=NOW - when)
    tile = figures.failed_messages(NOW)
    assert (tile.figure, tile.said, tile.state) == (
        "3",
        "Mostly: this person cannot receive the message.",
        "at_risk",
    )
    OutboundMessage.objects.filter(reason="Other").update(error_code=190)
    assert figures.failed_messages(NOW).state == "breached"


def test_answers_are_shared_by_kind_with_the_part_that_names_sources() -> None:
    person = factories.a_contact()
    answers = [factories.an_answer(person, kind=kind) for kind in ("extractive", "generated", "emergency", "emergency")]
    Answer.objects.update(created_at=NOW - HOUR)
    Citation.objects.create(answer=answers[0], number=1, chunk_key=uuid4(), title="t", quote="q", score=1)
    tile = figures.answers_today(NOW)
    assert tile.figure == "4"
    assert dict(tile.details) == {"Emergency": "2", "Extractive": "1", "Generated": "1"}
    assert (tile.said, tile.state) == ("50 % of the health answers name their sources.", "at_risk")


def test_messages_and_answers_of_yesterday_do_not_count_today() -> None:
    person = factories.a_contact()
    factories.an_answer(person)
    Answer.objects.update(created_at=NOW - 13 * HOUR)
    factories.an_inbound(person, payload={"a": 1}, received_at=NOW - 13 * HOUR)
    factories.an_inbound(person, payload={"a": 1}, received_at=NOW - HOUR)
    assert figures.answers_today(NOW).figure == "0"
    assert (figures.messages_today(NOW).figure, figures.messages_today(NOW).said) == ("1", "From 1 person.")


def test_knowledge_says_what_can_be_cited_and_that_nobody_reviewed_it(environment: ChangeEnvironment) -> None:
    assert figures.knowledge(NOW).state == "breached"
    a_citable_document()
    tile = figures.knowledge(NOW)
    assert (tile.figure, tile.state) == ("1", "good")
    assert tile.said == "1 passage can be cited. No clinician has reviewed 1 starter article of them yet."
    environment(serve_starter_content=False)
    assert figures.knowledge(NOW).figure == "0"


def test_unanswered_questions_that_were_dealt_with_do_not_count() -> None:
    for number in range(3):
        UnansweredQuestion.objects.create(
            text="q", language="en", score=0.1, answer_key=uuid4(), resolved_at=NOW if number else None
        )
    assert figures.unanswered_questions(NOW).figure == "1"


def test_the_language_model_is_off_on_or_failing(environment: ChangeEnvironment) -> None:
    assert figures.language_model(NOW).said == "No Groq key: answers come straight from the sources."
    environment(groq={"api_key": "gsk_secret"})
    assert figures.language_model(NOW).state == "good"
    cache.set(
        "llm:problem",
        {"code": 401, "reason": "Groq refused the key", "since": (NOW - 3 * MINUTE).isoformat()},
    )
    tile = figures.language_model(NOW)
    assert (tile.said, tile.state) == (
        "Groq refused the key, 3 minutes ago. Answers come straight from the sources.",
        "at_risk",
    )
    assert "gsk_secret" not in repr(tile)


def test_a_refusal_of_whatsapp_is_a_breach() -> None:
    assert figures.whatsapp_line(NOW).state is None
    cache.set(
        "whatsapp:problem",
        {"code": 190, "reason": "The access token has expired or was withdrawn", "since": NOW.isoformat()},
    )
    tile = figures.whatsapp_line(NOW)
    assert tile.state == "breached"
    assert tile.said.startswith("The access token has expired or was withdrawn.")


def tile(state: figures.State | None) -> figures.Tile:
    return figures.Tile("t", "1", "", "said", state)


def test_the_worst_tile_speaks_for_the_service() -> None:
    assert verdict([tile("good"), tile("at_risk"), tile("breached")], quiet=False).state == "breached"
    assert verdict([tile("good"), tile("at_risk"), tile(None)], quiet=False).state == "at_risk"
    assert verdict([tile("good"), tile(None)], quiet=False).state == "good"


def test_without_messages_nobody_can_say_that_it_is_well() -> None:
    assert verdict([tile("good")], quiet=True).state == "unknown"
    assert verdict([tile("at_risk")], quiet=True).state == "at_risk"


def test_the_plot_has_a_bar_an_hour_and_a_small_one_is_still_seen() -> None:
    person = factories.a_contact()
    for hours in (0, 0, 0, 5, 30):
        factories.an_inbound(person, payload={"a": 1}, received_at=NOW - hours * HOUR)
    drawn = plot.messages_by_hour(NOW)
    assert len(drawn.bars) == 24
    assert (drawn.total, drawn.highest) == (4, 3)
    assert [bar.number for bar in drawn.bars if bar.number] == [1, 3]
    assert drawn.bars[-1].hour == NOW.replace(minute=0)
    assert plot.draw([(NOW, 1), (NOW, 1000)]).bars[0].height == 3


def test_the_home_page_answers_in_words(asha: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.restorable.NEW", timedelta(days=1))
    a_citable_document()
    factories.an_inbound(factories.a_contact(), status="answered", payload={"a": 1}, received_at=timezone.now() - MINUTE)
    text = asha.get(reverse("admin:index")).content.decode()
    assert "Jeevo is well" in text
    assert "No message waits." in text
    assert "No Groq key: answers come straight from the sources." in text
    assert "<svg viewBox" in text
    assert "Messages</th>" in text  # the table behind the plot


def test_the_home_page_is_quick_in_queries(asha: Client) -> None:
    person = factories.a_contact()
    for _ in range(30):
        factories.an_inbound(person, payload={"a": 1}, received_at=timezone.now())
    with CaptureQueriesContext(connection) as queries:
        asha.get(reverse("admin:index"))
    assert len(queries) <= 20


def test_a_reader_without_permissions_gets_no_links_they_cannot_follow(client: Client) -> None:
    client.force_login(User.objects.create(username="new", is_staff=True))
    text = client.get(reverse("admin:index")).content.decode()
    assert "Waiting for an answer" in text
    assert reverse("admin:conversations_inboundmessage_changelist") not in text


def test_strangers_are_sent_to_the_sign_in_page(client: Client) -> None:
    answer = client.get(reverse("admin:index"), follow=True)
    assert answer.redirect_chain[0][0].startswith("/admin/login/")
    assert "Sign in" in answer.content.decode()


INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>|<style|\sstyle=|\son\w+=|https?://[^\"']+\.(?:js|css)",
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    "address",
    [
        "/admin/",
        "/admin/login/",
        "/admin/conversations/contact/",
        "/admin/conversations/answer/",
        "/admin/knowledge/document/",
        "/admin/knowledge/document/add/",
        "/admin/conversations/handover/waiting/",
        "/admin/auth/user/add/",
        "/admin/conversations/holdingnotice/add/",
        "/admin/operations/targets/",
        "/admin/django_celery_beat/periodictask/add/",
        "/admin/password_change/",
        "/admin/conversations/",
        "/admin/operations/incident/",
        "/admin/operations/incident/add/",
        "/admin/operations/incident/{incident}/change/",
        "/admin/operations/incident/{incident}/postmortem/",
        "/admin/operations/followup/",
        "/admin/operations/oncallcontact/",
        "/admin/operations/oncallcontact/add/",
        "/admin/operations/response/",
    ],
)
def test_no_page_needs_inline_script_or_style_and_each_carries_the_policy(asha: Client, address: str) -> None:
    incident = incidents.declare("Answers are late", severity=1, now=NOW)[0] if "{incident}" in address else None
    answer = asha.get(address.format(incident=incident and incident.pk), follow=True)
    assert answer.status_code == 200
    assert INLINE.findall(answer.content.decode()) == []
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_pattern_for_inline_parts_finds_them() -> None:
    for part in ("<script>x</script>", '<p style="a">', '<a onclick="x">', "<style>"):
        assert INLINE.search(part)
    assert not INLINE.search('<script src="/static/a.js" defer></script>')


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (3_599, "59 minutes"),
        (7_200, "2 hours"),
        (200_000, "2 days"),
        (-5, "less than a second"),
    ],
)
def test_lengths_of_time_are_said_in_one_unit(seconds: float, words: str) -> None:
    assert phrases.lasted(timedelta(seconds=seconds)) == words


def test_moments_are_read_in_each_form_they_come_in() -> None:
    assert figures._moment(NOW.isoformat()) == NOW
    assert figures._moment(NOW.timestamp()) == NOW
    assert figures._moment(NOW) == NOW
    assert figures._moment(None) is None
    assert figures._moment("yesterday") is None
    assert isinstance(figures.midnight(NOW), datetime)


def test_documents_that_are_due_to_be_confirmed_are_said_and_linked(environment: ChangeEnvironment) -> None:
    reviewer = factories.staff()
    document = factories.a_document("Fever", "Drink water.", status="published", reviewed_by=reviewer, reviewed_at=NOW)
    assert figures.knowledge(NOW).state == "good"
    tile = figures.knowledge(NOW + timedelta(days=document.confirm_every_days + 1))
    assert tile.state == "at_risk"
    assert "1 document is due to be confirmed by a clinician." in tile.said
    assert tile.href == reverse("admin:knowledge_document_stale")
