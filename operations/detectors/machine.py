"""The machine and the loops on it: room on the disk, rounds of the watcher, the timers of Celery."""

from __future__ import annotations

from datetime import datetime, timedelta

import psutil
from django.conf import settings
from django.db.models import Max
from django_celery_beat.models import PeriodicTask

from operations.detectors import HIGH, MEDIUM, Signal
from operations.models import Heartbeat
from operations.phrases import lasted
from operations.watcher import NAME, ROUND_SECONDS

FILLING, FULL = 80.0, 90.0
# Beat writes down its last runs every three minutes.
BEAT_SILENT = timedelta(minutes=10)


def disk_filling(_: datetime) -> list[Signal]:
    """The disk that holds the data. When it is full the database stops, and with it everything."""
    room = psutil.disk_usage(str(settings.ENVIRONMENT.data))
    if room.percent < FILLING:
        return []
    title = f"The disk that holds the data is {room.percent:.0f} % full"
    return [Signal(title, HIGH if room.percent >= FULL else MEDIUM, details=f"{room.free / 1024**3:.1f} GB are free.")]


def watcher_late(_: datetime) -> list[Signal]:
    """A round takes longer than it may: what is due is said late, and soon /health/ says that the watcher is silent."""
    beat = Heartbeat.objects.filter(name=NAME).first()
    if beat is None or beat.round_ms <= 1000 * ROUND_SECONDS:
        return []
    details = f"The last round took {beat.round_ms / 1000:.0f} seconds; it has {ROUND_SECONDS:.0f}."
    return [Signal("The watcher is late with its rounds", MEDIUM, details=details)]


def timers_silent(now: datetime) -> list[Signal]:
    """Celery's beat starts nothing: documents that wait are not indexed, and old files are not removed."""
    last = PeriodicTask.objects.filter(enabled=True).aggregate(last=Max("last_run_at"))["last"]
    if last is None or now - last < BEAT_SILENT:
        return []
    return [Signal("The timers of Celery are silent", MEDIUM, details=f"The last one ran {lasted(now - last)} ago.", since=last)]
