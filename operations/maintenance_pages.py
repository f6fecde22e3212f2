"""Pages of maintenance: what is to come, one window with its lists and its next step, and the schedules.

Reading needs `view_maintenancewindow`, ticking `change_checklistitem`, the rest `change_maintenancewindow`. What cannot
be done now is said as a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from operations import checklists, pauses, recurrence, windows
from operations import window_notices as notices
from operations.checklists import Closed
from operations.maintenance_forms import WindowForm
from operations.models import ChecklistItem, MaintenanceSchedule, MaintenanceWindow, Notice
from operations.pages import ACT
from operations.windows import NotNow

may_read = permission_required("operations.view_maintenancewindow", raise_exception=True)
may_plan = permission_required("operations.add_maintenancewindow", raise_exception=True)
may_change = permission_required("operations.change_maintenancewindow", raise_exception=True)
may_tick = permission_required("operations.change_checklistitem", raise_exception=True)
may_pause = permission_required(ACT, raise_exception=True)
FOLDER = "admin/operations/maintenance"
State = MaintenanceWindow.State
ENDED_SHOWN = 20
PARTS = ("head", "lists")


@dataclass(frozen=True)
class Row:
    """A window in a list, with its length in words."""

    window: MaintenanceWindow
    when: str
    past: bool


def _row(window: MaintenanceWindow) -> Row:
    return Row(window, notices.when(window), not window.is_open)


@may_read
@never_cache
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Next windows first; then maintenance mode, the schedules, the calendar and what is over."""
    now = timezone.now()
    to_come = list(MaintenanceWindow.objects.filter(state__in=[State.PLANNED, State.IN_PROGRESS]).order_by("starts_at"))
    to_come.sort(key=lambda window: (window.state == State.PLANNED, window.starts_at))
    over = MaintenanceWindow.objects.filter(state__in=[State.COMPLETED, State.CANCELLED]).order_by("-starts_at")
    ended = Paginator(over.select_related("ended_by"), ENDED_SHOWN).get_page(request.GET.get("page"))
    context = {
        "title": "Maintenance",
        "now": now,
        "first": _row(to_come[0]) if to_come else None,
        "rows": [_row(window) for window in to_come],
        "over": [_row(window) for window in ended],
        "page": ended,
        "mode": pauses.current(),
        "drain": pauses.current(pauses.Kind.DRAIN),
        "may_pause": request.user.has_perm(ACT),
        "schedules": [(schedule, _next(schedule, now)) for schedule in MaintenanceSchedule.objects.all()],
        "feed": request.build_absolute_uri(reverse("maintenance_calendar")),
    }
    return page(request, "overview.html", context)


def _next(schedule: MaintenanceSchedule, now: datetime) -> str:
    if not schedule.active:
        return "not in use"
    try:
        found = recurrence.checked(
            schedule.rule, counted_from=schedule.counted_from, at=schedule.at, lasts=schedule.lasts, now=now
        )
    except recurrence.BadRule as problem:
        return str(problem)
    return recurrence.said(found[0], schedule.lasts)


@may_read
@never_cache
@require_safe
def window_page(request: HttpRequest, key: UUID) -> HttpResponse:
    """`?part=head` and `?part=lists` refresh themselves, for a page that shows the state it names."""
    window = get_object_or_404(MaintenanceWindow.objects.select_related("schedule", "started_by", "ended_by"), pk=key)
    context = _shown(request, window)
    part = request.GET.get("part")
    if part in PARTS:
        context["moved_on"] = request.GET.get("state") != window.state
        return render(request, f"{FOLDER}/{part}.html", context)
    return page(request, "window.html", context | {"title": window.title, "next": _next_step(window, context["now"])})


def _shown(request: HttpRequest, window: MaintenanceWindow) -> dict[str, Any]:
    now = timezone.now()
    said = Notice.objects.filter(about=Notice.About.WINDOW, about_key=window.pk).order_by("created_at", "id")
    items = list(window.items.select_related("ticked_by"))
    return {
        "window": window,
        "when": notices.when(window),
        "now": now,
        "late": window.is_late(now),
        "lists": [
            ("before", "Before", [item for item in items if item.phase == "before"], window.is_open),
            ("after", "After", [item for item in items if item.phase == "after"], window.state == State.IN_PROGRESS),
        ],
        "notices": said.prefetch_related("deliveries"),
        "may_tick": request.user.has_perm("operations.change_checklistitem"),
        "may_change": request.user.has_perm("operations.change_maintenancewindow"),
    }


