"""Troubleshooting: a front page by symptom, a page for each question, plans of statements, and the runbooks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from operations import runbooks, slow_queries, statements, troubleshooting
from operations.findings import Finding, for_reader
from operations.pages import Page
from operations.periods import PERIODS, Period, named
from operations.troubleshooting import TOPICS, Topic

FOLDER = "admin/operations/troubleshooting"


def context(request: HttpRequest, title: str, current: str = "", **values: Any) -> dict[str, Any]:
    """What every page of troubleshooting shows: its title and the places beside it."""
    places = [(topic.title, f"admin:troubleshooting_{topic.name}", topic.name == current) for topic in TOPICS]
    return {**admin.site.each_context(request), "title": title, "topics": places, **values}


def front(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    found = {topic.name: (topic, topic.brief(now)) for topic in TOPICS}
    symptoms = [(symptom, [found[name] for name in symptom.topics]) for symptom in troubleshooting.SYMPTOMS]
    shown = context(request, "Troubleshooting", now=now, symptoms=symptoms)
    return TemplateResponse(request, f"{FOLDER}/front.html", shown)


def show(topic: Topic, request: HttpRequest) -> HttpResponse:
    now, period = timezone.now(), named(request.GET.get("over", ""))
    return answered(request, topic, topic.find(now, period), period)


def answered(request: HttpRequest, topic: Topic, finding: Finding, period: Period) -> HttpResponse:
    shown = context(
        request, topic.title, topic.name, topic=topic, finding=for_reader(finding, request.user.has_perm), now=timezone.now()
    )
    if topic.over:
        shown |= {"periods": PERIODS, "period": period}
    return TemplateResponse(request, f"{FOLDER}/finding.html", shown)


def plan(request: HttpRequest, key: str) -> HttpResponse:
    """How the database would go about a statement of the list; the statement is never taken from the address."""
    text = slow_queries.text_of(key)
    if text is None:
        raise Http404
    lines, problem = [], ""
    try:
        lines = statements.plan(text)
    except statements.NoPlan as error:
        problem = str(error)
    whole = any("Seq Scan" in line for line in lines)
    shown = context(request, "Plan of a statement", "queries", statement=text, lines=lines, problem=problem, whole=whole)
    return TemplateResponse(request, f"{FOLDER}/plan.html", shown)


def all_runbooks(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, f"{FOLDER}/runbooks.html", context(request, "Runbooks", runbooks=runbooks.titles()))


def runbook(request: HttpRequest, name: str) -> HttpResponse:
    found = runbooks.read(name)
    if found is None:
        raise Http404
    return TemplateResponse(request, f"{FOLDER}/runbook.html", context(request, found.title, runbook=found))


def _view(topic: Topic) -> Callable[..., HttpResponse]:
    return partial(show, topic)


PAGES = (
    Page("troubleshooting/", "troubleshooting", front, "Troubleshooting"),
    *(Page(f"troubleshooting/{topic.name}/", f"troubleshooting_{topic.name}", _view(topic)) for topic in TOPICS),
    Page("troubleshooting/queries/<str:key>/plan/", "troubleshooting_plan", plan),
    Page("troubleshooting/runbooks/", "troubleshooting_runbooks", all_runbooks),
    Page("troubleshooting/runbooks/<slug:name>/", "troubleshooting_runbook", runbook),
)
