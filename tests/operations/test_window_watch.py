"""The clock around a window: what is said when, and what a watcher that was away says late, once, or not at all."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from conversations.models import HoldingNotice
from operations import window_watch, windows
from operations.models import MaintenanceWindow
from tests.operations.windows_of import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    a_running_window,
    a_subscriber,
    a_window,
    asha,
    latest,
    on_call,
    said,
)

pytestmark = pytest.mark.django_db


def rounds(start: datetime, end: datetime, step: timedelta = MINUTE) -> None:
    while start <= end:
        window_watch.look(start)
        start += step


def notice_of(window: MaintenanceWindow) -> HoldingNotice:
    window.refresh_from_db()
    return HoldingNotice.objects.get(pk__in=[window.holding_notice])


# Before


def test_a_window_is_announced_once_48_hours_before_to_everybody_who_wants_it() -> None:
    a_subscriber()
    window = a_window(starts_at=NOW + 3 * DAY)
    rounds(NOW, NOW + DAY - MINUTE, HOUR)
    assert said(window) == []
    rounds(NOW + DAY, NOW + 2 * DAY, HOUR)
    assert said(window) == ["scheduled"]
    notice = latest(window)
    assert [each.recipient for each in notice.deliveries.all()] == ["Ministry"]
    assert "When: Monday 18 January 2027, 02:00 to 04:00 UTC" in notice.body
    assert "about 30 minutes" in notice.body
    assert "We aim" not in notice.body
    assert window.items.get(check_name="told_ahead").result == "Said 2 days before the start, to 1 recipient."


def test_answers_say_so_from_then_on_and_nobody_waits_yet() -> None:
    window = a_window(starts_at=NOW + 2 * DAY)
    window_watch.look(NOW)
    notice = notice_of(window)
    assert (notice.announced_from, notice.starts_at, notice.holds) == (NOW, window.starts_at, False)


def test_a_window_that_pauses_nothing_says_nothing_in_answers() -> None:
    a_window(starts_at=NOW + DAY, pauses_answering=False)
    window_watch.look(NOW)
    assert not HoldingNotice.objects.exists()


def test_a_notice_ten_hours_before_is_still_sent_and_says_that_it_is_late() -> None:
    window = a_window(starts_at=NOW + 10 * HOUR)
    rounds(NOW, NOW + HOUR, MINUTE * 10)
    assert said(window) == ["scheduled"]
    assert "It begins in 10 hours. We aim to say so 48 hours before; this notice is late" in latest(window).body


def test_after_its_start_nothing_announces_a_window() -> None:
    window = a_window(starts_at=NOW + 2 * DAY)
    window_watch.look(NOW + 2 * DAY)
    assert said(window) == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_window_that_nobody_starts_is_cancelled_at_its_end_and_only_who_was_told_hears_of_it(announced: bool) -> None:
    window = a_window(starts_at=NOW + DAY)
    if announced:
        window_watch.look(NOW)
    rounds(NOW + DAY + HOUR, NOW + DAY + 2 * HOUR)
    window.refresh_from_db()
    assert (window.state, window.ending, window.ended_by) == ("cancelled", window_watch.NOBODY_CAME, None)
    assert said(window) == (["scheduled", "cancelled"] if announced else [])
    assert not HoldingNotice.objects.exists()


# Over its time


def test_a_window_over_its_time_is_said_at_once_then_every_fifteen_minutes_and_is_ended_after_an_hour() -> None:
    a_subscriber()
    on_call()
    window = a_running_window()
    end = window.ends_at
    rounds(NOW, end - MINUTE)
    assert said(window) == ["started"]
    rounds(end, end + 59 * MINUTE)
    assert said(window) == ["started", "overrun", "overrun", "overrun", "overrun"]
    assert {each.recipient for each in latest(window).deliveries.all()} == {"Ministry", "Night desk"}
    assert "should have ended 45 minutes ago, at 04:00 UTC" in latest(window).body
    assert "Jeevo ends it by itself at 05:00 UTC" in latest(window).body
    rounds(end + HOUR, end + 2 * HOUR, MINUTE * 5)
    window.refresh_from_db()
    assert (window.state, window.ended_by, window.ended_at) == ("completed", None, end + HOUR)
    assert said(window)[-1] == "completed"
    assert "still open 1 hour after its planned end" in latest(window).body


def test_people_are_told_to_wait_for_as_long_as_the_window_is_open_and_no_longer() -> None:
    window = a_running_window()
    assert (notice_of(window).starts_at, notice_of(window).ends_at) == (NOW, window.ends_at)
    at = NOW
    while at < window.ends_at + 30 * MINUTE:
        window_watch.look(at)
        assert notice_of(window).ends_at > at + MINUTE
        at += MINUTE
    windows.complete(window, by=asha(), now=at, why="Done")
    assert notice_of(window).ends_at == at


def test_when_the_watcher_stops_answers_come_back_by_themselves_soon_after_the_plan() -> None:
    window = a_running_window()
    rounds(NOW, window.ends_at + 10 * MINUTE)
    assert notice_of(window).ends_at <= window.ends_at + 15 * MINUTE


def test_a_watcher_that_was_down_for_hours_ends_what_was_left_open_with_one_notice() -> None:
    window = a_running_window()
    rounds(window.ends_at + 3 * HOUR, window.ends_at + 4 * HOUR, MINUTE * 10)
    assert said(window) == ["started", "completed"]
    assert "still open 3 hours after" in latest(window).body


def test_a_watcher_that_was_down_for_half_an_hour_says_it_once() -> None:
    window = a_running_window()
    rounds(window.ends_at + 30 * MINUTE, window.ends_at + 44 * MINUTE)
    assert said(window) == ["started", "overrun"]


def test_an_extended_window_is_late_only_after_its_new_end() -> None:
    window = a_running_window()
    end = window.ends_at
    rounds(end, end + MINUTE)
    windows.extend(window, 30, by=asha(), now=end + 5 * MINUTE)
    assert notice_of(window).ends_at == end + 35 * MINUTE
    rounds(end + 6 * MINUTE, end + 34 * MINUTE)
    assert said(window) == ["started", "overrun", "changed"]
    assert "now planned to end at 04:35 UTC" in latest(window).body
    rounds(end + 35 * MINUTE, end + 36 * MINUTE)
    assert said(window)[-1] == "overrun"


@pytest.mark.parametrize(
    "start", ["2027-02-28T23:00+00:00", "2028-02-29T01:00+00:00", "2027-03-28T00:30+00:00", "2027-12-31T23:30+00:00"]
)
def test_the_edges_of_months_years_and_summer_time_change_nothing(start: str) -> None:
    begins = datetime.fromisoformat(start)
    window = a_window(starts_at=begins)
    window_watch.look(begins - 48 * HOUR - MINUTE)
    assert said(window) == []
    window_watch.look(begins - 48 * HOUR)
    assert said(window) == ["scheduled"]
    windows.start(window, by=asha(), now=begins, why="It is time")
    rounds(begins, begins + 2 * HOUR + 15 * MINUTE)
    assert said(window) == ["scheduled", "started", "overrun", "overrun"]
