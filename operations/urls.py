"""Addresses of operations: whether the service is well, with and without the final slash, and the calendar."""

from __future__ import annotations

from django.urls import path, re_path

from operations import calendar_feed, health

urlpatterns = [
    re_path(r"^health/live/?$", health.live, name="live"),
    re_path(r"^health/?$", health.HealthView.as_view(), name="health"),
    path("calendar/maintenance.ics", calendar_feed.feed, name="maintenance_calendar"),
]
