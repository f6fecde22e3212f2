"""Faults by class and place, and why messages failed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from operations import error_places, periods
from tests import factories
from tests.operations.lookers import a_rollup, table

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(second=0, microsecond=0)
SEARCH = "errors:django.db.utils.OperationalError@retrieval.py:88 search"
POST = "errors:httpx.ConnectTimeout@whatsapp.py:130 _post"


def ago(**length: float) -> dict[str, object]:
    return {"at": NOW - timedelta(**length)}


def test_nothing_failed() -> None:
    a_rollup("messages", count=40, **ago(minutes=3))
    a_rollup(SEARCH, count=0, **ago(minutes=3))
    found = error_places.look(NOW)
    assert (found.answer, found.state, found.plots) == ("No fault in the last 24 hours", "good", ())


def test_the_commonest_stands_first_with_its_share_and_times() -> None:
    a_rollup(SEARCH, count=2, **ago(hours=5))
    a_rollup(SEARCH, count=4, **ago(hours=3))
    a_rollup(POST, count=2, **ago(hours=4))
    found = error_places.look(NOW)
    assert found.answer == "8 faults in the last 24 hours, most often OperationalError in retrieval.py:88 search"
    assert found.state == "good"
    assert table(found, "By class and place") == [
        ["django.db.utils.OperationalError", "retrieval.py:88 search", "6", "75 %", "5 hours ago", "3 hours ago"],
        ["httpx.ConnectTimeout", "whatsapp.py:130 _post", "2", "25 %", "4 hours ago", "4 hours ago"],
    ]


@pytest.mark.parametrize(("number", "state"), [(1, "at_risk"), (20, "breached")])
def test_the_last_hour_decides_how_serious_it_is(number: int, state: str) -> None:
    a_rollup(SEARCH, count=number, **ago(minutes=10))
    assert error_places.look(NOW).state == state


def test_minutes_without_a_fault_are_drawn_as_none() -> None:
    a_rollup(SEARCH, count=3, **ago(minutes=10))
    (plot,) = error_places.look(NOW).plots
    assert [point.value for point in plot.points] == [3, *[0] * 10]
    assert plot.said == "at most 3 in a minute"


def test_a_week_is_read_from_the_hours() -> None:
    a_rollup(SEARCH, count=3, period="hour", **ago(days=6))
    a_rollup(POST, count=1, **ago(minutes=5))
    found = error_places.look(NOW, periods.named("7d"))
    assert found.answer.startswith("3 faults in the last 7 days")


def test_messages_that_failed_are_counted_by_reason_with_a_link() -> None:
    person = factories.a_contact()
    for number in range(2):
        factories.an_outbound(
            person, status="failed", failed_at=NOW - timedelta(hours=number), reason="The access token was refused"
        )
    factories.an_outbound(person, status="failed", failed_at=NOW - timedelta(days=3), reason="Older")
    factories.an_inbound(
        person, "my chest hurts", status="failed", received_at=NOW - timedelta(hours=1), reason="failed after every attempt"
    )
    found = error_places.look(NOW)
    assert [row[:2] for row in table(found, "Answers that could not be sent")] == [["The access token was refused", "2"]]
    assert [row[:2] for row in table(found, "Messages that got no answer")] == [["failed after every attempt", "1"]]
    assert "chest" not in str(found)
    assert "status__exact=failed" in found.tables[1].rows[0][0].href  # type: ignore[union-attr]


def test_the_figures_of_metrics_are_read_as_well() -> None:
    a_rollup("errors_at{kind=database,error=OperationalError,place=retrieval.search}", count=2, **ago(hours=2))
    a_rollup("errors{kind=database}", count=2, **ago(hours=2))
    found = error_places.look(NOW)
    assert table(found, "By class and place") == [
        ["OperationalError", "retrieval.search", "2", "100 %", "2 hours ago", "2 hours ago"]
    ]
