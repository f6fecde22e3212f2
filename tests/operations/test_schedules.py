"""Windows made ahead: none twice, none forgotten, and a change of the schedule leaves alone what somebody touched."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from operations import checklists, schedules, window_watch, windows
from operations.models import MaintenanceSchedule, MaintenanceWindow
from tests.operations.windows_of import DAY, HOUR, NOW, a_schedule, asha, said

pytestmark = pytest.mark.django_db


def dates(schedule: MaintenanceSchedule, *states: str) -> list[str]:
    rows = schedule.windows.filter(state__in=states or ["planned"]).order_by("starts_at")
    return [f"{row.starts_at:%m-%d %H:%M}" for row in rows]


def change(schedule: MaintenanceSchedule, **values: object) -> None:
    MaintenanceSchedule.objects.filter(pk=schedule.pk).update(**values)
    schedule.refresh_from_db()
    schedules.apply(schedule, by=asha(), now=NOW)


def test_the_windows_of_sixty_days_are_made_once_with_their_lists() -> None:
    schedule = a_schedule()
    assert (schedules.make_ahead(NOW), schedules.make_ahead(NOW)) == (2, 0)
    assert dates(schedule) == ["01-17 02:00", "02-21 02:00"]
    window = schedule.windows.order_by("starts_at")[0]
    assert (window.ends_at - window.starts_at, window.expected_downtime) == (2 * HOUR, timedelta(minutes=30))
    assert window.items.count() == 12
    assert schedules.make_ahead(NOW + 20 * DAY) == 1


def test_a_window_moved_by_hand_is_not_made_again_at_its_old_date() -> None:
    schedule = a_schedule()
    schedules.make_ahead(NOW)
    window = schedule.windows.order_by("starts_at")[0]
    windows.change(window, by=asha(), now=NOW, starts_at=NOW + 4 * DAY, ends_at=NOW + 4 * DAY + HOUR)
    assert schedules.make_ahead(NOW) == 0
    assert dates(schedule) == ["01-19 02:00", "02-21 02:00"]


def test_a_cancelled_window_is_not_made_again() -> None:
    schedule = a_schedule()
    schedules.make_ahead(NOW)
    windows.cancel(schedule.windows.order_by("starts_at")[0], by=asha(), now=NOW, why="A holiday")
    assert schedules.make_ahead(NOW) == 0
    assert dates(schedule) == ["02-21 02:00"]


def test_a_change_moves_the_windows_that_nobody_touched_and_keeps_their_names_for_calendars() -> None:
    schedule = a_schedule()
    schedules.make_ahead(NOW)
    keys = list(schedule.windows.order_by("starts_at").values_list("pk", flat=True))
    change(schedule, rule="FREQ=MONTHLY;BYDAY=+4SU", at=time(3), title="Other")
    assert dates(schedule) == ["01-24 03:00", "02-28 03:00"]
    assert list(schedule.windows.order_by("starts_at").values_list("pk", flat=True)) == keys
    assert {row.title for row in schedule.windows.all()} == {"Other"}
    assert {row.sequence for row in schedule.windows.all()} == {1}


def test_the_same_dates_with_nothing_else_changed_change_no_window() -> None:
    schedule = a_schedule()
    schedules.make_ahead(NOW)
    change(schedule)
    assert {row.sequence for row in schedule.windows.all()} == {0}


def test_what_somebody_touched_stays_as_it_is() -> None:
    schedule = a_schedule()
    schedules.make_ahead(NOW)
    first = schedule.windows.order_by("starts_at")[0]
    checklists.tick(first.items.get(phase="before", position=3), by=asha(), now=NOW)
    change(schedule, at=time(4))
    assert dates(schedule) == ["01-17 02:00", "01-17 04:00", "02-21 04:00"]


def test_a_date_next_week_that_now_comes_earlier_is_planned_anew() -> None:
    schedule = a_schedule()
    schedules.make_ahead(NOW)
    change(schedule, rule="FREQ=WEEKLY;BYDAY=SU;COUNT=3")
    assert dates(schedule) == ["01-17 02:00", "01-24 02:00", "01-31 02:00"]


def test_windows_left_over_are_cancelled_and_said_only_where_they_were_announced() -> None:
    schedule = a_schedule(rule="FREQ=DAILY")
    schedules.make_ahead(NOW)
    window_watch.look(NOW)
    near, far = schedule.windows.order_by("starts_at")[0], schedule.windows.order_by("starts_at")[40]
    change(schedule, active=False)
    assert dates(schedule) == []
    assert (said(near), said(far)) == (["scheduled", "cancelled"], [])


def test_a_change_of_an_announced_window_is_said() -> None:
    schedule = a_schedule()
    schedules.make_ahead(NOW)
    window_watch.look(NOW)
    change(schedule, at=time(5))
    first = schedule.windows.order_by("starts_at")[0]
    assert said(first) == ["scheduled", "changed"]


def test_a_date_that_was_given_up_may_come_back() -> None:
    schedule = a_schedule()
    schedules.make_ahead(NOW)
    change(schedule, active=False)
    change(schedule, active=True)
    assert dates(schedule) == ["01-17 02:00", "02-21 02:00"]


def test_a_schedule_that_is_off_or_begins_later_makes_nothing() -> None:
    a_schedule(active=False)
    a_schedule(counted_from=date(2027, 6, 1))
    assert schedules.make_ahead(NOW) == 0


def test_a_rule_that_cannot_be_read_is_in_no_other_schedules_way() -> None:
    a_schedule(title="A broken one", rule="FREQ=NEVER")
    a_schedule(title="B")
    assert schedules.make_ahead(NOW) == 2
    assert {row.title for row in MaintenanceWindow.objects.all()} == {"B"}
