"""Addresses of operations: whether the service is well, and its figures, with and without the final slash."""

from __future__ import annotations

from django.urls import re_path

from operations import health, scrape

urlpatterns = [
    re_path(r"^health/live/?$", health.live, name="live"),
    re_path(r"^health/ready/?$", health.ready, name="ready"),
    re_path(r"^metrics/?$", scrape.metrics, name="metrics"),
    re_path(r"^health/?$", health.HealthView.as_view(), name="health"),
]
