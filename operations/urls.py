"""Addresses of operations outside the console: whether the service is well, with and without the final slash, and how far a
restore has come."""

from __future__ import annotations

from django.urls import path, re_path

from operations import health, restore_progress

urlpatterns = [
    re_path(r"^health/live/?$", health.live, name="live"),
    re_path(r"^health/?$", health.HealthView.as_view(), name="health"),
    path("restores/<str:token>/", restore_progress.view, name="restore_progress"),
]
