"""The operator's process and its timetable: what is asked for is made, what was missed is asked for again."""

from __future__ import annotations

import signal
import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from operations import backup_schedule, backups, locks, tasks, tiers, wal
from operations import operator as operator_module
from operations.models import Backup, Heartbeat
from operations.operator import FIRST_SECONDS, LOCK, NAME, Operator, ready
from tests.stack import eventually

NOW = timezone.now()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_backups")
def test_what_was_asked_for_is_made_and_verified_while_the_log_is_received() -> None:
    operator = Operator()
    receiving = threading.Thread(target=operator._until_stopped, args=(operator.receive,))
    receiving.start()
    try:
        asked = backups.request("full", now=timezone.now())
        operator.work()
        asked.refresh_from_db()
        assert asked.status == "verified"
        until = time.monotonic() + 20
        while not Heartbeat.objects.filter(name=NAME).exists() and time.monotonic() < until:
            time.sleep(0.1)
        assert Heartbeat.objects.filter(name=NAME).exists()
        state = wal.receiving()
        assert state is not None
        assert state.active
    finally:
        operator.stopping.set()
        receiving.join(20)
    connection.close()


@pytest.mark.django_db
@pytest.mark.usefixtures("own_backups")
def test_a_second_one_waits_for_the_first_and_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("operations.operator.ROUND_SECONDS", 0.05)
    second, told = Operator(), list[str]()
    monkeypatch.setattr(second, "operate", second.stopping.set)
    monkeypatch.setattr(operator_module.log, "warning", told.append)
    running = threading.Thread(target=second.run)
    backups.folder().mkdir(parents=True, exist_ok=True)
    with locks.held(backups.folder() / LOCK) as first:
        assert first
        running.start()
        eventually(lambda: told, seconds=20, what="the second one to say that it waits")
        assert running.is_alive()
        assert not second.stopping.is_set()
    running.join(20)
    assert second.stopping.is_set()
    assert told == ["another operator works in this folder; this one waits until it ends"]


@pytest.mark.django_db
def test_the_embedded_server_is_of_the_first_tier() -> None:
    assert tiers.detect() == tiers.Tier("A", True)
    assert ready() == "Every change is received as it happens; any instant can be restored."


def a_good_one(kind: str, age: timedelta, parent: Backup | None = None) -> Backup:
    at = NOW - age
    times = {"requested_at": at, "started_at": at, "taken_at": at, "verified_at": at}
    return Backup.objects.create(kind=kind, status="verified", parent=parent, **times)


@pytest.mark.django_db
def test_a_new_service_asks_for_a_full_backup_and_a_dump_once() -> None:
    assert [each.kind for each in backup_schedule.ask_for_missed(now=NOW)] == ["dump", "full", "configuration"]
    assert backup_schedule.ask_for_missed(now=NOW + timedelta(minutes=5)) == []


@pytest.mark.django_db
def test_a_run_that_was_missed_is_asked_for_again_and_one_that_failed_too() -> None:
    full = a_good_one("full", timedelta(days=3))
    a_good_one("dump", timedelta(hours=25))
    a_good_one("configuration", timedelta(hours=25))
    a_good_one("incremental", timedelta(hours=27), full)
    assert [each.kind for each in backup_schedule.ask_for_missed(now=NOW)] == ["incremental"]
    Backup.objects.filter(kind="dump").update(status="failed", reason="The disk was full.")
    assert [each.kind for each in backup_schedule.ask_for_missed(now=NOW + timedelta(minutes=1))] == ["dump"]


@pytest.mark.django_db
def test_a_server_that_sends_no_log_is_dumped_every_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "detect", lambda: tiers.Tier("C", False, ("Our account may not read the log.",)))
    a_good_one("dump", timedelta(minutes=9))
    a_good_one("configuration", timedelta(hours=3))
    assert backup_schedule.ask_for_missed(now=NOW) == []
    assert [each.kind for each in backup_schedule.ask_for_missed(now=NOW + timedelta(minutes=2))] == ["dump"]
    assert ready() == "Dumps only. Our account may not read the log."


@pytest.mark.django_db
def test_two_beats_ask_once_and_what_staff_moved_stays_moved() -> None:
    assert len(backup_schedule.ask_daily(now=NOW)) == 3
    assert backup_schedule.ask_daily(now=NOW) == []
    backup_schedule.ensure()
    task = PeriodicTask.objects.get(name="Daily backup")
    assert task.crontab is not None
    assert (task.crontab.hour, task.crontab.minute, str(task.crontab.timezone)) == ("2", "0", "UTC")
    task.crontab.hour = "4"
    task.crontab.save()
    backup_schedule.ensure()
    task.crontab.refresh_from_db()
    assert task.crontab.hour == "4"
    assert {name for _, name, _ in backup_schedule.TIMERS} == {tasks.ask_daily_backup.name, tasks.ask_weekly_backup.name}
    tasks.ask_weekly_backup()
    assert Backup.objects.filter(kind="full").exists()


@pytest.mark.django_db
def test_the_first_answers_after_a_start_are_not_slowed_down_by_the_first_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Operator, "make", lambda self, backup: None)
    operator = Operator()
    operator.work()
    assert not Backup.objects.exists()
    operator.next_hourly = time.monotonic()
    operator.work()
    assert {each.kind for each in Backup.objects.all()} == {"configuration", "dump", "full"}
    assert FIRST_SECONDS >= 300
    assert operator.next_hourly > time.monotonic() + 3000


@pytest.mark.django_db
def test_a_heartbeat_that_cannot_be_written_does_not_let_go_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(Heartbeat.objects, "update_or_create", away)
    monkeypatch.setattr(connection, "close", lambda: None)
    Operator().beat()
    assert not Heartbeat.objects.exists()
