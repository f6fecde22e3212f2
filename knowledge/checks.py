"""A system check: what no clinician has reviewed is never served to real patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error


def starter_content_is_not_live(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """An error when unreviewed starter articles would answer people on a real number."""
    if settings.ENVIRONMENT.mode != "live" or not settings.ENVIRONMENT.serve_starter_content:
        return []
    return [
        Error(
            "SERVE_STARTER_CONTENT is on beside real WhatsApp credentials: no clinician has reviewed these articles.",
            hint="Remove SERVE_STARTER_CONTENT. Review and publish the articles you want in the console.",
            id="knowledge.E001",
        )
    ]
