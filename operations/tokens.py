"""Bearer tokens of machines: monitoring, Prometheus, Alertmanager."""

from __future__ import annotations

import hmac

from django.http import HttpRequest


def bears(request: HttpRequest, token: str) -> bool:
    """Whether the request brings this token. An empty token opens nothing."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(token) and kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())
