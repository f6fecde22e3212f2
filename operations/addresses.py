"""Addresses of the console for words that leave it: e-mails, webhooks, the command line."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from operations.models import Incident


def of_console() -> str:
    return base() + reverse("admin:index")


def of_incident(incident: Incident) -> str:
    return f"{of_console()}operations/incidents/{incident.number}/"


def base() -> str:
    """As people reach it from outside; on one machine, its own address."""
    environment = settings.ENVIRONMENT
    return environment.public_url or f"http://{environment.host}:{environment.web_port}"
