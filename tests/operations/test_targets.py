"""The guide's targets: each at its limit, beside it and without anything measured; medians, budgets, and the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import history, rollups, target_list, target_plot, targets
from operations.history import DAY, HOUR, MONTH
from operations.models import Rollup
from operations.rollups import MARK, Sum
from operations.target_kinds import Share, Target, median
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 9, 32, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AT = NOW.replace(second=0)
OF = {target.key: target for target in target_list.ALL}


def measured(minutes_ago: int = 1, *, now: datetime = NOW, **sums: Sum) -> None:
    """A minute that the watcher has written; `a__b` stands for `a{b}`."""
    named = {name.replace("__", "{kind=") + ("}" if "__" in name else ""): each for name, each in sums.items()}
    at = now.replace(second=0, microsecond=0) - minutes_ago * MINUTE
    rollups.write(at, {MARK: Sum(1, 1, 1), **named})


def kept(key: str, window: history.Window = HOUR) -> targets.Kept:
    return targets.over(OF[key], targets.look(window, now=NOW))


def test_there_is_a_target_for_every_figure_of_the_guide() -> None:
    limits = [(target.group, target.limit, target.unit, target.comparison) for target in target_list.ALL]
    assert limits == [
        ("Response times", 1, "seconds", "below"),
        ("Response times", 3, "seconds", "below"),
        ("Response times", 0.5, "seconds", "below"),
        ("Response times", 0.1, "seconds", "below"),
        ("Errors", 0.001, "share", "below"),
        ("Errors", 0.0005, "share", "below"),
        ("Errors", 0.0001, "share", "below"),
        ("Errors", 0.0002, "share", "below"),
        ("Resources", 0.8, "share", "below"),
        ("Resources", 0.7, "share", "below"),
        ("Resources", 0.8, "share", "below"),
        ("Resources", 0.8, "share", "below"),
        ("Knowledge", 0.5, "seconds", "below"),
        ("Knowledge", 0.6, "score", "above"),
        ("Knowledge", 1, "share", "whole"),
        ("Knowledge", 7, "days", "below"),
    ]


@pytest.mark.parametrize("target", target_list.ALL, ids=lambda target: target.key)
def test_a_target_that_nothing_was_measured_for_is_unknown(target: Target) -> None:
    measured(failures=Sum(), operations=Sum())
    assert kept(target.key).state == "unknown"
    assert kept(target.key).figure == "not measured"


@pytest.mark.parametrize("target", [t for t in target_list.ALL if t.comparison == "below"], ids=lambda target: target.key)
def test_less_than_the_limit_is_good_four_fifths_at_risk_and_the_limit_itself_a_breach(target: Target) -> None:
    states = [targets.state(target, share * target.limit) for share in (0.79, 0.81, 0.99, 1.0, 1.5)]
    assert states == ["good", "at_risk", "at_risk", "breached", "breached"]


@pytest.mark.parametrize(("value", "state"), [(0.76, "good"), (0.74, "at_risk"), (0.61, "at_risk"), (0.6, "breached")])
def test_confidence_must_be_more_than_its_limit(value: float, state: str) -> None:
    assert targets.state(OF["confidence"], value) == state


@pytest.mark.parametrize(("value", "state"), [(1.0, "good"), (0.999, "breached"), (None, "unknown")])
def test_every_answer_names_a_source(value: float | None, state: str) -> None:
    assert targets.state(OF["citations"], value) == state


@pytest.mark.parametrize(
    ("buckets", "middle"),
    [
        ({}, None),
        ({"1.0": 2}, 0.875),
        ({"2.0": 4}, 1.75),  # from 1.5, the bound before it, though nothing lies there
        ({"1.0": 1, "3.0": 1}, 1.0),
        ({"1.0": 1, "3.0": 3}, 2 + 1 / 3),
        ({"inf": 5}, 3.0),
    ],
)
def test_a_median_lies_in_its_bucket_by_share(buckets: dict[str, float], middle: float | None) -> None:
    found = median(buckets, (0.75, 1, 1.5, 2, 3))
    assert found == (None if middle is None else pytest.approx(middle))


def test_a_median_is_taken_over_all_minutes_together() -> None:
    measured(3, query_duration_seconds=Sum(9, 1, 0.25, {"0.25": 9}))
    measured(2, query_duration_seconds=Sum(1, 9, 10, {"10.0": 1}))
    assert kept("answers").value == pytest.approx(0.1 + 0.15 * 5 / 9)
    assert kept("answers").state == "good"


def test_an_error_rate_counts_what_failed_of_what_was_done() -> None:
    measured(2, failures=Sum(1, 1, 1), operations=Sum(900, 900, 900))
    measured(1, failures=Sum(), operations=Sum(600, 600, 600))
    assert kept("errors").value == pytest.approx(1 / 1500)
    assert kept("errors").figure == "0.0667 %"
    assert (kept("errors").state, kept("timeouts").state, kept("timeouts").value) == ("good", "good", 0.0)


def test_of_the_errors_some_are_the_databases_and_its_queries_are_their_measure() -> None:
    measured(failures__database=Sum(1, 1, 1), database_query_duration_seconds=Sum(1000, 1, 0.001, {"0.001": 1000}))
    assert (kept("database_errors").value, kept("database_errors").state) == (0.001, "breached")


def test_the_age_of_the_knowledge_is_what_was_read_last() -> None:
    measured(50, knowledge_age_seconds=Sum(1, 8 * 86_400, 0))
    assert kept("freshness").state == "breached"
    measured(2, knowledge_age_seconds=Sum(1, 60, 60))
    assert (kept("freshness").state, kept("freshness").figure) == ("good", "0.0 days")


def test_what_is_older_than_the_window_does_not_count_in_it() -> None:
    measured(70, failures=Sum(50, 50, 50), operations=Sum(100, 100, 100))
    assert kept("errors").state == "unknown"
    assert kept("errors", DAY).state == kept("errors", MONTH).state == "breached"


def test_a_minute_counts_once_when_its_hour_has_been_made() -> None:
    for minutes in (40, 50, 10):
        measured(minutes, operations=Sum(100, 100, 100), failures=Sum(1, 1, 1))
    assert rollups.fold_hours(now=NOW) == 1
    for window in (DAY, MONTH):
        seen = targets.look(window, now=NOW)
        assert (seen.whole.sums["operations"].count, seen.whole.known) == (300, 3)


def test_a_month_has_thirty_days_and_a_day_twenty_four_hours() -> None:
    sizes = {window.key: len(history.read(window, [], now=NOW)) for window in history.WINDOWS}
    assert sizes == {"hour": 12, "day": 24, "month": 30}
    assert history.begin(DAY, NOW) == datetime(2026, 2, 28, 10, tzinfo=UTC)
    assert history.begin(MONTH, NOW) == datetime(2026, 1, 31, tzinfo=UTC)


# Error budget


def test_a_budget_says_how_many_more_may_fail() -> None:
    measured(failures=Sum(4, 4, 4), operations=Sum(10_000, 1, 1))
    found = targets.budget(OF["errors"], targets.look(MONTH, now=NOW))
    assert found is not None
    assert found.used == pytest.approx(0.4)
    assert found.left == 6


def test_a_budget_that_is_overdrawn_has_nothing_left() -> None:
    measured(failures=Sum(25, 25, 25), operations=Sum(10_000, 1, 1))
    found = targets.budget(OF["errors"], targets.look(MONTH, now=NOW))
    assert found is not None
    assert found.used == pytest.approx(2.5)
    assert found.left == 0


def test_without_anything_that_could_fail_there_is_no_budget() -> None:
    assert targets.budget(OF["errors"], targets.look(MONTH, now=NOW)) is None
    assert targets.budget(OF["memory"], targets.look(MONTH, now=NOW)) is None
    assert all(isinstance(target.figure, Share) for target in target_list.ALL if target.budgeted)


# The plot


def test_a_gap_in_what_is_known_is_a_gap_in_the_line_and_no_zero() -> None:
    for minutes in (58, 52, 46, 30, 4):
        measured(minutes, machine_cpu_used_ratio=Sum(1, 0.5, 0.5))
    drawn = target_plot.draw(OF["processor"], history.read(HOUR, targets.names(), now=NOW))
    assert len(drawn.dots) == 4
    assert len(drawn.lines) == 1
    assert {row.said for row in drawn.rows} == {"50 %", "not measured"}


def test_the_limit_and_the_highest_value_are_inside_the_plot() -> None:
    measured(machine_disk_used_ratio=Sum(1, 0.99, 0.99))
    drawn = target_plot.draw(OF["disk"], history.read(HOUR, targets.names(), now=NOW))
    assert 0 < drawn.dots[0].y < drawn.limit_y < drawn.height
    assert drawn.dots[0].state == "breached"


# The page


@pytest.fixture
def asha(client: Client) -> Client:
    asha = User.objects.create(username="asha", is_staff=True)
    asha.user_permissions.add(Permission.objects.get(codename="view_machine"))
    client.force_login(asha)
    return client


@pytest.mark.parametrize("window", ["", "?window=day", "?window=month", "?window=nonsense"])
def test_the_page_shows_every_target_with_figure_limit_and_state(asha: Client, window: str) -> None:
    now = timezone.now()
    measured(
        now=now,
        query_duration_seconds=Sum(9, 40, 5, {"5.0": 9}),
        failures=Sum(4, 4, 4),
        operations=Sum(10_000, 1, 1),
    )
    text = asha.get(reverse("admin:operations_targets") + window).content.decode()
    assert all(f'id="{target.key}"' in text for target in target_list.ALL)
    assert "1 of 16 targets needs a look" in text
    assert '<a href="#answers">Answer to a question</a>: 4 s, must be less than 3 s.' in text
    assert "40% of the error budget of 30 days is used: 6 more failures are allowed." in text
    assert "the rest is unknown" in text


def test_before_anything_was_measured_the_page_says_so(asha: Client) -> None:
    text = asha.get(reverse("admin:operations_targets")).content.decode()
    assert "Nothing was measured in this time." in text
    assert "Every target that was measured is kept" in text


def test_the_page_is_for_those_who_may_look_at_the_machine(client: Client) -> None:
    client.force_login(factories.staff())
    assert client.get(reverse("admin:operations_targets")).status_code == 403
    assert "Targets, last hour" not in client.get(reverse("admin:index")).content.decode()


def slow(events: int) -> None:
    measured(query_duration_seconds=Sum(count=events, total=8.0 * events, largest=9.0, buckets={"10.0": events}))


def test_what_people_are_woken_for_is_a_reason_when_it_rests_on_more_than_a_few(asha: Client) -> None:
    slow(targets.ENOUGH_EVENTS - 1)
    assert targets.tiles(targets.paging(NOW)) == []
    Rollup.objects.all().delete()
    slow(targets.ENOUGH_EVENTS)
    (tile,) = targets.tiles(targets.paging(NOW))
    assert tile.state == "at_risk"
    assert tile.said.endswith("over the last hour, and should be less than 3 s.")
    assert asha.get(tile.href).status_code == 200


def test_the_home_page_has_a_row_of_what_people_are_woken_for(asha: Client) -> None:
    text = asha.get(reverse("admin:index")).content.decode()
    assert "Targets, last hour" in text
    assert [target.key for target in target_list.ALL if target.paged] == [
        "webhook",
        "answers",
        "errors",
        "database_errors",
        "disk",
    ]
    assert all(f"#{target.key}" in text for target in target_list.ALL if target.paged)
