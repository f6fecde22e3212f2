"""Figures by the minute: differences and not sums, what is unknown stays unknown, and hours that are made of minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from jeevo import measures
from operations import rollups
from operations.models import Rollup
from operations.rollups import HOUR, MINUTE, Figures, Snapshot, Sum

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 9, 30, 2, tzinfo=UTC)
AT = NOW.replace(second=0)


class Counted:
    """A registry like the program's, with values that the test decides."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.errors = Counter("errors", "x", ["kind", "error", "place"], registry=self.registry)
        self.failures = Counter("failures", "x", ["kind"], registry=self.registry)
        self.seconds = Histogram("query_duration_seconds", "x", registry=self.registry, buckets=(1, 2, 3))

    def seen(self, at: datetime) -> Snapshot:
        return rollups.snapshot(self.registry.collect(), at)


def row(name: str, at: datetime = AT, period: str = "minute") -> Rollup:
    return Rollup.objects.get(period=period, name=name, at=at)


def test_a_minute_holds_what_came_in_it() -> None:
    counted = Counted()
    counted.seconds.observe(0.5)
    before = counted.seen(NOW)
    for seconds in (0.4, 1.5, 1.6, 9):
        counted.seconds.observe(seconds)
    found = rollups.grown(before, counted.seen(NOW + MINUTE))["query_duration_seconds"]
    assert found.count == 4
    assert found.total == pytest.approx(12.5)
    assert found.buckets == {"1.0": 1, "2.0": 2, "inf": 1}
    assert found.largest == 2.0


def test_failures_are_kept_by_kind_and_in_all_and_errors_by_place() -> None:
    counted = Counted()
    before = counted.seen(NOW)
    counted.failures.labels("database").inc(2)
    counted.failures.labels("timeout").inc()
    counted.errors.labels("timeout", "ReadTimeout", "conversations.whatsapp:send").inc()
    found = rollups.grown(before, counted.seen(NOW + MINUTE))
    assert found["failures"].count == 3
    assert found["failures{kind=database}"].count == 2
    assert found["errors{kind=timeout,error=ReadTimeout,place=conversations.whatsapp:send}"].count == 1


def test_a_figure_without_anything_is_zero_and_not_missing() -> None:
    counted = Counted()
    found = rollups.grown(counted.seen(NOW), counted.seen(NOW + MINUTE))
    assert (found["failures"].count, found["query_duration_seconds"].count) == (0, 0)


def test_after_a_restart_the_new_count_is_what_came() -> None:
    before, after = Counted(), Counted()
    before.failures.labels("other").inc(100)
    after.failures.labels("other").inc(3)
    assert rollups.grown(before.seen(NOW), after.seen(NOW + MINUTE))["failures"].count == 3


def test_the_first_minute_after_a_start_is_unknown_and_the_next_is_written_when_it_turns() -> None:
    figures = Figures()
    figures(NOW)
    measures.query_duration.observe(1.7)
    figures(NOW + timedelta(seconds=5))
    assert not Rollup.objects.exists()
    figures(NOW + MINUTE)
    assert row("query_duration_seconds").count == 1
    assert row(rollups.MARK).count == 1
    assert row("machine_memory_used_ratio").total > 0
    assert set(Rollup.objects.values_list("at", flat=True)) == {AT}


@pytest.mark.parametrize("later", [timedelta(seconds=100), timedelta(hours=3), -timedelta(minutes=5)])
def test_a_turn_that_was_missed_leaves_its_minutes_unknown(later: timedelta) -> None:
    figures = Figures()
    figures(NOW)
    measures.query_duration.observe(1.7)
    figures(NOW + later)
    assert not Rollup.objects.exists()
    figures(NOW + later + MINUTE)
    assert row(rollups.MARK, at=(NOW + later).replace(second=0)).count == 1


def test_a_minute_is_written_once() -> None:
    rollups.write(AT, {"errors": Sum(3, 3, 3)})
    rollups.write(AT, {"errors": Sum(8, 8, 8), "operations": Sum(1, 1, 1)})
    assert (row("errors").count, row("operations").count) == (3, 1)


def test_an_hour_is_made_of_its_minutes_once_it_has_ended() -> None:
    hour = AT.replace(minute=0)
    for minute in (0, 1, 59):
        rollups.write(
            hour + minute * MINUTE,
            {rollups.MARK: Sum(1, 1, 1), "query_duration_seconds": Sum(2, 3.0, 2.0, {"1.0": 1, "2.0": 1})},
        )
    assert rollups.fold_hours(now=hour + timedelta(minutes=59, seconds=59)) == 0
    assert rollups.fold_hours(now=hour + HOUR + timedelta(seconds=3)) == 1
    made = row("query_duration_seconds", hour, "hour")
    assert (made.count, made.total, made.largest, made.buckets) == (6, 9.0, 2.0, {"1.0": 3, "2.0": 3})
    assert row(rollups.MARK, hour, "hour").count == 3
    assert rollups.fold_hours(now=hour + HOUR + timedelta(seconds=8)) == 0


def test_hours_that_nobody_made_in_time_are_made_later() -> None:
    for hours in (5, 3, 1):
        rollups.write(AT.replace(minute=10) - hours * HOUR, {rollups.MARK: Sum(1, 1, 1)})
    assert rollups.fold_hours(now=NOW) == 3


def test_what_is_old_goes() -> None:
    for period, age in (("minute", 47), ("minute", 49), ("hour", 59 * 24), ("hour", 61 * 24)):
        rollups.write(AT - age * HOUR, {"errors": Sum()}, period=period)
    assert rollups.forget(now=NOW) == 2
    assert Rollup.objects.count() == 2
