"""Addresses of operations: whether the service is well and its figures, what Alertmanager posts, with and without the
final slash, what people outside see, and how far a restore has come."""

from __future__ import annotations

from django.urls import path, re_path

from operations import api, calendar_feed, health, restore_progress, scrape, status_view, unsubscribe

urlpatterns = [
    re_path(r"^api/alerts/?$", api.Alerts.as_view(), name="alerts"),
    re_path(r"^health/live/?$", health.live, name="live"),
    re_path(r"^health/ready/?$", health.ready, name="ready"),
    re_path(r"^metrics/?$", scrape.metrics, name="metrics"),
    re_path(r"^health/?$", health.HealthView.as_view(), name="health"),
    path("restores/<str:token>/", restore_progress.view, name="restore_progress"),
    path("unsubscribe/<str:token>/", unsubscribe.page, name="unsubscribe"),
    path("status/", status_view.file, name="status"),
    path("status/<str:name>", status_view.file),
    path("calendar/maintenance.ics", calendar_feed.feed, name="maintenance_calendar"),
]
