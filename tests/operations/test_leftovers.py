"""What a process that was killed has left: a row that says it runs, a backup that nobody verified, a server in scratch."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from operations import backups, postgres, verification
from operations.locks import held
from operations.models import Backup
from operations.operator import Operator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_backups")]
NOW = timezone.now()
MINUTE = timedelta(minutes=1)


def a_running_one(began: timedelta) -> Backup:
    return Backup.objects.create(kind="full", status="running", requested_at=NOW, started_at=NOW - began)


def test_a_backup_whose_process_died_is_said_to_have_failed_at_once() -> None:
    assert backups.fail_silent(now=NOW) == 0
    row = a_running_one(0 * MINUTE)
    draft = backups.place(row).with_name(f"{row.pk}.tmp")
    draft.mkdir(parents=True)
    with backups._alone():  # as its process does for as long as it lives
        assert backups.fail_silent(now=NOW) == 0
        with pytest.raises(backups.NotTaken, match="Another backup is being made"):
            backups.take("dump", now=NOW)
    assert backups.fail_silent(now=NOW) == 1
    row.refresh_from_db()
    assert (row.status, row.reason) == ("failed", "Its process ended before it was done.")
    assert not draft.exists()


def test_one_that_hangs_is_given_up_after_ten_minutes() -> None:
    row = a_running_one(9 * MINUTE)
    with backups._alone():
        assert backups.fail_silent(now=NOW) == 0
        Backup.objects.filter(pk=row.pk).update(started_at=NOW - 11 * MINUTE)
        assert backups.fail_silent(now=NOW) == 1


def test_what_nobody_verified_is_verified_by_the_next_process(monkeypatch: pytest.MonkeyPatch) -> None:
    backup = backups.take("configuration", now=NOW)
    operator = Operator()
    operator.next_hourly = time.monotonic() + 3600
    operator.verify_what_was_left()
    assert state(backup) == "taken", "whoever took it verifies it a moment later"
    Backup.objects.update(taken_at=timezone.now() - 2 * MINUTE)
    with postgres.scratch(f"verify-{backup.pk}"):
        operator.verify_what_was_left()
        assert state(backup) == "taken", "somebody is at it"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(verification, "unpack_files", full)
        operator.verify_what_was_left()
    assert (state(backup), backup.reason) == ("taken", "It could not be restored here: No space left on device.")
    operator.verify_what_was_left()
    assert state(backup) == "taken", "it was tried a moment ago"
    Operator().verify_what_was_left()
    assert (state(backup), backup.reason) == ("verified", "")


def state(backup: Backup) -> str:
    backup.refresh_from_db()
    return backup.status


def test_a_server_left_in_scratch_is_stopped_and_removed_with_its_copy() -> None:
    folder = postgres.home().make("scratch") / f"drill-{time.time_ns()}"
    postgres.home().make(str(folder.relative_to(postgres.home().folder)))
    cluster = a_server_in(folder)
    old = time.time() - 60
    os.utime(folder, (old, old))
    with held(folder):
        assert folder.name not in postgres.clear_scratch()
        with pytest.raises(postgres.ToolProblem, match="Another process is at work"), postgres.scratch(folder.name):
            pass
    assert postgres.works_in(cluster)
    assert folder.name in postgres.clear_scratch()
    assert not postgres.works_in(cluster)
    assert not folder.exists()


def test_whoever_takes_up_the_work_of_one_that_died_begins_in_an_empty_folder() -> None:
    name = f"restore-{time.time_ns()}"
    postgres.home().make("scratch")
    cluster = a_server_in(postgres.home().make(f"scratch/{name}"))
    with postgres.scratch(name) as folder:
        assert not list(folder.iterdir())
    assert not postgres.works_in(cluster)


def a_server_in(folder: Path) -> Path:
    """As a kill leaves it: the block that would stop it never ends."""
    major = postgres.server_major()
    cluster = postgres.new_cluster(folder, major=major)
    running = postgres.started(cluster, major=major)
    running.__enter__()
    left.append(running)
    return cluster


left: list[object] = []
