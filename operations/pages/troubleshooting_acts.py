"""What troubleshooting can do, each behind a page that says what will happen: end a connection, clear the cache, and ask
whether WhatsApp and Groq can be reached."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_POST

from operations import database_connections, reach, valkey
from operations.pages import ACT, LOOK, Page
from operations.pages.troubleshooting import FOLDER, context
from operations.phrases import count, lasted

GONE = "This connection has already ended. Nothing was done."


@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, pid: int) -> HttpResponse:
    """Look once more at what is about to end, then end that very connection."""
    began = _moment(request.POST.get("began") or request.GET.get("began") or "")
    now, problem = timezone.now(), ""
    if request.method == "POST" and began:
        try:
            ended = database_connections.end(pid, began, typed=request.POST.get("typed", ""), by=_by(request), now=now)
        except database_connections.NotEnded as error:
            problem = str(error)
        else:
            messages.success(request, f"The connection {pid} of {ended.process} was ended.")
            return _to("connections")
    found = database_connections.find(pid, began) if began else None
    if found is None:
        messages.warning(request, GONE)
        return _to("connections")
    shown = context(request, f"End the connection of {found.process}?", "connections", found=found, problem=problem)
    shown["lasts"] = lasted(found.lasts(now))
    return TemplateResponse(request, f"{FOLDER}/end.html", shown, status=422 if problem else 200)


@require_http_methods(["GET", "POST"])
def clear(request: HttpRequest) -> HttpResponse:
    problem = ""
    if request.method == "POST":
        try:
            number = valkey.clear(typed=request.POST.get("typed", ""), by=_by(request))
        except valkey.NotCleared as error:
            problem = str(error)
        else:
            messages.success(request, f"The cache was cleared: {count(number, 'key', 'keys')} went.")
            return _to("cache")
    shown = context(request, "Clear the cache?", "cache", problem=problem)
    return TemplateResponse(request, f"{FOLDER}/clear.html", shown, status=422 if problem else 200)


@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """Try both places, unless somebody did within the last minute."""
    if reach.last() is None:
        reach.ask(timezone.now())
    return _to("reach")


def _moment(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None


def _by(request: HttpRequest) -> AbstractBaseUser:
    assert isinstance(request.user, AbstractBaseUser)
    return request.user


def _to(name: str) -> HttpResponseRedirect:
    return redirect(reverse(f"admin:troubleshooting_{name}"))


PAGES = (
    Page("troubleshooting/connections/<int:pid>/end/", "troubleshooting_end", end, permission=ACT),
    Page("troubleshooting/cache/clear/", "troubleshooting_clear", clear, permission=ACT),
    # Looking from here outside changes nothing, so whoever may look may ask.
    Page("troubleshooting/reach/ask/", "troubleshooting_ask", ask, permission=LOOK),
)
