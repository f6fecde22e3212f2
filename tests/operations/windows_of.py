"""Windows and people for the tests of maintenance. All times are counted from NOW, a Friday."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from operations import windows
from operations.models import MaintenanceSchedule, MaintenanceWindow, Notice, OnCallContact, Subscriber

NOW = datetime(2027, 1, 15, 2, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def asha() -> User:
    return User.objects.get_or_create(username="asha", defaults={"is_staff": True})[0]


def a_window(**values: Any) -> MaintenanceWindow:
    """In two days and a little, for two hours."""
    usual: dict[str, Any] = {"title": "New database", "starts_at": NOW + 3 * DAY}
    usual |= values
    usual.setdefault("ends_at", usual["starts_at"] + 2 * HOUR)
    return windows.plan(by=None, now=NOW - 10 * DAY, **usual)


def a_running_window(**values: Any) -> MaintenanceWindow:
    """It began at NOW and is planned for two hours."""
    window = a_window(starts_at=NOW, **values)
    return windows.start(window, by=asha(), now=NOW, why="A test of what follows")


def a_schedule(**values: Any) -> MaintenanceSchedule:
    usual: dict[str, Any] = {"title": "Monthly maintenance", "counted_from": (NOW - DAY).date()}
    return MaintenanceSchedule.objects.create(**usual | values)


def a_subscriber() -> Subscriber:
    return Subscriber.objects.create(name="Ministry", channel="email", address="ops@example.org")


def on_call() -> OnCallContact:
    return OnCallContact.objects.create(position=1, name="Night desk", email="night@example.org")


def said(window: MaintenanceWindow) -> list[str]:
    """What was said about it, in order."""
    return list(Notice.objects.filter(about_key=window.pk).order_by("created_at", "id").values_list("event", flat=True))


def latest(window: MaintenanceWindow) -> Notice:
    return Notice.objects.filter(about_key=window.pk).order_by("-created_at", "-id")[0]
