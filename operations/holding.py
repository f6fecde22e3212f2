"""The holding notices that maintenance writes for conversations: announced, in force, and over again.

A notice reaches a little beyond the planned end only while the watcher moves it on: should the watcher stop, answers
come back by themselves minutes after the plan.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet

from conversations.models import HoldingNotice
from operations.models import MaintenanceWindow, Pause

# How far the watcher moves a notice on at a time, and how near its end may come before it does.
STEP, NEAR = timedelta(minutes=5), timedelta(minutes=2)


def announce(window: MaintenanceWindow, *, now: datetime) -> None:
    """Answers say from now on when the window will be. Nothing waits yet: somebody has to start it."""
    if window.pauses_answering:
        values = {"text": window.notice, "starts_at": window.starts_at, "ends_at": window.ends_at, "announced_from": now}
        window.holding_notice = HoldingNotice.objects.create(holds=False, **values).pk


def withdraw(window: MaintenanceWindow) -> None:
    """What was announced is no longer said."""
    if window.holding_notice is not None:
        HoldingNotice.objects.filter(pk=window.holding_notice, holds=False).delete()
        window.holding_notice = None


def begin(window: MaintenanceWindow, *, now: datetime) -> None:
    withdraw(window)
    if window.pauses_answering:
        window.holding_notice = _hold(window.notice, now, window.ends_at)


def keep_up(window: MaintenanceWindow, *, now: datetime) -> None:
    """To the planned end, and beyond it step by step while the window is open."""
    _rows(window).filter(ends_at__lt=window.ends_at).update(ends_at=window.ends_at)
    _rows(window).filter(ends_at__lt=now + NEAR).update(ends_at=now + STEP)


def pause(row: Pause, *, now: datetime) -> None:
    row.holding_notice = _hold("", now, row.until)


def move_end(row: Pause, until: datetime) -> None:
    _rows(row).update(ends_at=until)


def end(row: MaintenanceWindow | Pause, *, now: datetime) -> None:
    """People get their answers from now on. The row stays: who was told when is read from its start."""
    moment = timedelta(microseconds=1)
    _rows(row).filter(starts_at__lt=now, ends_at__gt=now).update(ends_at=now)
    _rows(row).filter(starts_at__gte=now).update(starts_at=now - moment, ends_at=now)


def _hold(text: str, now: datetime, until: datetime) -> int:
    return HoldingNotice.objects.create(text=text, starts_at=now, ends_at=until).pk


def _rows(row: MaintenanceWindow | Pause) -> QuerySet[HoldingNotice]:
    return HoldingNotice.objects.filter(pk__in=[row.holding_notice] if row.holding_notice else [], holds=True)
