"""What must happen in time around maintenance windows, seen by the watcher from the rows.

After hours without a watcher each thing is said once and late, and only where it still makes sense: a window is
announced until it begins, and one that is long over its time is ended with one notice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from operations import checklists, holding, pauses, windows
from operations import window_notices as notices
from operations.models import MaintenanceWindow

State = MaintenanceWindow.State
REPEAT = timedelta(minutes=15)
# Then Jeevo ends it by itself: a window that everybody forgot must not keep people waiting.
LEFT_OPEN = timedelta(minutes=60)
NOBODY_CAME = "Nobody started it in its time."


def look(now: datetime) -> None:
    for window in MaintenanceWindow.objects.filter(state__in=[State.PLANNED, State.IN_PROGRESS]):
        if window.state == State.IN_PROGRESS:
            _in_progress(window, now)
        elif now >= window.ends_at:
            _nobody_came(window, now)
        elif window.announced_at is None and now < window.starts_at <= now + notices.AHEAD:
            _announce(window, now)
    pauses.end_those_over(now)


def _announce(window: MaintenanceWindow, now: datetime) -> None:
    with windows.locked(window) as row:
        if row.state == State.PLANNED and row.announced_at is None:
            row.announced_at = now
            holding.announce(row, now=now)
            row.save()
            notices.announced(row, now=now)
            checklists.settle(row, "told_ahead", now=now)


def _nobody_came(window: MaintenanceWindow, now: datetime) -> None:
    with windows.locked(window) as row:
        if row.state == State.PLANNED:
            windows.cancel(row, by=None, now=now, why=NOBODY_CAME)


def _in_progress(window: MaintenanceWindow, now: datetime) -> None:
    if now >= window.ends_at + LEFT_OPEN:
        windows.close_left_open(window, now=now)
        return
    with windows.locked(window) as row:
        if row.state != State.IN_PROGRESS:
            return
        holding.keep_up(row, now=now)
        if row.is_late(now) and (row.overrun_said_at is None or now >= row.overrun_said_at + REPEAT):
            row.overrun_said_at = now
            row.save(update_fields=["overrun_said_at"])
            notices.overran(row, now=now, closes_at=row.ends_at + LEFT_OPEN)
