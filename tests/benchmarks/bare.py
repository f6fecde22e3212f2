"""The named baseline of intake: a bare Django view that inserts one row, beside the webhook, on the same gunicorn."""

from __future__ import annotations

import json
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from jeevo import wsgi  # noqa: F401  (sets Django up as the web process)
from jeevo.urls import urlpatterns as real


@csrf_exempt
def bare(request: HttpRequest) -> HttpResponse:
    payload = json.loads(request.body)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_bare (body) VALUES (%s)", [json.dumps(payload)])
    return HttpResponse("stored")


urlpatterns = [path("bench/bare", bare), *real]


class _Handler(WSGIHandler):
    def get_response(self, request: HttpRequest) -> Any:
        request.urlconf = "tests.benchmarks.bare"
        return super().get_response(request)


application = _Handler()
