"""Addresses of operations: whether the service is well, with and without the final slash."""

from __future__ import annotations

from django.urls import re_path

from operations import health

urlpatterns = [
    re_path(r"^health/live/?$", health.live, name="live"),
    re_path(r"^health/?$", health.HealthView.as_view(), name="health"),
]
