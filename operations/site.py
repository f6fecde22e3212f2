"""Where people outside reach the web process."""

from __future__ import annotations

from django.conf import settings


def address(path: str) -> str:
    """In the sandbox that is this machine."""
    return (settings.ENVIRONMENT.public_url or f"http://127.0.0.1:{settings.ENVIRONMENT.web_port}") + path
