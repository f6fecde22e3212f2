"""Slow statements are seen by the watcher, kept without values, counted once, and forgotten after a week."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from operations import samples, watches
from operations.models import QuerySample
from tests.operations.lookers import another


def seen_once() -> list[QuerySample]:
    samples.take(timezone.now())
    return list(QuerySample.objects.order_by("pk"))


@pytest.mark.django_db(transaction=True)
def test_a_running_statement_is_kept_without_its_values() -> None:
    with another("worker-answers") as slow:
        thread = threading.Thread(target=lambda: slow.execute("SELECT pg_sleep(5), 'my chest hurts'"))
        thread.start()
        time.sleep(1)
        (sample,) = seen_once()
        assert sample.text == "SELECT pg_sleep($1), $2"
        assert (sample.process, sample.state, sample.wait_event) == ("worker-answers", "active", "Timeout: PgSleep")
        first = sample.milliseconds
        assert 100 <= first < 5000
        time.sleep(0.2)
        (again,) = seen_once()
        assert (again.pk, again.milliseconds > first) == (sample.pk, True)
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_a_transaction_left_open_is_kept_and_a_resting_connection_is_not() -> None:
    with another("dispatcher") as left_open, another("web") as resting:
        resting.autocommit = True
        resting.execute("SELECT 1")
        left_open.execute("SELECT 'words of a patient'")
        time.sleep(0.15)
        (sample,) = seen_once()
        assert (sample.process, sample.state, sample.text) == ("dispatcher", "idle in transaction", "SELECT $1")


@pytest.mark.django_db(transaction=True)
def test_values_that_travel_beside_the_statement_are_not_in_it() -> None:
    with another("worker-answers") as slow:
        cursor = psycopg.RawCursor(slow)
        thread = threading.Thread(target=lambda: cursor.execute("SELECT pg_sleep($1), $2::text", [5.0, "my chest hurts"]))
        thread.start()
        time.sleep(1)
        (sample,) = seen_once()
        assert sample.text == "SELECT pg_sleep($1), $2::text"
        thread.join()


@pytest.mark.django_db
def test_a_calm_database_leaves_no_sample() -> None:
    assert samples.take(timezone.now()) == 0
    assert not QuerySample.objects.exists()


@pytest.mark.django_db
def test_a_week_old_sample_is_forgotten() -> None:
    now = timezone.now()
    for days in (1, 6, 8):
        at = now - timedelta(days=days)
        QuerySample.objects.create(
            digest="d", text="SELECT $1", state="active", milliseconds=200, pid=days, started_at=at, seen_at=at
        )
    assert samples.forget(now) == 1
    assert sorted(QuerySample.objects.values_list("pid", flat=True)) == [1, 6]


def test_the_watcher_takes_samples_every_round_and_forgets_every_hour() -> None:
    paces = {watch.run: watch.every for watch in watches.ALL}
    assert paces[samples.take] <= 5
    assert paces[samples.forget] == 3600
