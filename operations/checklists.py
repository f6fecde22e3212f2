"""The lists before and after a window, as the guide has them: ticked by name, and by themselves where a check can tell.

A tick by hand always counts: staff may know what no check sees.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet

from operations import checks
from operations.models import ChecklistItem, MaintenanceWindow

Phase, State = ChecklistItem.Phase, ChecklistItem.State
TOLD_COMPLETION = "told_completion"

LISTS: dict[str, tuple[tuple[str, str], ...]] = {
    Phase.BEFORE: (
        ("People were told 48 hours before", "told_ahead"),
        ("A full backup is made and verified", "backup"),
        ("Going back to the last version was tried", ""),
        ("Contacts on call are ready", "on_call"),
        ("The status page shows the window", ""),
        ("A plan for going back is written down", ""),
    ),
    Phase.AFTER: (
        ("Health checks are green", "health"),
        ("All services run", "services"),
        ("No errors in the log since the start", "errors"),
        ("Figures are as they should be", "targets"),
        ("Documentation says what changed", ""),
        ("People are told that it is over", TOLD_COMPLETION),
    ),
}


class Closed(Exception):
    """The list can no longer be changed; the message says why."""


def lay_out(window: MaintenanceWindow) -> None:
    ChecklistItem.objects.bulk_create(
        ChecklistItem(window=window, phase=phase, position=place, text=text, check_name=check)
        for phase, lines in LISTS.items()
        for place, (text, check) in enumerate(lines, 1)
    )


def left(window: MaintenanceWindow, phase: str) -> QuerySet[ChecklistItem]:
    """What is not done. That people were told of the end follows from ending it."""
    return window.items.filter(phase=phase).exclude(state=State.DONE).exclude(check_name=TOLD_COMPLETION)


def tick(item: ChecklistItem, *, by: User, now: datetime) -> None:
    _check_open(item)
    item.state, item.ticked_by, item.ticked_at = State.DONE, by, now
    item.save()
    MaintenanceWindow.objects.filter(pk=item.window_id).update(touched_by=by, touched_at=now)


def untick(item: ChecklistItem, *, by: User, now: datetime) -> None:
    _check_open(item)
    item.state, item.ticked_by, item.ticked_at = State.OPEN, None, None
    item.result, item.checked_at = "", None
    item.save()
    MaintenanceWindow.objects.filter(pk=item.window_id).update(touched_by=by, touched_at=now)


def run(item: ChecklistItem, *, by: User | None, now: datetime) -> None:
    """Ask the check of this line; what it says replaces an earlier tick."""
    _check_open(item)
    found = checks.run(item.check_name, item.window, now=now)
    done = found.state == State.DONE
    item.state, item.result, item.checked_at = found.state, found.said[:400], now
    item.ticked_by, item.ticked_at = (by, now) if done else (None, None)
    item.save()


def run_all(window: MaintenanceWindow, phase: str, *, by: User | None, now: datetime) -> None:
    """Every line of the list that can tell by itself and is not done yet."""
    for item in left(window, phase).exclude(check_name="").select_related("window"):
        run(item, by=by, now=now)


def settle(window: MaintenanceWindow, check: str, *, now: datetime) -> None:
    """A line that what was just done answers: it runs at once, whatever the window's state."""
    for item in window.items.filter(check_name=check).exclude(state=State.DONE):
        found = checks.run(check, window, now=now)
        done = found.state == State.DONE
        item.state, item.result, item.checked_at = found.state, found.said[:400], now
        item.ticked_at = now if done else None
        item.save()


def _check_open(item: ChecklistItem) -> None:
    window = item.window
    if not window.is_open:
        raise Closed("This window is over, and its lists are kept as they were.")
    if item.phase == Phase.AFTER and window.state == MaintenanceWindow.State.PLANNED:
        raise Closed("The list after it opens when the window has begun.")
