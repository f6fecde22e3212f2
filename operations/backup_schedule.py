"""When backups are due: daily at 02:00 and a full one on Sunday at 03:00 UTC, as celery-beat's timers say, which staff may
move. Beat only asks; a run that was missed while beat was down is noticed here and asked for again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from operations import backups, tiers
from operations.models import Backup

Kind = Backup.Kind
# Somewhat longer than the time between two, so that a slow one is not taken for a missed one.
LATEST: dict[str, timedelta] = {
    Kind.DUMP: timedelta(hours=26),
    Kind.INCREMENTAL: timedelta(hours=26),
    Kind.FULL: timedelta(days=7, hours=6),
    Kind.CONFIGURATION: timedelta(hours=26),
}
TIER_C_EVERY = timedelta(minutes=10)
TIMERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Daily backup", "operations.ask_daily_backup", {"hour": "2", "minute": "0", "day_of_week": "*"}),
    ("Weekly full backup", "operations.ask_weekly_backup", {"hour": "3", "minute": "0", "day_of_week": "0"}),
)


def ensure() -> None:
    """The timers as rows of celery-beat, made once: in its settings they would be put back at every start, and what
    staff changed would be lost."""
    for name, task, when in TIMERS:
        if not PeriodicTask.objects.filter(name=name).exists():
            crontab, _ = CrontabSchedule.objects.get_or_create(**when, day_of_month="*", month_of_year="*", timezone="UTC")
            PeriodicTask.objects.create(name=name, task=task, crontab=crontab, queue="operations", args=json.dumps([]))


def ask_daily(*, now: datetime) -> list[Backup]:
    """The dump, settings and files and, where the server allows it, an incremental base backup."""
    kinds = [Kind.DUMP, Kind.INCREMENTAL] if tiers.detect().letter == "A" else [Kind.DUMP]
    kinds.append(Kind.CONFIGURATION)
    return _ask(kinds, now=now)


def ask_weekly(*, now: datetime) -> list[Backup]:
    return _ask([Kind.FULL] if tiers.detect().letter == "A" else [Kind.DUMP], now=now)


def ask_for_missed(*, now: datetime) -> list[Backup]:
    """One of each kind whose last good one is too old and that nobody has asked for since."""
    tier = tiers.detect()
    if tier.letter != "A":
        longest_of = {Kind.DUMP: TIER_C_EVERY, Kind.CONFIGURATION: LATEST[Kind.CONFIGURATION]}
        return _ask([kind for kind, longest in longest_of.items() if _age(kind, now=now) > longest], now=now)
    late = [kind for kind, longest in LATEST.items() if _age(kind, now=now) > longest]
    if Kind.FULL in late and Kind.INCREMENTAL in late:
        late.remove(Kind.INCREMENTAL)
    return _ask(late, now=now)


def _age(kind: str, *, now: datetime) -> timedelta:
    """Since the last try that was not in vain; a full base backup is as good as an incremental one."""
    kinds = [Kind.FULL, Kind.INCREMENTAL] if kind == Kind.INCREMENTAL else [kind]
    good = Backup.objects.filter(kind__in=kinds).exclude(status__in=["failed", "cancelled"])
    last = good.aggregate(last=Max("requested_at"))["last"]
    return now - last if last else timedelta.max


def _ask(kinds: Sequence[str], *, now: datetime) -> list[Backup]:
    """On the minute, so that two beats ask for the same one."""
    minute = timezone.localtime(now).replace(second=0, microsecond=0)
    asked = []
    for kind in kinds:
        try:
            asked.append(backups.request(kind, now=now, scheduled_for=minute))
        except backups.NotTaken:
            continue
    return asked
