"""The public status page through the web process, for as long as that lives. It reads files and no database."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

TYPES = {
    "index.html": "text/html; charset=utf-8",
    "feed.atom": "application/atom+xml; charset=utf-8",
    "status.json": "application/json",
    "status.css": "text/css; charset=utf-8",
}


@require_safe
def file(request: HttpRequest, name: str = "index.html") -> HttpResponse:
    if name not in TYPES:
        raise Http404
    try:
        content = (settings.ENVIRONMENT.status_page / name).read_bytes()
    except OSError:
        service = settings.ENVIRONMENT.service_name
        return render(request, "operations/status_none.html", {"service": service}, status=404)
    answer = HttpResponse(content, content_type=TYPES[name])
    # Other people's programs and pages may read it; it is public.
    answer["Access-Control-Allow-Origin"] = "*"
    answer["Cache-Control"] = "public, max-age=15"
    return answer
