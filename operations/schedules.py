"""Windows made ahead from their schedules, and moved with them.

A window belongs to the occurrence that its rule gave, so that making them twice makes none twice. One that somebody
has touched stays as it is when the schedule changes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import transaction

from operations import recurrence, windows
from operations.models import MaintenanceSchedule, MaintenanceWindow

log = structlog.get_logger(__name__)
AHEAD = timedelta(days=60)
SHARED = ("title", "expected_downtime", "components", "pauses_answering", "notice")
State = MaintenanceWindow.State


def make_ahead(now: datetime) -> int:
    """The windows of the next sixty days that are not there yet."""
    made = 0
    for schedule in MaintenanceSchedule.objects.filter(active=True):
        try:
            made += _make(schedule, now)
        except recurrence.BadRule:
            log.warning("the rule of a schedule cannot be read", schedule=schedule.pk)
    return made


@transaction.atomic
def _make(schedule: MaintenanceSchedule, now: datetime) -> int:
    row = MaintenanceSchedule.objects.select_for_update().get(pk=schedule.pk)
    there = set(row.windows.values_list("occurrence", flat=True))
    missing = [each for each in upcoming(row, now) if each not in there]
    for occurrence in missing:
        windows.plan(by=None, now=now, schedule=row, occurrence=occurrence, **_values(row, occurrence))
    return len(missing)


def upcoming(schedule: MaintenanceSchedule, now: datetime) -> list[datetime]:
    if not schedule.active:
        return []
    return recurrence.between(schedule.rule, counted_from=schedule.counted_from, at=schedule.at, after=now, until=now + AHEAD)


@transaction.atomic
def apply(schedule: MaintenanceSchedule, *, by: User, now: datetime) -> None:
    """After an edit: windows that nobody touched take the new dates in their order; those left over are cancelled."""
    row = MaintenanceSchedule.objects.select_for_update().get(pk=schedule.pk)
    to_come = row.windows.filter(occurrence__gt=now)
    loose = list(to_come.filter(state=State.PLANNED, touched_at__isnull=True).order_by("occurrence"))
    kept = set(to_come.exclude(pk__in=[each.pk for each in loose]).values_list("occurrence", flat=True))
    dates = [each for each in upcoming(row, now) if each not in kept]
    for window, occurrence in zip(loose, dates, strict=False):
        values = _values(row, occurrence) | {"occurrence": occurrence}
        if any(getattr(window, name) != value for name, value in values.items()):
            windows.change(window, by=None, now=now, **values)
    for window in loose[len(dates) :]:
        windows.cancel(window, by=by, now=now, why="Its schedule was changed.")
        # The date may come back with another change.
        MaintenanceWindow.objects.filter(pk=window.pk).update(occurrence=None)
    _make(row, now)


def _values(schedule: MaintenanceSchedule, occurrence: datetime) -> dict[str, Any]:
    shared = {name: getattr(schedule, name) for name in SHARED}
    return shared | {"starts_at": occurrence, "ends_at": occurrence + schedule.lasts}
