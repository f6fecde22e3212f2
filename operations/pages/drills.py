"""The page of the drills: how well the service is protected now, what drills measured over time, each drill, and a button."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from operations import drill_plot, drills, recovery_state
from operations.delivery_lines import fragment
from operations.figures import State
from operations.models import Drill
from operations.pages import ACT, Page
from operations.phrases import lasted

FOLDER = "admin/operations/drills"
# A year of weeks, and half a year of days.
MOST_DOTS, MOST_LINES = 180, 50
_WORDS: dict[str, tuple[State, str]] = {
    Drill.Status.REQUESTED: ("unknown", "Waits"),
    Drill.Status.RUNNING: ("unknown", "Running"),
    Drill.Status.PASSED: ("good", "Passed"),
    Drill.Status.FAILED: ("breached", "Failed"),
}
# The operator's process looks every few seconds, but not while it makes a backup.
WAITS_LONG = timedelta(minutes=2)


@dataclass(frozen=True)
class Line:
    drill: Drill
    state: State
    word: str
    steps: tuple[tuple[str, str], ...]


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    if request.GET.get("part") == "now":
        return fragment(request, f"{FOLDER}/now.html", _now(request, now))
    if request.GET.get("part") == "list":
        return fragment(request, f"{FOLDER}/list.html", _list())
    shown = {**admin.site.each_context(request), "title": "Drills", **_now(request, now), **_list()}
    return fragment(request, f"{FOLDER}/page.html", shown)


@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    """A row; the operator's process does the work."""
    assert isinstance(request.user, User)
    drills.request(Drill.Cause.PERSON, now=timezone.now(), by=request.user)
    messages.success(request, "A drill was asked for. It begins within a few seconds, and the live database is only read.")
    return redirect("admin:drills")


def _now(request: HttpRequest, now: datetime) -> dict[str, object]:
    open_one = Drill.objects.filter(status__in=[Drill.Status.REQUESTED, Drill.Status.RUNNING]).first()
    late = open_one is not None and open_one.status == Drill.Status.REQUESTED and now - open_one.requested_at > WAITS_LONG
    return {
        "recovery": recovery_state.look(now=now),
        "goals": (lasted(recovery_state.RPO), lasted(recovery_state.RTO)),
        "open_one": open_one,
        "late": late,
        "may_act": request.user.has_perm(ACT),
    }


def _list() -> dict[str, object]:
    passed = Drill.objects.filter(status=Drill.Status.PASSED)[:MOST_DOTS]
    return {
        "plots": drill_plot.plots(list(passed)[::-1]),
        "lines": [_line(drill) for drill in Drill.objects.select_related("base", "requested_by")[:MOST_LINES]],
    }


def _line(drill: Drill) -> Line:
    state, word = _WORDS[drill.status]
    steps = (
        ("base backup", drill.materialise_seconds),
        ("log", drill.recover_seconds),
        ("comparing", drill.compare_seconds),
    )
    return Line(drill, state, word, tuple((name, f"{took:.1f} s") for name, took in steps if took is not None))


PAGES = (
    Page("drills/", "drills", show, "Drills"),
    Page("drills/run/", "drills_run", ask, permission=ACT),
)
