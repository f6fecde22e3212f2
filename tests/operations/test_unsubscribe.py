"""The way out of notices: opening the link changes nothing, one button stops them, and a mail program may press it."""

from __future__ import annotations

import pytest
from django.test import Client

from operations import mail, site
from operations.models import Subscriber

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscriber() -> Subscriber:
    return Subscriber.objects.create(name="Anna", channel="email", address="anna@example.org")


def path(subscriber: Subscriber) -> str:
    return mail.unsubscribe_link(subscriber).removeprefix(site.address(""))


def test_opening_the_link_asks_and_changes_nothing(client: Client, subscriber: Subscriber) -> None:
    answer = client.get(path(subscriber))
    assert "Stop these notices?" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    subscriber.refresh_from_db()
    assert subscriber.active


def test_the_button_stops_them_and_staff_see_why(subscriber: Subscriber) -> None:
    """Without a cookie, and as a mail program does it; twice is as good as once."""
    client = Client(enforce_csrf_checks=True)
    for _ in range(2):
        answer = client.post(path(subscriber), {"List-Unsubscribe": "One-Click"})
        assert "You will get no more of these" in answer.content.decode()
    subscriber.refresh_from_db()
    assert not subscriber.active
    assert "They stopped it themselves" in subscriber.stopped_because


def test_a_link_that_is_not_ours_stops_nobody(client: Client, subscriber: Subscriber) -> None:
    whole = path(subscriber)
    other = Subscriber.objects.create(name="Bela", channel="email", address="bela@example.org")
    for broken in (whole[:-4] + "/", f"/unsubscribe/{subscriber.pk}/", whole.replace(str(subscriber.pk), str(other.pk))):
        for answer in (client.get(broken), client.post(broken)):
            assert answer.status_code == 404
            assert "This link does not work" in answer.content.decode()
    assert Subscriber.objects.filter(active=True).count() == 2


def test_the_page_shows_no_address(client: Client, subscriber: Subscriber) -> None:
    assert "anna" not in client.get(path(subscriber)).content.decode().lower()
