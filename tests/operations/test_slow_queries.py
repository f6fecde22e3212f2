"""The page of slow statements: worst first, from samples where the server keeps no statistics."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import slow_queries
from operations.models import QuerySample
from tests.operations.lookers import a_person, table

pytestmark = pytest.mark.django_db
NOW = timezone.now()
PEOPLE = 'SELECT "conversations_contact"."id" FROM "conversations_contact" WHERE "conversations_contact"."country" = $1'


def a_sample(milliseconds: float, *, text: str = PEOPLE, digest: str = "", **fields: object) -> QuerySample:
    usual = {"process": "web", "state": "active", "pid": QuerySample.objects.count(), "started_at": NOW, "seen_at": NOW}
    return QuerySample.objects.create(milliseconds=milliseconds, text=text, digest=digest or text[:32], **usual | fields)


def test_without_samples_nothing_is_slow_and_the_page_says_how_it_knows() -> None:
    found = slow_queries.look(NOW)
    assert (found.answer, found.state) == ("No statement is slow", "good")
    assert "no pg_stat_statements" in found.said[0]


def test_the_worst_stands_first_with_how_often_it_was_seen_and_its_mean() -> None:
    for milliseconds in (200, 400):
        a_sample(milliseconds)
    a_sample(900, text="SELECT $1", digest="other", process="worker-answers", wait_event="Lock: relation")
    found = slow_queries.look(NOW)
    assert (found.answer, found.state) == ("2 statements take longer than 100 ms", "at_risk")
    assert table(found, "Worst first") == [
        ["SELECT $1", "1", "900 ms", "900 ms", "worker-answers", "Lock: relation", "Plan"],
        [PEOPLE, "2", "300 ms", "400 ms", "web", "-", "Plan"],
    ]


def test_more_than_a_second_is_a_breach_and_what_is_a_day_old_does_not_count() -> None:
    a_sample(1500, seen_at=NOW - timedelta(hours=25))
    assert slow_queries.look(NOW).state == "good"
    a_sample(1500)
    assert slow_queries.look(NOW).state == "breached"


def test_a_transaction_that_idles_is_no_slow_statement() -> None:
    a_sample(60_000, state="idle in transaction")
    assert slow_queries.look(NOW).state == "good"


def test_the_settings_show_that_values_are_never_logged() -> None:
    rows = {row[0]: row[1] for row in table(slow_queries.look(NOW), "What the server logs")}
    assert (rows["log_parameter_max_length"], rows["log_parameter_max_length_on_error"]) == ("0 B", "0 B")
    assert rows["log_min_duration_statement"] == "off"


def test_the_plan_of_a_sample_is_a_page(client: Client) -> None:
    sample = a_sample(900)
    client.force_login(a_person("ravi", "view_machine"))
    page = client.get(reverse("admin:troubleshooting_plan", args=[sample.digest])).content.decode()
    assert "conversations_contact" in page
    assert "cost=" in page


def test_a_statement_is_never_taken_from_the_address(client: Client) -> None:
    client.force_login(a_person("ravi", "view_machine"))
    for key in ("SELECT 1", "12345", "-7"):
        assert client.get(reverse("admin:troubleshooting_plan", args=[key])).status_code == 404


def test_a_statement_without_a_plan_says_why(client: Client) -> None:
    sample = a_sample(900, text="UPDATE x SET y = $1", digest="update")
    client.force_login(a_person("ravi", "view_machine"))
    page = client.get(reverse("admin:troubleshooting_plan", args=[sample.digest]))
    assert "Only a single SELECT" in page.content.decode()


@pytest.fixture
def statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with statistics: the wheel's has none, so a view of the same name and columns stands for them."""
    monkeypatch.setattr(slow_queries, "has_statistics", lambda: True)
    rows = f"(11, $a${PEOPLE}$a$, 40, 250.0, 900.0, 10000.0), (12, 'SELECT $1', 7000, 0.2, 3.0, 1400.0)"
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE VIEW pg_stat_statements AS SELECT queryid, query, calls, mean_exec_time::float8, max_exec_time::float8,"
            " total_exec_time::float8, d.oid AS dbid FROM pg_database d,"
            f" (VALUES {rows}) AS v (queryid, query, calls, mean_exec_time, max_exec_time, total_exec_time)"
            " WHERE d.datname = current_database()"
        )


@pytest.mark.usefixtures("statistics")
def test_with_statistics_calls_and_means_come_from_the_server(client: Client) -> None:
    a_sample(5000)
    found = slow_queries.look(NOW)
    assert (found.answer, found.state) == ("1 statement takes longer than 100 ms", "at_risk")
    assert found.said[0] == "Measured by pg_stat_statements since its statistics were last reset."
    assert table(found, "Worst first") == [
        [PEOPLE, "40", "250 ms", "900 ms", "Plan"],
        ["SELECT $1", "7,000", "0 ms", "3 ms", "Plan"],
    ]
    client.force_login(a_person("ravi", "view_machine"))
    page = client.get(reverse("admin:troubleshooting_plan", args=["11"])).content.decode()
    assert "cost=" in page


def test_statistics_that_were_not_loaded_at_the_start_fall_back_to_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_queries, "has_statistics", lambda: True)
    a_sample(900)
    assert slow_queries.look(NOW).answer == "1 statement takes longer than 100 ms"
