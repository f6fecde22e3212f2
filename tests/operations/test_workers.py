"""Workers and queues: signs of life, what waits, timers, and a broker or workers that are silent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import psutil
import pytest
from celery import current_app
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django import Settings

from jeevo import supervisor
from operations import machine, workers
from operations.models import Heartbeat
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.lookers import table

NOW = timezone.now()
SHOULD_RUN = "Processes that should run"


def names(finding: object) -> dict[str, list[str]]:
    return {row[0]: row for row in table(finding, SHOULD_RUN)}  # type: ignore[arg-type]


@pytest.fixture
def dispatcher() -> Iterator[int]:
    """A process of ours by its name and its folder, that does nothing."""
    kept = {**os.environ, "JEEVO_PROCESS": "dispatcher", "JEEVO_DATA_DIR": str(settings.ENVIRONMENT.data)}
    sleeper = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]
    with subprocess.Popen(sleeper, env=kept, cwd=settings.BASE_DIR, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_the_names_are_those_that_the_supervisor_starts() -> None:
    assert tuple(child.name for child in supervisor.children(settings.ENVIRONMENT)) == machine.PROCESSES


def test_a_live_service_has_no_sandbox(settings: Settings) -> None:
    settings.LIVE = True
    assert "sandbox" not in machine.expected()


def test_our_processes_are_found_by_name_and_folder(dispatcher: int) -> None:
    (found,) = [each for each in machine.running() if each.pid == dispatcher]
    assert found.name == "dispatcher"
    assert found.megabytes == pytest.approx(psutil.Process(dispatcher).memory_info().rss / 2**20, rel=0.2)


def test_a_process_of_another_installation_is_not_ours(dispatcher: int, environment: ChangeEnvironment) -> None:
    environment(data=settings.ENVIRONMENT.data / "elsewhere")
    assert dispatcher not in [each.pid for each in machine.running()]


@pytest.mark.django_db
def test_alone_in_a_container_nothing_is_called_dead_that_cannot_be_seen() -> None:
    finding = workers.at_a_glance(NOW)
    assert (finding.answer, finding.state) == ("All processes live and the queue moves", "good")
    assert names(finding)["beat"][1] == "not seen from here"


@pytest.mark.django_db
def test_on_one_machine_a_process_without_a_sign_is_named(dispatcher: int) -> None:
    finding = workers.at_a_glance(NOW)
    assert finding.state == "breached"
    missing = "web, sandbox, watcher, operator, worker-answers, worker-indexing, worker-operations, beat"
    assert finding.answer == f"No sign of life: {missing}"
    assert names(finding)["dispatcher"][1:3] == ["lives", "1 process here"]


@pytest.mark.django_db
def test_a_heartbeat_is_a_sign_and_a_late_one_is_a_breach() -> None:
    beat = Heartbeat.objects.create(name="watcher", at=NOW - timedelta(seconds=4), every_seconds=5, round_ms=12)
    assert names(workers.at_a_glance(NOW))["watcher"][1:3] == ["lives", "heartbeat 4 seconds ago"]
    Heartbeat.objects.filter(pk=beat.pk).update(at=NOW - timedelta(seconds=16))
    finding = workers.at_a_glance(NOW)
    assert (finding.answer, finding.state) == ("Late: watcher", "breached")


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "state"), [(5, "good"), (70, "at_risk"), (400, "breached")])
def test_the_oldest_message_decides(seconds: int, state: str) -> None:
    person = factories.a_contact()
    factories.an_inbound(person, status="waiting", received_at=NOW - timedelta(seconds=seconds), attempts=2)
    factories.an_inbound(person, status="answered", received_at=NOW - timedelta(hours=3))
    finding = workers.at_a_glance(NOW)
    assert finding.state == state
    ((status, number, _, tries),) = table(finding, "Messages without an answer")
    assert (status, number, tries) == ("waiting", "1", "2")
    assert dict(finding.facts)["Messages tried more than once"] == "1"


@pytest.mark.django_db
def test_leases_are_counted_held_and_run_out() -> None:
    factories.a_contact("1", lease_until=NOW + timedelta(seconds=20))
    factories.a_contact("2", lease_until=NOW - timedelta(seconds=20))
    facts = dict(workers.at_a_glance(NOW).facts)
    assert facts["People whose answer is being made"] == "1"
    assert facts["Leases that ran out"].startswith("1,")


@pytest.mark.django_db
def test_a_timer_is_late_when_beat_would_have_written_down_that_it_ran() -> None:
    every = IntervalSchedule.objects.create(every=30, period="seconds")
    timer = PeriodicTask.objects.create(
        name="Index", task="knowledge.index_due", interval=every, last_run_at=NOW - timedelta(seconds=80)
    )
    assert table(workers.at_a_glance(NOW), "Timers") == [
        ["Index", "knowledge.index_due", "every 30 seconds", "1 minute ago", "on time"]
    ]
    PeriodicTask.objects.filter(pk=timer.pk).update(last_run_at=NOW - timedelta(seconds=310))
    finding = workers.at_a_glance(NOW)
    assert (finding.answer, finding.state) == ("1 timer is late", "at_risk")


def test_silent_workers_are_told_from_a_broker_that_is_away(settings: Settings) -> None:
    assert workers.ask().problem == "No worker answered within a second."
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    began = time.monotonic()
    assert workers.ask().problem == "The broker does not answer, so no worker can be asked."
    assert time.monotonic() - began < 5


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_answers_is_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 5.0)
    with start_worker(
        current_app, pool="solo", perform_ping_check=False, hostname="indexing@here", queues=["indexing"], loglevel="ERROR"
    ):
        finding = workers.look(NOW)
    assert table(finding, "What the workers say") == [["indexing@here", "0", "0"]]
    rows = names(finding)
    assert rows["worker-indexing"][1:3] == ["lives", "answers Celery"]
    assert rows["worker-answers"][1] == "no sign"
    assert finding.answer == "No sign of life: worker-answers, worker-operations"
