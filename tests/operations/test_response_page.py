"""The page of response times: medians by month and severity as plots with their table, and how many targets were missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from operations import incidents
from operations.models import Incident
from operations.pages import response
from tests.operations.on_duty import MINUTE, at_night, browser, declared, somebody, words

pytestmark = pytest.mark.django_db
AT = "/admin/operations/response/"


def over(*, at: datetime, acknowledged: int, resolved: int, severity: int = 2) -> Incident:
    incident = incidents.declare("Answers are late", severity=severity, now=at)[0]
    by = somebody(f"lead-{incident.number}")
    incidents.acknowledge(incident, by=by, now=at + acknowledged * MINUTE)
    return incidents.move(incident, "resolved", by=by, now=at + resolved * MINUTE)


def test_without_incidents_it_says_what_will_stand_here() -> None:
    text = words(at_night().get(AT))
    assert "No incident has ended in the last twelve months." in text
    assert "Acknowledge 0 0 -" in text


def test_medians_stand_in_the_plot_and_in_the_table_all_severities_first() -> None:
    now = timezone.now()
    over(at=now - timedelta(hours=3), acknowledged=2, resolved=30)
    over(at=now - timedelta(hours=3), acknowledged=4, resolved=50, severity=4)
    answer = at_night().get(AT)
    text, html = words(answer), answer.content.decode()
    month = f"{now - timedelta(hours=3):%b %Y}"
    assert f"{month} All 2 3 minutes 3 minutes 40 minutes 40 minutes" in text
    assert f"{month} Severity 2 1 2 minutes 2 minutes 30 minutes 30 minutes" in text
    assert text.index(f"{month} All") < text.index(f"{month} Severity 2") < text.index(f"{month} Severity 4")
    assert f"<title>{month}: 40 minutes, 2 incidents</title>" in html
    assert html.count('class="bar"') == 2 * response.MONTHS


def test_targets_count_what_was_met_missed_and_is_late_now() -> None:
    now = timezone.now()
    over(at=now - timedelta(hours=3), acknowledged=2, resolved=8)
    over(at=now - timedelta(hours=3), acknowledged=7, resolved=12)
    declared(minutes_ago=6)
    declared()
    since = now - timedelta(days=2)
    found = {each.label: (each.met, each.missed) for each in response.targets(since, now + MINUTE, now=now)}
    # In time, late, late and live; the newest counts for neither yet.
    assert found["Acknowledge"] == (1, 2)
    # Dropped after 8 minutes is neither; dropped after 12 was missed.
    assert found["Settle the severity"] == (0, 1)
    assert response.targets(now, now, now=now)[0].share is None


@pytest.mark.parametrize(
    ("day", "months", "first"),
    [("2026-03-31", 11, "2025-04-01"), ("2026-01-15", 1, "2025-12-01"), ("2026-12-31", 11, "2026-01-01")],
)
def test_twelve_months_end_with_this_one(day: str, months: int, first: str) -> None:
    assert str(response._months_before(datetime.fromisoformat(day).replace(tzinfo=UTC).date(), months)) == first


def test_it_reads_in_few_queries_and_only_for_those_who_may() -> None:
    for _ in range(10):
        over(at=timezone.now() - timedelta(days=40), acknowledged=1, resolved=9)
    night = at_night()
    with CaptureQueriesContext(connection) as queries:
        assert night.get(AT).status_code == 200
    assert len(queries) <= 8
    assert browser("clinician").get(AT).status_code == 403