def _next_step(window: MaintenanceWindow, now: datetime) -> str:
    """The one step that comes next: start, complete, or none yet."""
    if window.state == State.IN_PROGRESS:
        return "complete"
    soon = window.state == State.PLANNED and window.starts_at - windows.EARLY <= now < window.ends_at
    return "start" if soon else ""


@never_cache
@may_plan
def plan(request: HttpRequest) -> HttpResponse:
    form = WindowForm(request.POST or None, instance=MaintenanceWindow())
    if request.method == "POST" and form.is_valid():
        window = windows.plan(by=actor(request), now=timezone.now(), **form.cleaned_data)
        messages.success(request, f"{window.title} is planned for {notices.when(window)}.")
        return redirect(_address(window.pk))
    return page(request, "plan.html", {"title": "Plan a window", "form": form, "window": None})


@never_cache
@may_change
def edit(request: HttpRequest, key: UUID) -> HttpResponse:
    window = get_object_or_404(MaintenanceWindow, pk=key)
    form = WindowForm(request.POST or None, instance=MaintenanceWindow.objects.get(pk=key))
    if request.method == "POST" and form.is_valid():
        return _act(request, key, lambda row, by, now: windows.change(row, by=by, now=now, **form.cleaned_data), "Changed.")
    return page(request, "plan.html", {"title": f"Change {window.title}", "form": form, "window": window})


@may_change
@require_POST
def step(request: HttpRequest, key: UUID, name: str) -> HttpResponse:
    """Start, extend, complete or cancel."""
    why = request.POST.get("why", "").strip()
    steps: dict[str, tuple[Callable[[MaintenanceWindow, User, datetime], Any], str]] = {
        "start": (lambda row, by, now: windows.start(row, by=by, now=now, why=why), "The window has begun."),
        "extend": (lambda row, by, now: windows.extend(row, _minutes(request), by=by, now=now), "The window is longer now."),
        "complete": (lambda row, by, now: windows.complete(row, by=by, now=now, why=why), "The window is over."),
        "cancel": (lambda row, by, now: windows.cancel(row, by=by, now=now, why=_reason(why)), "The window is cancelled."),
    }
    work, done = steps[name]
    return _act(request, key, work, done)


def _minutes(request: HttpRequest) -> int:
    try:
        return int(request.POST.get("minutes", ""))
    except ValueError:
        raise NotNow("Say by how many minutes.") from None


def _reason(why: str) -> str:
    if not why:
        raise NotNow("Say why it is cancelled.")
    return why


@may_tick
@require_POST
def item(request: HttpRequest, key: UUID, number: int, name: str) -> HttpResponse:
    """Tick, open again or run one line."""
    row = get_object_or_404(ChecklistItem.objects.select_related("window"), pk=number, window=key)
    work = {"tick": checklists.tick, "untick": checklists.untick, "run": checklists.run}[name]
    return _act(request, key, lambda _, by, now: work(row, by=by, now=now), "", anchor=f"item-{row.pk}")


@may_tick
@require_POST
def run_all(request: HttpRequest, key: UUID, phase: str) -> HttpResponse:
    def work(row: MaintenanceWindow, by: User, now: datetime) -> None:
        checklists.run_all(row, phase, by=by, now=now)

    return _act(request, key, work, "", anchor=f"list-{phase}")


@may_pause
@require_POST
def mode(request: HttpRequest, name: str) -> HttpResponse:
    """Maintenance mode on or off, without a window."""
    now = timezone.now()
    if name == "off":
        pauses.end(now=now, by=actor(request))
        messages.success(request, "Maintenance mode is off. People get their answers within half a minute.")
    else:
        try:
            hours = min(max(int(request.POST.get("hours", "2")), 1), 24)
        except ValueError:
            hours = 2
        row = pauses.begin(now=now, until=now + timedelta(hours=hours), reason=request.POST.get("reason", ""), by=actor(request))
        messages.success(request, f"Maintenance mode is on until {row.until:%H:%M} UTC. Emergencies are answered at once.")
    return redirect("admin:operations_maintenancewindow_changelist")


def _act(
    request: HttpRequest,
    key: UUID,
    work: Callable[[MaintenanceWindow, User, datetime], Any],
    done: str,
    *,
    anchor: str = "",
) -> HttpResponse:
    window = get_object_or_404(MaintenanceWindow, pk=key)
    try:
        work(window, actor(request), timezone.now())
    except (NotNow, Closed) as problem:
        messages.warning(request, str(problem))
    else:
        if done:
            messages.success(request, done)
    return redirect(_address(key) + (f"#{anchor}" if anchor else ""))


def _address(key: UUID) -> str:
    return reverse("admin:operations_maintenancewindow_change", args=[key])


def actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, f"{FOLDER}/{template}", {**admin.site.each_context(request), **context})
