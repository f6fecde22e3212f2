"""What django-axes asks of us: who tried, from where, and what a person who is locked out gets to read.

Five wrong passwords for one account from one address close it to that address for a quarter of an hour; a right one
starts the count anew. A name that no account has counts in the same way, and is kept as a keyed hash: what is typed
there by mistake is often the password.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from jeevo.fields import keyed_hash


def client_address(request: HttpRequest) -> str | None:
    """The caller's address: what our proxy wrote last, or the connection's own. Nobody is believed about their own address."""
    address = str(request.META.get("REMOTE_ADDR", ""))
    if settings.ENVIRONMENT.behind_proxy:
        address = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip() or address
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def known_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    given = str((credentials or request.POST).get("username") or "")
    known = get_user_model().objects.filter(username=given).exists()
    return given if known else keyed_hash(given)


def locked(request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """The page for who is locked out, with the minutes that are left."""
    opens = opens_at(known_name(request, credentials), client_address(request))
    minutes = max(1, ceil((opens - timezone.now()).total_seconds() / 60))
    context = {**admin.site.each_context(request), "title": "Locked for a while", "minutes": minutes, "opens": opens}
    answer = render(request, "admin/account/locked.html", context, status=429)
    answer["Retry-After"] = str(60 * minutes)
    answer["Cache-Control"] = "no-store"
    return answer


def opens_at(name: str, address: str | None) -> datetime:
    """When the next try is taken: a quarter of an hour after the last failure, or now."""
    tries = AccessAttempt.objects.filter(username=name, ip_address=address)
    found = tries.aggregate(last=Max("attempt_time"), number=Sum("failures_since_start"))
    pause: timedelta = settings.AXES_COOLOFF_TIME
    if found["last"] is None or found["number"] < settings.AXES_FAILURE_LIMIT:
        return timezone.now()
    opens: datetime = found["last"] + pause
    return opens


def forget(attempts: Iterable[AccessAttempt]) -> int:
    """Let whoever failed there try again at once, with whatever browser."""
    tries = {(each.username, each.ip_address) for each in attempts}
    return sum(AccessAttempt.objects.filter(username=name, ip_address=address).delete()[0] for name, address in tries)
