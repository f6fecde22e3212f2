"""The calendar feed: public, with names that stay, and changes that calendars understand."""

from __future__ import annotations

import pytest
import time_machine
from django.test import Client
from icalendar import Calendar

from operations import windows
from tests.operations.windows_of import DAY, HOUR, NOW, a_window, asha

pytestmark = pytest.mark.django_db
FEED = "/calendar/maintenance.ics"


def events(client: Client) -> list[dict[str, str]]:
    with time_machine.travel(NOW, tick=False):
        answer = client.get(FEED)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    calendar = Calendar.from_ical(answer.content)
    names = ("UID", "SEQUENCE", "STATUS", "SUMMARY")
    return [{name: str(event[name]) for name in names} for event in calendar.walk("VEVENT")]


def test_anybody_reads_the_windows_with_their_times(client: Client) -> None:
    a_window()
    with time_machine.travel(NOW, tick=False):
        answer = client.get(FEED)
    assert b"DTSTART:20270118T020000Z" in answer.content
    assert b"DTEND:20270118T040000Z" in answer.content
    assert b"METHOD:PUBLISH" in answer.content


def test_a_moved_window_keeps_its_name_and_raises_its_sequence(client: Client) -> None:
    window = a_window()
    (before,) = events(client)
    windows.change(window, by=asha(), now=NOW, starts_at=NOW + 5 * DAY, ends_at=NOW + 5 * DAY + HOUR)
    (after,) = events(client)
    assert (before["UID"], before["SEQUENCE"]) == (f"urn:uuid:{window.pk}", "0")
    assert (after["UID"], after["SEQUENCE"]) == (before["UID"], "1")


def test_a_cancelled_window_stays_as_cancelled(client: Client) -> None:
    windows.cancel(a_window(), by=asha(), now=NOW, why="The vendor is ill")
    (event,) = events(client)
    assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", "1")


def test_old_windows_go_and_nobody_is_named(client: Client) -> None:
    a_window(starts_at=NOW - 91 * DAY)
    windows.change(a_window(title="The other"), by=asha(), now=NOW, title="New title")
    assert [each["SUMMARY"] for each in events(client)] == ["Jeevo health helpline: New title"]
    assert b"asha" not in client.get(FEED).content


def test_a_calendar_that_asks_again_is_told_that_nothing_changed(client: Client) -> None:
    a_window()
    first = client.get(FEED)
    again = client.get(FEED, headers={"If-Modified-Since": first["Last-Modified"]})
    assert again.status_code == 304


def test_the_feed_is_only_read(client: Client) -> None:
    assert client.post(FEED).status_code == 405
