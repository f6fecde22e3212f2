"""What people do with a maintenance window: plan, change, start, extend, complete, cancel.

Each step locks the window and writes its notice in the same commit. A step that does not fit raises `NotNow` with a
sentence for whoever tried it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from operations import checklists, holding
from operations import window_notices as notices
from operations.models import ChecklistItem, MaintenanceWindow

State, Phase = MaintenanceWindow.State, ChecklistItem.Phase
# Somebody who is ready a little early may begin.
EARLY = timedelta(hours=1)
FIELDS = ("title", "expected_downtime", "components", "pauses_answering", "notice", "starts_at", "ends_at")


class NotNow(Exception):
    """The step does not fit what the window is now; the message says why, for the person who tried."""


class OpenItems(NotNow):
    """Lines of the list are open; with a reason the step is taken all the same."""


@transaction.atomic
def plan(*, by: User | None, now: datetime, **values: Any) -> MaintenanceWindow:
    window = MaintenanceWindow.objects.create(created_at=now, changed_at=now, planned_by=by, **values)
    checklists.lay_out(window)
    return window


@contextmanager
def locked(window: MaintenanceWindow) -> Iterator[MaintenanceWindow]:
    with transaction.atomic():
        yield MaintenanceWindow.objects.select_for_update().get(pk=window.pk)


def change(window: MaintenanceWindow, *, by: User | None, now: datetime, **values: Any) -> MaintenanceWindow:
    """Other times or words for one that has not begun. Without a person it is the schedule that changes it."""
    with locked(window) as row:
        if row.state != State.PLANNED:
            raise NotNow(f"This window is {row.get_state_display()}; only a planned one can be changed.")
        before = notices.said_of(row)
        for name, value in values.items():
            if name not in (*FIELDS, "occurrence"):
                raise ValueError(name)
            setattr(row, name, value)
        if by is not None:
            row.touched_by, row.touched_at = by, now
        _changed(row, now)
        if row.announced_at is not None:
            _announce_again(row, before, by=by, now=now)
        row.save()
        return row


def _announce_again(row: MaintenanceWindow, before: str, *, by: User | None, now: datetime) -> None:
    """Who was told hears of the change. One that is now far off is announced anew in its time."""
    if notices.said_of(row) != before:
        notices.changed(row, before, now=now, by=by)
    holding.withdraw(row)
    if row.starts_at > now + notices.AHEAD:
        row.announced_at = None
    elif row.starts_at > now:
        holding.announce(row, now=now)


def start(window: MaintenanceWindow, *, by: User, now: datetime, why: str = "") -> MaintenanceWindow:
    _check_start(window, now)
    checklists.run_all(window, Phase.BEFORE, by=by, now=now)
    try:
        with locked(window) as row:
            _check_start(row, now)
            _check_list(row, Phase.BEFORE, why)
            row.state, row.started_by, row.started_at, row.started_anyway = State.IN_PROGRESS, by, now, why[:400]
            holding.begin(row, now=now)
            _changed(row, now)
            row.save()
            notices.started(row, now=now, by=by)
            return row
    except IntegrityError as error:
        raise NotNow("Another window is in progress. End it first.") from error


def _check_start(row: MaintenanceWindow, now: datetime) -> None:
    if row.state != State.PLANNED:
        raise NotNow(f"This window is {row.get_state_display()} already.")
    if now >= row.ends_at:
        raise NotNow("Its time is over. Give it another time first.")
    if now < row.starts_at - EARLY:
        raise NotNow(f"It begins on {notices.when(row)}. To begin now, change its time first.")
    other = MaintenanceWindow.objects.filter(state=State.IN_PROGRESS).first()
    if other is not None:
        raise NotNow(f"“{other.title}” is in progress. End it first.")


def _check_list(row: MaintenanceWindow, phase: str, why: str) -> None:
    left = [item.text for item in checklists.left(row, phase)]
    if left and not why.strip():
        raise OpenItems(f"Not done yet: {'; '.join(left)}. Tick what is done, or say why you go on without it.")


def extend(window: MaintenanceWindow, by_minutes: int, *, by: User, now: datetime) -> MaintenanceWindow:
    """A later end: counted from the planned one, or from now where that is over."""
    with locked(window) as row:
        if row.state != State.IN_PROGRESS:
            raise NotNow("Only a window that is in progress can be extended.")
        if not 0 < by_minutes <= 24 * 60:
            raise NotNow("Extend it by 1 minute to 24 hours.")
        row.ends_at = max(row.ends_at, now) + timedelta(minutes=by_minutes)
        row.overrun_said_at, row.touched_by, row.touched_at = None, by, now
        holding.keep_up(row, now=now)
        _changed(row, now)
        row.save()
        notices.extended(row, now=now, by=by)
        return row


def complete(window: MaintenanceWindow, *, by: User, now: datetime, why: str = "") -> MaintenanceWindow:
    if window.state != State.IN_PROGRESS:
        raise NotNow(f"This window is {window.get_state_display()}.")
    checklists.run_all(window, Phase.AFTER, by=by, now=now)
    with locked(window) as row:
        if row.state != State.IN_PROGRESS:
            raise NotNow(f"This window is {row.get_state_display()}.")
        _check_list(row, Phase.AFTER, why)
        _end(row, State.COMPLETED, why, by=by, now=now)
        notices.completed(row, now=now, by=by)
        checklists.settle(row, checklists.TOLD_COMPLETION, now=now)
        return row


def close_left_open(window: MaintenanceWindow, *, now: datetime) -> MaintenanceWindow:
    with locked(window) as row:
        if row.state == State.IN_PROGRESS:
            _end(row, State.COMPLETED, "Left open: Jeevo ended it by itself.", by=None, now=now)
            notices.left_open(row, now=now)
            checklists.settle(row, checklists.TOLD_COMPLETION, now=now)
        return row


def cancel(window: MaintenanceWindow, *, by: User | None, now: datetime, why: str) -> MaintenanceWindow:
    """Only one that has not begun; who was told of it hears that it will not be."""
    with locked(window) as row:
        if row.state != State.PLANNED:
            raise NotNow(f"This window is {row.get_state_display()}; only a planned one can be cancelled.")
        holding.withdraw(row)
        told = row.announced_at is not None
        _end(row, State.CANCELLED, why, by=by, now=now)
        if told:
            notices.cancelled(row, now=now, by=by)
        return row


def _end(row: MaintenanceWindow, state: str, why: str, *, by: User | None, now: datetime) -> None:
    row.state, row.ending, row.ended_by, row.ended_at = state, why[:400], by, now
    holding.end(row, now=now)
    _changed(row, now)
    row.save()


def _changed(row: MaintenanceWindow, now: datetime) -> None:
    row.sequence += 1
    row.changed_at = now
