"""Model work asked for over the API: a row for a worker, a short wait, then the result or where to ask again.

Those who wait hold a thread of the web process each, and WhatsApp's messages need threads too: no more than
half of them wait at once, and whoever comes then is told at once where to ask again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404
from rest_framework import status
from rest_framework.response import Response

from knowledge.api_parts import Unavailable
from knowledge.models import Trial

SECONDS, PAUSE = 2.0, 0.05
_waiting = threading.BoundedSemaphore(max(1, settings.ENVIRONMENT.web_threads // 2))
pause = time.sleep
_OPEN = (Trial.Status.WAITING, Trial.Status.RUNNING)
Shape = Callable[[Trial], Any]


def awaited(trial: Trial) -> Trial:
    """The trial when it is closed, or as it stands after two seconds."""
    if not _waiting.acquire(blocking=False):
        return trial
    try:
        until = time.monotonic() + SECONDS
        while _is_open(trial) and time.monotonic() < until:
            pause(PAUSE)
    finally:
        _waiting.release()
    trial.refresh_from_db()
    return trial


def _is_open(trial: Trial) -> bool:
    return Trial.objects.filter(pk=trial.pk, status__in=_OPEN).exists()


def of(key: UUID, *, kind: str, by: AbstractBaseUser) -> Trial:
    """Only for who asked: for others it is not there."""
    trial = Trial.objects.filter(pk=key, kind=kind, requested_by_id=by.pk).first()
    if trial is None:
        raise Http404
    return trial


def state(trial: Trial, *, address: str, shape: Shape) -> Response:
    """200 with the result, 202 with where to ask again, or 503 with why there is none."""
    if trial.status == Trial.Status.FAILED:
        raise Unavailable(trial.reason or "It could not be done. Ask again.")
    if trial.status == Trial.Status.DONE:
        return Response(shape(trial))
    headers = {"Location": address, "Retry-After": "1"}
    body = {"id": str(trial.pk), "status": trial.status, "url": address}
    return Response(body, status=status.HTTP_202_ACCEPTED, headers=headers)
