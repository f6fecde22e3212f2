"""`/metrics`, in Prometheus's text: for whoever bears METRICS_TOKEN, and for staff who may look at the machine."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from operations import metrics as figures
from operations.pages import LOOK
from operations.tokens import bears


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    refused = _refused(request)
    if refused is not None:
        return refused
    registry = CollectorRegistry()
    registry.register(figures.Everything())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _refused(request: HttpRequest) -> HttpResponse | None:
    # The token first: with it the database need not answer.
    if bears(request, settings.ENVIRONMENT.metrics_token):
        return None
    if "Authorization" in request.headers or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return _said(401, "Metrics need the bearer token that is set as METRICS_TOKEN, or a signed-in operator.")
    if not admin.site.has_permission(request):
        return _said(401, "Metrics need the bearer token that is set as METRICS_TOKEN, or a signed-in operator.")
    if not request.user.has_perm(LOOK):
        return _said(403, "Your account may not look at the machine. Ask whoever made it.")
    return None


def _said(status: int, text: str) -> HttpResponse:
    headers = {"WWW-Authenticate": 'Bearer realm="metrics"'} if status == 401 else {}
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8", headers=headers)
