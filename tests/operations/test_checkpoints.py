"""Checkpoints: what is counted each minute, up to when, and what it costs where tables are large."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from operations import checkpoints, watches
from operations.models import Checkpoint
from tests import factories

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def test_every_table_is_counted_by_the_clock_of_the_database() -> None:
    factories.a_contact()
    before = timezone.now()
    row = checkpoints.take(before - timedelta(days=400))
    assert abs(row.at - before) < MINUTE
    assert row.tables["conversations_contact"] == {"rows": 1}
    assert row.tables["knowledge_document"] == {"rows": 0}
    assert len(row.tables) > 40


def test_what_only_grows_is_counted_up_to_a_minute_ago_with_its_newest_key() -> None:
    now = timezone.now()
    asha = factories.a_contact()
    factories.an_inbound(asha, received_at=now - 60 * MINUTE)
    newest = factories.an_inbound(asha, received_at=now - 2 * MINUTE)
    factories.an_inbound(asha, received_at=now)
    found = checkpoints.take(now).tables["conversations_inboundmessage"]
    assert (found["rows"], found["number"], found["key"]) == (3, 2, str(newest.pk))
    assert found["latest"] == newest.received_at.isoformat()
    with connection.cursor() as cursor:
        assert checkpoints.again(cursor, "conversations_inboundmessage", found) == {
            name: value for name, value in found.items() if name != "rows"
        }


def test_a_table_that_is_too_large_is_not_counted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    asha = factories.a_contact()
    for hours in (1, 2, 30):
        factories.an_inbound(asha, received_at=now - hours * 60 * MINUTE)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE conversations_inboundmessage, conversations_contact")
    monkeypatch.setattr(checkpoints, "COUNTED", 0)
    found = checkpoints.take(now).tables
    assert found["conversations_contact"] == {"some": True}
    assert (found["conversations_inboundmessage"]["some"], found["conversations_inboundmessage"]["number"]) == (True, 2)


def test_the_latest_of_a_large_table_are_found_by_an_index() -> None:
    factories.an_inbound(factories.a_contact(), received_at=timezone.now() - 2 * MINUTE)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for growing in checkpoints.GROWING[:2]:
            with CaptureQueriesContext(connection) as asked:
                until = timezone.now() - MINUTE
                checkpoints.growth(cursor, growing, since=until - timedelta(days=1), until=until)
            for statement in asked.captured_queries:
                cursor.execute(f"EXPLAIN {statement['sql']}")
                assert "Seq Scan" not in "".join(row[0] for row in cursor.fetchall())


def test_it_takes_few_statements() -> None:
    factories.an_inbound(factories.a_contact(), received_at=timezone.now() - 2 * MINUTE)
    with CaptureQueriesContext(connection) as asked:
        checkpoints.take(timezone.now())
    assert len(asked) <= 10


def test_a_month_of_them_is_kept() -> None:
    now = timezone.now()
    for days in (32, 31.1, 30.9, 0):
        Checkpoint.objects.create(at=now - timedelta(days=days), tables={})
    assert checkpoints.forget(now) == 2
    assert Checkpoint.objects.count() == 2


def test_after_two_days_one_count_in_ten_is_kept_and_the_time_of_the_others() -> None:
    now = timezone.now()
    hour = (now - timedelta(days=2, hours=2)).replace(minute=0)
    for minute in range(60):
        Checkpoint.objects.create(at=hour + minute * MINUTE, tables={"a": {"rows": 1}})
    young = Checkpoint.objects.create(at=hour.replace(minute=1) + timedelta(hours=3), tables={"a": {"rows": 1}})
    assert checkpoints.forget(now) == 0
    kept = Checkpoint.objects.exclude(tables={}).order_by("at")
    assert [row.at.minute for row in kept] == [0, 10, 20, 30, 40, 50, 1]
    assert kept.last() == young
    assert Checkpoint.objects.count() == 61


def test_the_watcher_takes_one_each_minute() -> None:
    assert {watch.name: watch.every for watch in watches.ALL}["checkpoint"] == 60
