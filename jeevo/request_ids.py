"""One id for everything that a request sets off: made here, kept on the row of each message, in every line about it.

A well-formed `X-Request-ID` is taken from a proxy that is trusted (BEHIND_PROXY) and from nobody else. Hexadecimal
only, as proxies make them: whatever else a caller sends might be somebody's name or number.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from jeevo.ids import new_id
from jeevo.logging import following, masked

HEADER = "X-Request-ID"
_WELL_FORMED = re.compile(r"[0-9a-fA-F](?:-?[0-9a-fA-F]){15,47}")


class RequestIdMiddleware:
    """First of all, so that the lines of the others carry the id too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = brought(request.headers.get(HEADER, "")) or new_id().hex
        with following(request_id):
            response = self.get_response(request)
        response[HEADER] = request_id
        return response


def brought(claimed: str) -> str:
    """The id that the proxy gave, or nothing. One of digits alone may be a telephone number."""
    good = settings.ENVIRONMENT.behind_proxy and _WELL_FORMED.fullmatch(claimed) and masked(claimed) == claimed
    return claimed.lower() if good else ""
