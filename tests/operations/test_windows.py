"""Steps of a window: each with its notice in one commit, one window at a time, and none out of turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from conversations.models import HoldingNotice
from operations import checklists, window_watch, windows
from operations.models import ChecklistItem, MaintenanceWindow
from operations.windows import NotNow, OpenItems
from tests.operations.windows_of import DAY, HOUR, MINUTE, NOW, a_running_window, a_subscriber, a_window, asha, latest, said

pytestmark = pytest.mark.django_db
State = MaintenanceWindow.State


def tick_all(window: MaintenanceWindow, phase: str) -> None:
    for item in window.items.filter(phase=phase):
        checklists.tick(item, by=asha(), now=NOW)


def test_a_window_begins_when_its_list_is_done() -> None:
    a_subscriber()
    window = a_window(starts_at=NOW)
    with pytest.raises(OpenItems, match="A full backup is made and verified"):
        windows.start(window, by=asha(), now=NOW)
    tick_all(window, "before")
    window = windows.start(window, by=asha(), now=NOW)
    assert (window.state, window.started_by, window.started_at, window.started_anyway) == ("in_progress", asha(), NOW, "")
    assert said(window) == ["started"]
    assert "Emergencies are answered at once" in latest(window).body
    assert latest(window).facts["state"] == "in_progress"


def test_with_open_items_it_begins_only_with_a_reason_that_is_kept() -> None:
    window = a_window(starts_at=NOW)
    with pytest.raises(OpenItems):
        windows.start(window, by=asha(), now=NOW, why="   ")
    window = windows.start(window, by=asha(), now=NOW, why="The disk is failing; it cannot wait.")
    assert window.started_anyway == "The disk is failing; it cannot wait."


def test_the_checks_run_before_it_begins() -> None:
    window = a_window(starts_at=NOW)
    with pytest.raises(OpenItems):
        windows.start(window, by=asha(), now=NOW)
    states = dict(window.items.filter(phase="before").values_list("check_name", "state"))
    assert (states["told_ahead"], states["backup"], states["on_call"]) == ("failed", "failed", "failed")


@pytest.mark.parametrize(
    ("starts_in", "why"), [(2 * HOUR, "To begin now, change its time"), (-3 * HOUR, "Its time is over"), (-2 * HOUR, "is over")]
)
def test_a_window_begins_near_its_time_only(starts_in: Any, why: str) -> None:
    window = a_window(starts_at=NOW + starts_in)
    with pytest.raises(NotNow, match=why):
        windows.start(window, by=asha(), now=NOW, why="I want to")


def test_one_window_at_a_time() -> None:
    a_running_window(title="The first")
    second = a_window(starts_at=NOW)
    with pytest.raises(NotNow, match="“The first” is in progress"):
        windows.start(second, by=asha(), now=NOW, why="Both")
    with pytest.raises(IntegrityError), transaction.atomic():
        MaintenanceWindow.objects.filter(pk=second.pk).update(state="in_progress", started_by=asha(), started_at=NOW)


def test_people_wait_from_its_start_to_its_end() -> None:
    window = a_running_window()
    notice = HoldingNotice.objects.get(pk__in=[window.holding_notice])
    assert (notice.starts_at, notice.ends_at, notice.holds, notice.text) == (NOW, window.ends_at, True, "")
    windows.complete(window, by=asha(), now=NOW + HOUR, why="Documentation tomorrow")
    notice.refresh_from_db()
    assert notice.ends_at == NOW + HOUR


def test_a_window_ended_in_the_second_it_began_holds_nobody_up() -> None:
    window = a_running_window()
    windows.complete(window, by=asha(), now=NOW, why="A mistake")
    assert not HoldingNotice.objects.filter(ends_at__gt=NOW).exists()


def test_a_window_that_pauses_nothing_holds_nobody_up() -> None:
    a_running_window(pauses_answering=False)
    assert not HoldingNotice.objects.exists()


def test_the_end_is_said_and_ticks_the_line_that_asks_for_it() -> None:
    a_subscriber()
    window = a_running_window()
    tick_all(window, "after")
    window = windows.complete(window, by=asha(), now=NOW + 90 * MINUTE)
    assert (window.state, window.ended_by, window.ending) == ("completed", asha(), "")
    assert said(window) == ["started", "completed"]
    assert "It took 1 hour." in latest(window).body
    assert window.items.get(check_name="told_completion").state == "done"


def test_an_end_with_open_items_needs_a_reason() -> None:
    window = a_running_window()
    with pytest.raises(OpenItems, match="Documentation says what changed"):
        windows.complete(window, by=asha(), now=NOW + HOUR)
    assert windows.complete(window, by=asha(), now=NOW + HOUR, why="Tomorrow").ending == "Tomorrow"


@pytest.mark.parametrize("announced", [True, False])
def test_a_cancelled_window_is_said_only_to_those_who_were_told_of_it(announced: bool) -> None:
    window = a_window(starts_at=NOW + DAY)
    if announced:
        window_watch.look(NOW)
    window = windows.cancel(window, by=asha(), now=NOW + HOUR, why="The vendor is not ready")
    assert (window.state, window.ended_by, window.ending) == ("cancelled", asha(), "The vendor is not ready")
    assert said(window) == (["scheduled", "cancelled"] if announced else [])
    assert not HoldingNotice.objects.exists()


def test_a_change_is_said_with_what_was_announced_before() -> None:
    window = a_window(starts_at=NOW + DAY)
    window_watch.look(NOW)
    later = NOW + DAY + 3 * HOUR
    window = windows.change(window, by=asha(), now=NOW + HOUR, starts_at=later, ends_at=later + HOUR)
    assert said(window) == ["scheduled", "changed"]
    assert "It was announced as: Saturday 16 January 2027, 02:00 to 04:00 UTC" in latest(window).body
    assert "When: Saturday 16 January 2027, 05:00 to 06:00 UTC" in latest(window).body
    assert HoldingNotice.objects.get().starts_at == later


def test_a_change_of_words_only_is_not_said() -> None:
    window = a_window(starts_at=NOW + DAY)
    window_watch.look(NOW)
    windows.change(window, by=asha(), now=NOW, title="Newer database")
    assert said(window) == ["scheduled"]


def test_a_window_moved_far_off_is_announced_again_in_its_time() -> None:
    window = a_window(starts_at=NOW + DAY)
    window_watch.look(NOW)
    later = NOW + 7 * DAY
    windows.change(window, by=asha(), now=NOW, starts_at=later, ends_at=later + HOUR)
    assert not HoldingNotice.objects.exists()
    window_watch.look(NOW + DAY)
    window_watch.look(later - 2 * DAY)
    assert said(window) == ["scheduled", "changed", "scheduled"]


def test_every_change_raises_the_sequence_for_calendars() -> None:
    window = a_window(starts_at=NOW)
    window = windows.change(window, by=asha(), now=NOW, title="Newer")
    window = windows.start(window, by=asha(), now=NOW, why="Now")
    window = windows.extend(window, 10, by=asha(), now=NOW)
    assert (window.sequence, window.changed_at) == (3, NOW)


@pytest.mark.parametrize(
    "step",
    [
        lambda row: windows.start(row, by=asha(), now=NOW, why="x"),
        lambda row: windows.extend(row, 5, by=asha(), now=NOW),
        lambda row: windows.complete(row, by=asha(), now=NOW, why="x"),
        lambda row: windows.cancel(row, by=asha(), now=NOW, why="x"),
        lambda row: windows.change(row, by=asha(), now=NOW, title="x"),
    ],
)
def test_nothing_more_happens_to_a_window_that_is_over(step: Callable[[MaintenanceWindow], Any]) -> None:
    window = windows.cancel(a_window(starts_at=NOW), by=asha(), now=NOW, why="No need")
    with pytest.raises(NotNow):
        step(window)


@pytest.mark.parametrize("minutes", [0, -5, 24 * 60 + 1])
def test_an_extension_is_between_a_minute_and_a_day(minutes: int) -> None:
    with pytest.raises(NotNow, match="1 minute to 24 hours"):
        windows.extend(a_running_window(), minutes, by=asha(), now=NOW)


def test_the_database_keeps_who_and_when_together() -> None:
    window = a_window()
    for wrong in ({"ends_at": window.starts_at}, {"started_at": NOW}, {"state": "completed"}, {"ended_at": NOW}):
        with pytest.raises(IntegrityError), transaction.atomic():
            MaintenanceWindow.objects.filter(pk=window.pk).update(**wrong)
    with pytest.raises(IntegrityError), transaction.atomic():
        ChecklistItem.objects.filter(window=window, check_name="").update(state="done", ticked_at=NOW)
