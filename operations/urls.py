"""Addresses of operations: whether the service is well, what Alertmanager posts, with and without the final slash."""

from __future__ import annotations

from django.urls import re_path

from operations import api, health

urlpatterns = [
    re_path(r"^api/alerts/?$", api.Alerts.as_view(), name="alerts"),
    re_path(r"^health/live/?$", health.live, name="live"),
    re_path(r"^health/?$", health.HealthView.as_view(), name="health"),
]
