"""Declaring an incident: one short page, nothing typed is lost, and a twin is shown before it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from operations.admin.incident_forms import alike
from operations.models import Delivery, Incident, Notice, Subscriber
from tests.operations.on_duty import LIST, at_night, browser, declared, page_of, words

pytestmark = pytest.mark.django_db
ADD = f"{LIST}add/"


@pytest.fixture
def night() -> Client:
    return at_night()


def typed(**fields: Any) -> dict[str, Any]:
    now = f"{timezone.now():%Y-%m-%dT%H:%M}"
    usual = {"title": "Answers are late", "severity": "2", "affected": "10 %", "action": "", "impact_started_at": now}
    return usual | fields


def test_the_page_has_the_guides_words_and_says_to_take_the_higher_one(night: Client) -> None:
    before = timezone.now()
    answer = night.get(ADD)
    text = words(answer)
    assert "more than 1 in 10 people are affected" in text
    assert "Take the higher one" in text
    assert answer.content.decode().count('type="radio"') == 4
    assert any(f'value="{at:%Y-%m-%dT%H:}' in answer.content.decode() for at in (before, timezone.now()))


def test_it_is_declared_with_its_times_and_shown(night: Client) -> None:
    answer = night.post(ADD, typed(impact_started_at=f"{timezone.now() - timedelta(hours=1):%Y-%m-%dT%H:%M}"), follow=True)
    incident = Incident.objects.get()
    assert answer.redirect_chain[-1][0] == page_of(incident)
    assert f"INC-{incident.number} is declared." in words(answer)
    assert (incident.severity, incident.affected, str(incident.declared_by)) == (2, "10 %", "night-desk")
    assert timedelta(minutes=58) < incident.declared_at - incident.impact_started_at < timedelta(minutes=62)
    assert incident.timers.count() == 5


def test_a_public_one_tells_subscribers_at_once_and_another_does_not(night: Client) -> None:
    Subscriber.objects.create(name="clinic", channel="email", address="clinic@example.org")
    night.post(ADD, typed())
    assert not Notice.objects.exists()
    night.post(ADD, typed(title="Search is down", public="on"))
    assert Notice.objects.get().event == "declared"
    assert Delivery.objects.get().recipient == "clinic"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"title": "  "}, "Write something under “What is wrong”."),
        ({"severity": ""}, "Choose a severity. Unsure? Take the higher one."),
        ({"severity": "7"}, "7 is not one of the available choices"),
        ({"impact_started_at": "yesterday"}, "Enter a valid date/time."),
        ({"impact_started_at": "2999-01-01T00:00"}, "cannot begin in the future"),
        ({"title": "x" * 201}, "at most 200 characters"),
        ({"title": "a\x00b"}, "Null characters are not allowed."),
    ],
)
def test_what_is_missing_is_said_and_nothing_typed_is_lost(night: Client, fields: dict[str, str], says: str) -> None:
    answer = night.post(ADD, typed(affected="a third of messages", **fields))
    assert answer.status_code == 400
    assert says in words(answer)
    assert "a third of messages" in answer.content.decode()
    assert not Incident.objects.exists()


def test_a_live_one_that_looks_alike_is_shown_first(night: Client) -> None:
    twin = declared("Answers come late since noon")
    answer = night.post(ADD, typed(action="Looking"))
    assert Incident.objects.count() == 1
    assert "Is it this one?" in words(answer)
    assert page_of(twin) in answer.content.decode()
    assert 'value="Looking"' in answer.content.decode()
    night.post(ADD, typed(anyway="yes"))
    assert Incident.objects.count() == 2


def test_a_button_pressed_twice_declares_once(night: Client) -> None:
    night.post(ADD, typed())
    night.post(ADD, typed())
    assert Incident.objects.count() == 1


@pytest.mark.parametrize(
    ("title", "other", "same"),
    [
        ("Answers are late", "answers late", True),
        ("Answers are late", "Search is slow", False),
        ("Database refuses connections", "Connections to the database time out", True),
        ("??? - !!!", "??? - !!!", False),
        ("उत्तर देर से", "उत्तर देर से आ रहे", True),
    ],
)
def test_titles_look_alike_when_they_share_half_their_words(title: str, other: str, same: bool) -> None:
    assert bool(alike(title, [Incident(title=other)])) is same


def test_who_may_only_declare_is_not_led_to_a_page_they_may_not_see() -> None:
    phone = browser("front-desk", "add_incident")
    answer = phone.post(ADD, typed(), follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == "/admin/"
    assert "is declared" in words(answer)
    assert Incident.objects.count() == 1


def test_readers_may_not_declare() -> None:
    reader = browser("reader", "view_incident")
    assert reader.get(ADD).status_code == 403
    assert reader.post(ADD, typed()).status_code == 403
    assert not Incident.objects.exists()


def test_every_page_offers_it_to_those_who_may(night: Client) -> None:
    assert "Declare an incident" in words(night.get("/admin/"))
    assert "Declare an incident" in words(night.get("/admin/password_change/"))
    assert "Declare an incident" not in words(browser("reader", "view_incident").get("/admin/"))
    assert "Declare an incident" not in words(Client().get("/admin/login/"))
