"""What anybody may know of maintenance now and to come, a sentence each: for the status page and the console's home."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, When

from operations import pauses
from operations import window_notices as notices
from operations.models import MaintenanceWindow

AHEAD = timedelta(days=7)
State = MaintenanceWindow.State


def current_or_next() -> MaintenanceWindow | None:
    """The window that is in progress, else the next planned one."""
    rows = MaintenanceWindow.objects.filter(state__in=[State.PLANNED, State.IN_PROGRESS])
    return rows.order_by(Case(When(state=State.IN_PROGRESS, then=0), default=1), "starts_at").first()


def for_home() -> dict[str, Any] | None:
    mode, window = pauses.current(), current_or_next()
    return {"mode": mode, "window": window, "when": notices.when(window) if window else ""} if mode or window else None


def lines(now: datetime) -> tuple[str, ...]:
    open_rows = MaintenanceWindow.objects.filter(state__in=[State.PLANNED, State.IN_PROGRESS], starts_at__lte=now + AHEAD)
    said = [_line(window) for window in open_rows.order_by("starts_at")]
    mode = pauses.current()
    if mode is not None:
        said.insert(0, f"Answers come later than usual until {mode.until:%H:%M} UTC. Emergencies are answered at once.")
    return tuple(said)


def _line(window: MaintenanceWindow) -> str:
    waits = " Answers come later than usual; emergencies are answered at once." if window.pauses_answering else ""
    if window.state == State.IN_PROGRESS:
        return f"Maintenance is in progress: {window.title}. It is planned to end at {window.ends_at:%H:%M} UTC.{waits}"
    return f"Maintenance is planned for {notices.when(window)}: {window.title}.{waits}"
