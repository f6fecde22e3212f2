"""Recurrence rules: dates at the edges of months and years, and rules that never, always or no longer match."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations import recurrence
from operations.models.maintenance import THIRD_SUNDAY
from operations.recurrence import BadRule

NOW = datetime(2026, 12, 1, tzinfo=UTC)
HOURS = timedelta(hours=2)
BEFORE = date(2020, 1, 1)


def starts(rule: str, *, now: datetime = NOW, counted_from: date = BEFORE, lasts: timedelta = HOURS) -> list[datetime]:
    return recurrence.checked(rule, counted_from=counted_from, at=time(2), lasts=lasts, now=now)


def days(rule: str, count: int, **given: object) -> list[str]:
    return [f"{each:%Y-%m-%d}" for each in starts(rule, **given)[:count]]  # type: ignore[arg-type]


def test_the_usual_window_is_the_third_sunday_at_two() -> None:
    found = starts(THIRD_SUNDAY)
    assert days(THIRD_SUNDAY, 4) == ["2026-12-20", "2027-01-17", "2027-02-21", "2027-03-21"]
    assert {each.weekday() for each in found} == {6}
    assert {(each.hour, each.utcoffset()) for each in found} == {(2, timedelta(0))}
    assert recurrence.said(found[1], HOURS) == "Sunday 17 January 2027, 02:00 to 04:00 UTC"


def test_a_window_over_midnight_names_the_day_it_ends() -> None:
    at = datetime(2027, 1, 16, 23, tzinfo=UTC)
    assert recurrence.said(at, HOURS) == "Saturday 16 January 2027, 23:00 to Sunday 01:00 UTC"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-12-31", "2027-01-31", "2027-03-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", ["2026-12-31", "2027-01-31", "2027-02-28"]),
        ("FREQ=MONTHLY;BYDAY=+5SU", ["2027-01-31", "2027-05-30", "2027-08-29"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;COUNT=400", ["2026-12-13", "2026-12-27", "2027-01-10"]),
        ("rrule: freq=monthly; byday=3su", ["2026-12-20", "2027-01-17", "2027-02-21"]),
        ("FREQ=MONTHLY;BYDAY=SU;BYSETPOS=-1;UNTIL=20270131", ["2026-12-27", "2027-01-31"]),
    ],
)
def test_dates_at_the_edges_are_those_of_the_calendar(rule: str, expected: list[str]) -> None:
    assert days(rule, 3) == expected


def test_a_leap_day_is_found_across_the_years_without_one() -> None:
    now = datetime(2096, 3, 1, tzinfo=UTC)
    assert days("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", 1, now=now, counted_from=date(2090, 1, 1)) == ["2104-02-29"]


@pytest.mark.parametrize("month", [3, 10])
def test_no_hour_is_lost_or_doubled_where_clocks_change(month: int) -> None:
    """In Europe the clocks change at 01:00 UTC on the last Sunday of March and October."""
    found = starts(f"FREQ=YEARLY;BYMONTH={month};BYDAY=-1SU")[:3]
    assert [(each.hour, each.minute) for each in found] == [(2, 0)] * 3
    assert len({each.date() for each in found}) == 3


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("", "Write one rule"),
        ("every third Sunday", "name and a value"),
        ("FREQ=MONTHLY;BYDAY=+3XX", "cannot be read"),
        ("FREQ=MONTHLY;BYMONTHDAY=x", "cannot be read"),
        ("FREQ=MONTHLY;FREQ=DAILY", "comes once"),
        ("FREQ=MONTHLY;BYEASTER=0", "no part of a recurrence rule"),
        ("FREQ=MONTHLY;DTSTART=20260101", "no part of a recurrence rule"),
        ("BYDAY=SU", "at most daily"),
        ("FREQ=SECONDLY", "at most daily"),
        ("FREQ=HOURLY;INTERVAL=6", "at most daily"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is a number"),
        ("FREQ=DAILY;COUNT=-1", "COUNT is a number"),
        ("FREQ=DAILY;INTERVAL=99999999999", "INTERVAL is a number"),
        ("FREQ=DAILY;BYHOUR=2,3", "run into each other"),
        ("FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12;BYSECOND=0,1,2,3", "run into each other"),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "never matches"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31;COUNT=3", "never matches"),
        ("FREQ=MONTHLY;BYDAY=+3SU;UNTIL=20261130", "ended on 30 November 2026"),
        ("FREQ=MONTHLY;BYDAY=+3SU;UNTIL=soon", "UNTIL is a day"),
        ("FREQ=MONTHLY;BYDAY=+3SU;COUNT=3", "are over"),
        ("FREQ=MONTHLY;" + "BYDAY=SU," * 200, "Write one rule"),
    ],
)
def test_a_rule_that_cannot_be_kept_says_why(rule: str, why: str) -> None:
    with pytest.raises(BadRule, match=why):
        starts(rule)


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(hours=-1), timedelta(hours=25)])
def test_a_window_takes_some_time_and_at_most_a_day(lasts: timedelta) -> None:
    with pytest.raises(BadRule, match="at most 24 hours"):
        starts(THIRD_SUNDAY, lasts=lasts)


@pytest.mark.parametrize("day", [date(1, 1, 1), date(9999, 12, 31)])
def test_a_rule_is_counted_from_a_day_of_our_time(day: date) -> None:
    with pytest.raises(BadRule, match="these twenty years"):
        starts(THIRD_SUNDAY, counted_from=day)


def test_a_rule_may_begin_later() -> None:
    assert days("FREQ=DAILY", 2, counted_from=date(2030, 5, 1)) == ["2030-05-01", "2030-05-02"]


def test_between_two_moments_stand_the_starts_of_that_time_only() -> None:
    found = recurrence.between(THIRD_SUNDAY, counted_from=date(2020, 1, 1), at=time(2), after=NOW, until=NOW + timedelta(days=60))
    assert [f"{each:%m-%d}" for each in found] == ["12-20", "01-17"]


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="FREQ=MONTHLYBDASU;,+-0123456789", max_size=40).map(lambda text: "FREQ=MONTHLY;BY" + text))
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(BadRule):
        assert starts(text)
