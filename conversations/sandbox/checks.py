"""A system check: live mode and the sandbox exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error


def sandbox_is_not_live(
    app_configs: Sequence[AppConfig] | None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """An error when JEEVO_MODE=live and the Graph calls would go to this machine instead of to Meta."""
    environment = settings.ENVIRONMENT
    if environment.mode != "live" or not is_loopback(environment.whatsapp.graph_url):
        return []
    return [
        Error(
            "JEEVO_MODE is live, but WHATSAPP_GRAPH_URL points to this machine: answers would reach nobody.",
            hint="Remove WHATSAPP_GRAPH_URL, or set JEEVO_MODE=sandbox.",
            id="conversations.E001",
        )
    ]


def is_loopback(url: str) -> bool:
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
