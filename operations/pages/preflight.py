"""The start-up checklist in the console, run whenever the page is opened: the worst first, each with what to do."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from operations.pages import Page
from operations.preflight.run import run


@require_safe
@never_cache
def preflight(request: HttpRequest) -> HttpResponseBase:
    outside_too = "outside" in request.GET
    report = run(outside_too=outside_too)
    context = {
        **admin.site.each_context(request),
        "title": "Preflight",
        "report": report,
        "outside_too": outside_too,
        "trouble": [line for line in report.lines if line.state != "good"],
        "fine": [line for line in report.lines if line.state == "good"],
    }
    return TemplateResponse(request, "admin/operations/preflight/preflight.html", context)


PAGES = (Page("preflight/", "preflight", preflight, title="Preflight"),)
