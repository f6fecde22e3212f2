"""MTTA and MTTR: what counts, in which month, and what a clock that was put back does to them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from operations import incidents, response_times
from operations.models import Incident
from operations.response_times import Response, Span
from tests import factories

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
MARCH = datetime(2028, 3, 10, 9, tzinfo=UTC)


@pytest.fixture
def meera() -> User:
    return factories.staff("meera")


def ended(
    by: User, *, at: datetime = MARCH, severity: int = 2, acknowledged: int | None = 3, resolved: int = 40, impact: int = 10
) -> Incident:
    """Detected at `at`, after `impact` minutes of it; acknowledged and resolved so many minutes later."""
    incident, _ = incidents.declare("Late", severity=severity, now=at, impact_started_at=at - impact * MINUTE)
    if acknowledged is not None:
        incidents.acknowledge(incident, by=by, now=at + acknowledged * MINUTE)
    return incidents.move(incident, "resolved", by=by, now=at + resolved * MINUTE)


def month(of: date, severity: int | None = None) -> Response:
    found = response_times.by_month(first=of, last=of)
    return next(each for each in found if each.severity == severity)


def test_the_first_acknowledgement_counts_from_detection_and_the_end_from_impact(meera: User) -> None:
    for acknowledged, resolved in ((2, 20), (4, 50), (60, 290)):
        ended(meera, acknowledged=acknowledged, resolved=resolved)
    found = month(date(2028, 3, 1))
    assert found.incidents == 3
    assert found.acknowledged == Span(3, 4 * MINUTE, 22 * MINUTE)
    assert found.resolved == Span(3, 60 * MINUTE, 130 * MINUTE)


def test_a_lapse_leaves_the_first_acknowledgement_as_it_was(meera: User) -> None:
    incident, _ = incidents.declare("Late", severity=2, now=MARCH)
    incidents.acknowledge(incident, by=meera, now=MARCH + MINUTE)
    incidents.lapse(incident, now=MARCH + 40 * MINUTE)
    incidents.acknowledge(incident, by=meera, now=MARCH + 50 * MINUTE)
    incidents.move(incident, "resolved", by=meera, now=MARCH + 60 * MINUTE)
    assert month(date(2028, 3, 31)).acknowledged.median == MINUTE


def test_what_is_open_cancelled_or_a_duplicate_does_not_count(meera: User) -> None:
    kept = ended(meera)
    incidents.declare("Open", severity=1, now=MARCH)
    incidents.move(incidents.declare("Nothing", severity=1, now=MARCH)[0], "cancelled", by=meera, now=MARCH)
    incidents.mark_duplicate(incidents.declare("Twin", severity=1, now=MARCH)[0], kept, by=meera, now=MARCH)
    reopened = ended(meera)
    incidents.move(reopened, "investigating", by=meera, now=MARCH + 90 * MINUTE)
    assert month(date(2028, 3, 1)).incidents == 1


def test_one_that_nobody_acknowledged_has_an_end_and_no_acknowledgement(meera: User) -> None:
    ended(meera, acknowledged=None)
    found = month(date(2028, 3, 1))
    assert (found.acknowledged, found.resolved.count) == (Span(0, None, None), 1)


def test_severities_stand_apart_and_together(meera: User) -> None:
    ended(meera, severity=1, acknowledged=1)
    ended(meera, severity=4, acknowledged=9)
    assert [
        (each.severity, each.incidents) for each in response_times.by_month(first=date(2028, 3, 1), last=date(2028, 3, 1))
    ] == [
        (None, 2),
        (1, 1),
        (4, 1),
    ]
    assert month(date(2028, 3, 1), 4).acknowledged.mean == 9 * MINUTE


def test_months_meet_at_midnight_utc_leap_days_and_new_years_included(meera: User) -> None:
    edges = [datetime(2028, 2, 29, 23, 59, 59), datetime(2028, 3, 1), datetime(2028, 12, 31, 23, 59, 59), datetime(2029, 1, 1)]
    for edge in edges:
        ended(meera, at=edge.replace(tzinfo=UTC))
    found = response_times.by_month(first=date(2028, 2, 29), last=date(2029, 1, 31))
    together = {each.month: each.incidents for each in found if each.severity is None}
    assert len(together) == 12
    assert {day: number for day, number in together.items() if number} == {
        date(2028, 2, 1): 1,
        date(2028, 3, 1): 1,
        date(2028, 12, 1): 1,
        date(2029, 1, 1): 1,
    }


def test_a_clock_that_was_put_back_makes_no_negative_time(meera: User) -> None:
    ended(meera, acknowledged=-30, resolved=-20, impact=0)
    found = month(date(2028, 3, 1))
    assert (found.acknowledged.median, found.resolved.median) == (timedelta(0), timedelta(0))


def test_a_month_without_incidents_is_there_and_empty() -> None:
    assert response_times.by_month(first=date(2028, 3, 1), last=date(2028, 3, 1)) == [
        Response(date(2028, 3, 1), None, 0, Span(0, None, None), Span(0, None, None))
    ]
