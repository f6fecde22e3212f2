"""Maintenance in the console: its own pages in place of the stock list and form, under the stock names and permissions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone

from operations import maintenance_pages as pages
from operations import schedules
from operations.maintenance_forms import ScheduleForm
from operations.models import MaintenanceSchedule, MaintenanceWindow

PERMISSION = "operations.{}_maintenancewindow"
STEPS, ITEM_STEPS, PHASES = ("start", "extend", "complete", "cancel"), ("tick", "untick", "run"), ("before", "after")


@admin.register(MaintenanceWindow)
class MaintenanceWindowAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own: dict[str, tuple[Any, str, dict[str, str]]] = {
            "add/": (pages.plan, "add", {}),
            "mode/on/": (pages.mode, "mode_on", {"name": "on"}),
            "mode/off/": (pages.mode, "mode_off", {"name": "off"}),
            "<uuid:key>/edit/": (pages.edit, "edit", {}),
        }
        own |= {f"<uuid:key>/step/{name}/": (pages.step, name, {"name": name}) for name in STEPS}
        own |= {f"<uuid:key>/item/<int:number>/{name}/": (pages.item, f"item_{name}", {"name": name}) for name in ITEM_STEPS}
        own |= {f"<uuid:key>/run/{phase}/": (pages.run_all, f"run_{phase}", {"phase": phase}) for phase in PHASES}
        return [
            *(
                path(address, view(page), given, name=f"operations_maintenancewindow_{name}")
                for address, (page, name, given) in own.items()
            ),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return pages.overview(request)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            key = UUID(object_id)
        except ValueError as error:
            raise Http404 from error
        return pages.window_page(request, key)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Cancelled, never deleted: calendars have it."""
        return False


@admin.register(MaintenanceSchedule)
class MaintenanceScheduleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who may plan windows may plan them ahead; a schedule has no permissions of its own."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION.format("view"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION.format("add"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION.format("change"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Taken out of use, never deleted: its windows are the record."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("admin:operations_maintenancewindow_changelist")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return _schedule(request, MaintenanceSchedule(created_by=pages.actor(request)), "New schedule")

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        if not object_id.isdecimal():
            raise Http404
        row = get_object_or_404(MaintenanceSchedule, pk=int(object_id))
        return _schedule(request, row, row.title)


def _schedule(request: HttpRequest, row: MaintenanceSchedule, title: str) -> HttpResponse:
    """Shown with its next dates first; kept with the second button."""
    initial = None if row.pk else {"title": "Monthly maintenance", "pattern": row.rule}
    form = ScheduleForm(request.POST or None, instance=row, initial=initial)
    good = request.method == "POST" and form.is_valid()
    if good and "keep" in request.POST:
        return _keep(request, form)
    dates = form.preview() if good else []
    return pages.page(request, "schedule.html", {"title": title, "form": form, "dates": dates, "schedule": row})


def _keep(request: HttpRequest, form: ScheduleForm) -> HttpResponseRedirect:
    row = form.save()
    schedules.apply(row, by=pages.actor(request), now=timezone.now())
    messages.success(request, f"{row.title} is kept. Its windows of the next 60 days are planned.")
    return redirect("admin:operations_maintenancewindow_changelist")
