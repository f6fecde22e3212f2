"""While the database takes nobody in, every page says so with 503 and when to come back, and not that something broke.

WhatsApp delivers again what was answered with 503. The web's connections of before are let go of at once: after a
restore they belong to a database that is no longer live.
"""

from __future__ import annotations

import structlog
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

log = structlog.get_logger(__name__)
AGAIN_SECONDS = 5
SAID = "The database is away for a moment. What was stored is safe. Try again in a few seconds.\n"


class DatabaseAway(MiddlewareMixin):
    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, OperationalError | InterfaceError):
            return None
        log.warning("the database was away for a request", error=type(error).__name__)
        connection.close()
        if getattr(connection, "pool", None):
            connection.close_pool()  # type: ignore[attr-defined]
        return HttpResponse(
            SAID, status=503, headers={"Retry-After": str(AGAIN_SECONDS)}, content_type="text/plain; charset=utf-8"
        )
