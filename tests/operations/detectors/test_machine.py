"""The machine: a disk that fills, a watcher that is late, a beat that is silent."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from operations.detectors import machine
from operations.models import Heartbeat
from operations.watcher import NAME
from tests.factories import MINUTE, NOW, SECOND

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("percent", "severity"), [(79.9, None), (80.0, 3), (89.9, 3), (90.0, 2), (100.0, 2)])
def test_a_disk_is_looked_at_from_eighty_and_urgent_from_ninety(
    percent: float, severity: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "disk_usage", lambda path: SimpleNamespace(percent=percent, free=3 * 1024**3))
    assert [signal.severity for signal in machine.disk_filling(NOW)] == ([severity] if severity else [])


def test_the_disk_of_this_machine_can_be_asked() -> None:
    assert all(signal.severity in (2, 3) for signal in machine.disk_filling(NOW))


@pytest.mark.parametrize(("milliseconds", "seen"), [(40, 0), (5000, 0), (5001, 1)])
def test_a_round_that_takes_longer_than_its_turn_is_late(milliseconds: float, seen: int) -> None:
    assert machine.watcher_late(NOW) == []
    Heartbeat.objects.create(name=NAME, at=NOW, every_seconds=5, round_ms=milliseconds)
    assert len(machine.watcher_late(NOW)) == seen


def test_a_beat_is_silent_ten_minutes_after_the_last_of_its_timers_ran() -> None:
    every = IntervalSchedule.objects.create(every=15, period="seconds")
    PeriodicTask.objects.all().delete()
    assert machine.timers_silent(NOW) == []
    for name, minutes in (("old", 600), ("new", 0)):
        PeriodicTask.objects.create(name=name, task=name, interval=every, last_run_at=NOW - minutes * MINUTE)
    assert machine.timers_silent(NOW + 10 * MINUTE - SECOND) == []
    (signal,) = machine.timers_silent(NOW + 10 * MINUTE)
    assert (signal.severity, signal.since) == (3, NOW)
    PeriodicTask.objects.filter(name="new").update(enabled=False)
    assert machine.timers_silent(NOW)[0].since == NOW - 600 * MINUTE
