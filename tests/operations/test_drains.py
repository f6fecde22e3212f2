"""The shutdown sequence: each step reported, none in another's way, against rows and against the whole program."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from conversations.models import HoldingNotice
from jeevo.environment import ROOT
from jeevo.ids import new_id
from operations import drains, lanes, pauses
from operations.models import Pause
from tests.factories import a_contact, an_outbound
from tests.fixtures import ChangeEnvironment
from tests.stack import Stack, running

NOW = timezone.now()


# Rows


@pytest.mark.django_db
def test_a_drain_stops_handing_out_work_and_can_be_taken_back() -> None:
    steps = list(drains.drain(patience=0, stop=False, reason="New disk"))
    assert [(step.name, step.held) for step in steps] == [("No new work", True), ("What is in flight", True)]
    assert pauses.current("drain") == Pause.objects.get()
    assert HoldingNotice.objects.filter(holds=True, ends_at__gt=timezone.now()).exists()
    assert drains.undo().held
    assert pauses.current("drain") is None
    assert not HoldingNotice.objects.filter(ends_at__gt=timezone.now()).exists()
    assert drains.undo().said == "Nothing was drained."


@pytest.mark.django_db
def test_what_is_in_flight_is_counted_and_waited_for_no_longer_than_asked() -> None:
    person = a_contact(lease_token=new_id(), lease_until=timezone.now() + timedelta(hours=1))
    an_outbound(person, status="sending", in_flight_since=NOW)
    step = list(drains.drain(patience=0.2, stop=False))[1]
    assert not step.held
    assert step.said.startswith("1 person is being answered, 1 message is being sent. Nothing is lost")
    assert step.seconds < 5


@pytest.mark.django_db
def test_the_broker_away_is_said_and_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "running_tasks", lambda: None)
    step = list(drains.drain(patience=0, stop=False))[1]
    assert (step.held, step.said) == (True, "Nothing is in flight. The broker did not say whether tasks run.")


@pytest.mark.django_db
def test_without_a_supervisor_here_it_says_what_to_type(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(data=tmp_path)
    step = list(drains.drain(patience=0, stop=True))[2]
    assert (step.held, "docker compose stop" in step.said) == (False, True)


def test_a_file_that_an_ended_supervisor_left_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "supervisor.lock").write_text("http://127.0.0.1:8000/")
    (tmp_path / "supervisor.pid").write_text(str(os.getpid()))
    assert drains.Family.find(tmp_path).supervisor is None


# The commands


@pytest.mark.django_db
def test_maintenance_mode_is_set_and_ended_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("maintenance", "on", "--reason", "Groq is changed")
    call_command("maintenance", "status")
    call_command("maintenance", "off")
    call_command("maintenance", "status")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Maintenance mode is on until")
    assert lines[1].endswith("(Groq is changed).")
    assert lines[2:] == ["Maintenance mode is off.", "Maintenance mode is off."]
    row = Pause.objects.get()
    assert (row.started_by, row.until - row.started_at) == (None, pauses.USUAL)


@pytest.mark.django_db
@pytest.mark.parametrize("until", ["soon", "25:00", "2026-13-01T00:00", "2020-01-01T00:00"])
def test_an_end_that_makes_no_sense_is_refused(until: str) -> None:
    with pytest.raises(CommandError):
        call_command("maintenance", "on", "--until", until)
    assert not Pause.objects.exists()


@pytest.mark.django_db
def test_a_time_of_day_is_the_next_one_of_that_name() -> None:
    call_command("maintenance", "on", "--until", f"{timezone.now() + timedelta(minutes=5):%H:%M}")
    assert Pause.objects.get().until > timezone.now()


@pytest.mark.django_db
def test_a_step_that_failed_is_told_by_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    a_contact(lease_token=new_id(), lease_until=timezone.now() + timedelta(hours=1))
    with pytest.raises(SystemExit) as ended:
        call_command("drain", "--timeout", "0")
    assert ended.value.code == 1
    assert [line[:2] for line in capsys.readouterr().out.splitlines()] == ["✓ ", "✗ "]
    call_command("drain", "--undo")
    assert "Answers are given again." in capsys.readouterr().out


# The whole program


def drain(stack: Stack, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "drain", *words]
    return subprocess.run(command, cwd=ROOT, env=stack.variables | variables, capture_output=True, text=True, timeout=150)


def marks(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line[:1] for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("drained"), WEB_PORT="8180", SANDBOX_PORT="8280", BURST_SECONDS="0.5") as started:
        yield started


@pytest.mark.matrix
@pytest.mark.stack
@pytest.mark.timeout(400)
def test_a_drained_program_stops_in_order_and_answers_again_after_its_next_start(stack: Stack) -> None:
    phone = "919810000077"
    calm = drain(stack, "--timeout", "20")
    assert (calm.returncode, marks(calm)) == (0, ["✓", "✓"]), calm.stdout + calm.stderr
    stack.says(phone, "hello")
    assert "later than usual" in str(stack.answers(phone, 1)[0])

    assert stack.process is not None
    stopped = drain(stack, "--timeout", "20", "--stop")
    assert (stopped.returncode, marks(stopped)) == (0, ["✓"] * 5), stopped.stdout + stopped.stderr
    assert stack.process.wait(20) == 0
    for port in (8180, 8280):
        with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            pass

    away = drain(stack, "--timeout", "2", "--stop")
    assert away.returncode == 1
    assert "The database did not answer." in away.stdout
    assert marks(away) == ["✗", "✗", "✗", "✓", "✓"], away.stdout

    stack.start()
    assert stack.rows("SELECT count(*) FROM operations_pause WHERE ended_at IS NULL") == [(0,)]
    assert "health helpline" in str(stack.answers(phone, 2, seconds=60)[1])
