"""Addresses of the console for words that leave it: e-mails, webhooks, the command line."""

from __future__ import annotations

from django.urls import reverse

from operations import site
from operations.models import Incident


def of_console() -> str:
    return site.address(reverse("admin:index"))


def of_incident(incident: Incident) -> str:
    return f"{of_console()}operations/incidents/{incident.number}/"
