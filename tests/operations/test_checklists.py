"""Lists that are ticked by name and run themselves: what each check sees, and what it does not pretend to know."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from operations import checklists, checks, health, window_watch
from operations.checklists import Closed
from operations.models import Backup, ChecklistItem, Heartbeat, MaintenanceWindow, Rollup
from tests.operations.windows_of import HOUR, MINUTE, NOW, a_running_window, a_window, asha, on_call

pytestmark = pytest.mark.django_db


def line(window: MaintenanceWindow, check: str) -> ChecklistItem:
    return window.items.select_related("window").get(check_name=check)


def ran(window: MaintenanceWindow, check: str) -> ChecklistItem:
    item = line(window, check)
    checklists.run(item, by=asha(), now=NOW + MINUTE)
    return item


def test_a_window_has_the_lists_of_the_guide() -> None:
    window = a_window()
    assert [window.items.filter(phase=phase).count() for phase in ("before", "after")] == [6, 6]
    assert {item.state for item in window.items.all()} == {"open"}


def test_a_line_is_ticked_by_name_and_can_be_opened_again() -> None:
    item = line(a_window(), "backup")
    checklists.tick(item, by=asha(), now=NOW)
    item.refresh_from_db()
    assert (item.state, item.ticked_by, item.ticked_at) == ("done", asha(), NOW)
    checklists.untick(item, by=asha(), now=NOW)
    assert (item.state, item.ticked_by, item.ticked_at) == ("open", None, None)


def test_a_tick_by_hand_makes_the_window_somebodys_own() -> None:
    window = a_window()
    checklists.tick(line(window, "backup"), by=asha(), now=NOW)
    window.refresh_from_db()
    assert (window.touched_by, window.touched_at) == (asha(), NOW)


def test_what_no_check_knows_is_unknown_and_says_so() -> None:
    item = ran(a_running_window(), "targets")
    assert (item.state, item.ticked_by) == ("unknown", None)
    assert "tick it by hand" in item.result


def a_backup(kind: str, status: str, **values: Any) -> None:
    usual = {"requested_at": NOW - 2 * HOUR, "started_at": NOW - 2 * HOUR, "taken_at": NOW - 2 * HOUR, "verified_at": NOW}
    Backup.objects.create(kind=kind, status=status, **usual | values)


def test_a_full_backup_counts_when_it_is_a_day_old_at_most_and_was_restored_once() -> None:
    window = a_window()
    a_backup("full", "verified", taken_at=NOW - 30 * HOUR)
    assert ran(window, "backup").result == "No full backup was taken and verified in the last 24 hours."
    a_backup("dump", "taken", verified_at=None)
    assert ran(window, "backup").result == "A full backup was taken, and is not verified yet."
    a_backup("full", "verified")
    assert ran(window, "backup").result == "A full base backup was taken 2 hours ago and verified."
    assert line(window, "backup").state == "done"


def test_contacts_on_call_are_counted() -> None:
    window = a_window()
    assert ran(window, "on_call").state == "failed"
    on_call()
    item = ran(window, "on_call")
    assert (item.state, item.ticked_by, item.ticked_at) == ("done", asha(), NOW + MINUTE)
    assert item.result == "1 contact is on call. Make sure that they know."


def test_the_error_log_is_unknown_without_figures_then_clean_then_not() -> None:
    window = a_running_window()
    assert ran(window, "errors").state == "unknown"
    Rollup.objects.create(period="minute", name="requests", at=NOW, count=5)
    Rollup.objects.create(period="minute", name="errors:database", at=NOW - HOUR, count=9)
    assert ran(window, "errors").result == "No error has been logged since 02:00 UTC."
    Rollup.objects.create(period="minute", name="errors:database", at=NOW + MINUTE, count=3)
    item = ran(window, "errors")
    assert (item.state, item.result) == ("failed", "3 errors have been logged since 02:00 UTC.")


def test_all_parts_of_the_service_are_asked_and_messages_that_wait_for_the_window_are_no_fault() -> None:
    window = a_running_window()
    item = ran(window, "health")
    assert item.state == "failed"
    assert "knowledge base is empty" in item.result
    assert "queue" not in item.result


def test_a_part_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_CONNECTIONS", "SELECT nothing")
    assert "database is unreachable" in ran(a_running_window(), "health").result


def test_a_loop_without_a_heartbeat_and_a_lane_without_a_worker_are_named() -> None:
    Heartbeat.objects.create(name="watcher", at=NOW, every_seconds=5)
    Heartbeat.objects.create(name="dispatcher", at=timezone.now() + HOUR * 10_000, every_seconds=5)
    found = ran(a_running_window(), "services").result
    assert found == "No sign of life from: watcher, workers of answers, workers of indexing, workers of operations."


def test_the_list_after_a_window_opens_with_it_and_closes_with_it() -> None:
    window = a_window()
    with pytest.raises(Closed, match="opens when the window has begun"):
        checklists.tick(line(window, "health"), by=asha(), now=NOW)
    MaintenanceWindow.objects.filter(pk=window.pk).update(state="cancelled", ended_at=NOW)
    with pytest.raises(Closed, match="kept as they were"):
        checklists.run(line(window, "backup"), by=asha(), now=NOW)


def test_run_all_asks_what_is_open_only() -> None:
    window = a_window()
    checklists.tick(line(window, "on_call"), by=asha(), now=NOW)
    checklists.run_all(window, "before", by=asha(), now=NOW)
    states = dict(window.items.filter(phase="before").exclude(check_name="").values_list("check_name", "state"))
    assert states == {"told_ahead": "failed", "backup": "failed", "on_call": "done"}


def test_every_check_of_the_lists_has_a_name_that_is_known_or_said_to_be_unknown() -> None:
    named = {check for lines in checklists.LISTS.values() for _, check in lines if check}
    assert set(checks.CHECKS) <= named


def test_a_notice_that_came_late_is_not_what_the_line_asks_for() -> None:
    window = a_window(starts_at=NOW + 10 * HOUR)
    window_watch.look(NOW)
    item = line(window, "told_ahead")
    assert (item.state, item.result) == ("failed", "Said 10 hours before the start, to nobody: there are no subscribers.")


def test_a_part_of_the_errors_counted_by_place_counts_too() -> None:
    window = a_running_window()
    Rollup.objects.create(period="minute", name="errors_at{error=KeyError,place=answering}", at=NOW + MINUTE, count=2)
    assert ran(window, "errors").result == "2 errors have been logged since 02:00 UTC."


def test_figures_that_nobody_measured_are_unknown_and_a_missed_target_is_named() -> None:
    window = a_running_window()
    assert ran(window, "targets").state == "unknown"
    disk = Rollup.objects.create(
        period="minute", name="machine_disk_used_ratio", at=NOW - MINUTE, count=1, total=0.99, largest=0.99
    )
    assert ran(window, "targets").result == "Not met in the last hour: Disk."
    Rollup.objects.filter(pk=disk.pk).update(total=0.2, largest=0.2)
    assert ran(window, "targets").result == "In the last hour 1 target was measured, and none was missed."
