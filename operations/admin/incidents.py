"""The list of incidents: what is live now stands first and apart, with what is due next; below it what is over."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.timesince import timesince

from operations import countdown, live_incidents
from operations.admin import declaring, incident_page, incident_steps, postmortems
from operations.admin.incident_filters import MonthFilter, StateFilter
from operations.models import LIVE_STATES, Incident, OnCallContact


class Past(ChangeList):
    """Live ones stand above the list; a search finds them too."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return rows if self.query else rows.exclude(state__in=LIVE_STATES)


@admin.register(Incident)
class IncidentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "severity_word", "state_word", "declared", "lasted")
    list_filter = ("severity", StateFilter, "kind", MonthFilter)
    search_fields = ("title",)
    search_help_text = "Words of the title, or a number such as INC-12."
    show_facets = admin.ShowFacets.ALWAYS
    show_full_result_count = False
    list_per_page = 50
    actions = None
    empty_state = "Nothing has ended yet. What is declared and over is kept here, with its timeline and its postmortem."
    change_list_template = "admin/operations/incident/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own: dict[str, tuple[Any, str]] = {
            "<uuid:key>/step/<slug:name>/": (incident_steps.step, "step"),
            "<uuid:key>/postmortem/": (postmortems.page, "postmortem"),
        }
        return [
            *(path(address, view(page), name=f"operations_incident_{name}") for address, (page, name) in own.items()),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return declaring.page(request)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return incident_page.page(request, _key(object_id))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The timeline is the history."""
        return incident_page.page(request, _key(object_id))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return live_incidents.may_declare(request)

    def has_delete_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        """Cancelled or marked as a duplicate, never deleted."""
        return False

    # The list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Past

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        number = re.fullmatch(r"(?:INC-?)?\s*(\d{1,9})", search_term.strip(), re.IGNORECASE)
        if number is None:
            return super().get_search_results(request, queryset, search_term)
        return queryset.filter(Q(number=int(number[1])) | Q(title__icontains=search_term.strip())), False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if request.GET.get("part") == "live":
            return self._live(request)
        own = {
            "live_now": live_incidents.found(timezone.now()),
            "may_declare": live_incidents.may_declare(request),
            "nobody_on_call": not OnCallContact.objects.filter(active=True).exists(),
            "has_any": Incident.objects.exists(),
        }
        return super().changelist_view(request, {**own, **(extra_context or {})})

    def _live(self, request: HttpRequest) -> HttpResponse:
        """The part that refreshes itself, here and on the home page."""
        incident_page.may(request, incident_page.VIEW)
        shown = {"live_now": live_incidents.found(timezone.now()), "may_declare": live_incidents.may_declare(request)}
        return render(request, "admin/operations/incident/live.html", shown)

    @admin.display(description="incident", ordering="number")
    def name(self, incident: Incident) -> str:
        return str(incident)

    @admin.display(description="severity", ordering="severity")
    def severity_word(self, incident: Incident) -> str:
        return render_to_string("admin/operations/incident/severity.html", {"incident": incident})

    @admin.display(description="state", ordering="state")
    def state_word(self, incident: Incident) -> str:
        return str(incident.get_state_display())

    @admin.display(description="declared", ordering="declared_at")
    def declared(self, incident: Incident) -> str:
        at = incident.declared_at
        return render_to_string("admin/ago.html", {"at": at, "short": timesince(at, depth=1)})

    @admin.display(description="impact lasted")
    def lasted(self, incident: Incident) -> str:
        return countdown.spoken(incident.resolved_at - incident.impact_started_at) if incident.resolved_at else "-"


def _key(typed: str) -> UUID:
    try:
        return UUID(typed)
    except ValueError as error:
        raise Http404("No such incident.") from error
