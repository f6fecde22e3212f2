"""Copies: a backup that is stale, a drill that failed or is overdue, a log that nobody takes, no room."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from pytest_django import Settings

from jeevo.environment import Offsite
from operations import backups, detection, runbooks, wal
from operations.detectors import copies
from operations.models import Backup, Checkpoint, Drill, OffsiteState, Protection
from tests.factories import HOUR, NOW, SECOND

pytestmark = pytest.mark.django_db
DAY = 24 * HOUR


def a_backup(at: datetime, status: str = "verified", kind: str = "full") -> Backup:
    times = {"requested_at": at, "started_at": at, "taken_at": at, "verified_at": at}
    return Backup.objects.create(kind=kind, status=status, **times)


def was_up(at: datetime) -> None:
    Checkpoint.objects.create(at=at, tables={})


def a_drill(at: datetime, status: str = "passed", reason: str = "") -> Drill:
    base = Backup.objects.first() or a_backup(at)
    times = {"requested_at": at, "started_at": at, "ended_at": at, "instant": at}
    return Drill.objects.create(cause="weekly", status=status, reason=reason, base=base, rto_seconds=3, **times)


def test_a_backup_is_stale_a_second_after_twenty_six_hours_in_which_the_service_ran() -> None:
    a_backup(NOW - 26 * HOUR)
    was_up(NOW - 26 * HOUR)
    assert copies.stale_backup(NOW) == []
    (signal,) = copies.stale_backup(NOW + SECOND)
    assert (signal.severity, signal.since) == (2, NOW - 26 * HOUR)
    assert signal.details == "The last one was verified 1 day ago."


def test_a_service_that_was_stopped_or_is_new_is_given_time() -> None:
    a_backup(NOW - 9 * DAY)
    was_up(NOW - 9 * DAY)
    assert copies.stale_backup(NOW) == []
    Backup.objects.all().delete()
    assert copies.stale_backup(NOW) == []


def test_a_backup_that_was_only_taken_is_no_verified_one() -> None:
    a_backup(NOW - HOUR, "taken")
    was_up(NOW - 26 * HOUR)
    assert [signal.details for signal in copies.stale_backup(NOW)] == ["None was ever verified."]


def test_the_last_drill_speaks_and_one_that_passes_ends_it() -> None:
    assert copies.drill_failed(NOW) == []
    a_drill(NOW - DAY, "failed", "The copy differs: conversations_answer is missing.")
    (signal,) = copies.drill_failed(NOW)
    assert (signal.severity, signal.details) == (2, "The copy differs: conversations_answer is missing.")
    a_drill(NOW - HOUR)
    assert copies.drill_failed(NOW) == []


def test_a_drill_is_overdue_when_the_week_is_over_and_one_could_be_held() -> None:
    a_drill(NOW - 9 * DAY)
    assert copies.drill_overdue(NOW) == [], "the tier is not known"
    Protection.objects.create(tier="A")
    assert copies.drill_overdue(NOW) == [], "the service was stopped"
    was_up(NOW - 8 * DAY)
    (signal,) = copies.drill_overdue(NOW)
    assert (signal.severity, signal.details) == (2, "The last one was 9 days ago.")
    Protection.objects.update(tier="C")
    assert copies.drill_overdue(NOW) == []


def test_the_receiver_is_missed_only_where_there_is_something_to_receive_for() -> None:
    assert copies.receiver_away(NOW) == []
    a_backup(NOW - DAY)
    (signal,) = copies.receiver_away(NOW)
    assert signal.severity == 2
    assert "Its slot is gone." in signal.details
    assert next(each for each in detection.ALL if each.name == "log_receiver_away").lasting == timedelta(minutes=5)


@pytest.mark.django_db(transaction=True)
def test_a_slot_that_nobody_reads_says_what_happens_to_the_disk() -> None:
    wal.ensure_slot()
    try:
        (signal,) = copies.receiver_away(NOW)
        assert "MB of log for it on the disk" in signal.details
        assert copies.slot_in_danger(NOW) == []
    finally:
        wal.drop_slot()


@pytest.mark.parametrize(("status", "seen"), [("reserved", 0), ("extended", 0), ("", 0), ("unreserved", 1), ("lost", 1)])
def test_a_slot_is_in_danger_by_the_word_of_the_server(status: str, seen: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "receiving", lambda: wal.Receiving(status, True, 5_000_000, 2_000_000))
    found = copies.slot_in_danger(NOW)
    assert len(found) == seen
    assert all("full backup" in signal.details or "in another 2 MB" in signal.details for signal in found)


def test_a_disk_without_room_for_the_next_backup_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backups, "folder", lambda: tmp_path)
    assert copies.no_room(NOW) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=size))
    (signal,) = copies.no_room(NOW)
    assert (signal.severity, "free some space" in signal.details) == (3, True)


@pytest.mark.django_db
def test_copies_that_do_not_go_outside_are_told_where_they_should(settings: Settings, tmp_path: Path) -> None:
    OffsiteState.objects.create(name="log", good_at=NOW - timedelta(minutes=16))
    assert copies.not_outside(NOW) == [], "no place is set"
    settings.STORAGES = settings.STORAGES | {"offsite": Offsite(tmp_path.as_uri()).storage}
    (signal,) = copies.not_outside(NOW)
    assert (signal.severity, signal.details[:51]) == (3, "The last copy of the log is 16 minutes old. See whe")
    assert copies.not_outside(NOW - timedelta(minutes=2)) == []


def test_each_has_a_runbook() -> None:
    mine = {each.runbook for each in detection.ALL if each.look.__module__ == copies.__name__}
    assert mine == {"stale-backup", "drill", "log-receiver", "off-site"} <= set(runbooks.names())
