"""What is still to be done after incidents: by due date, the overdue ones marked, each with a button when it is done."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from operations.admin import incident_steps
from operations.models import FollowUp


class DoneFilter(admin.SimpleListFilter):
    """Open ones come first by themselves; done ones are a choice."""

    title = "done"
    parameter_name = "done"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Open"), ("overdue", "Overdue"), ("yes", "Done")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "overdue":
            return queryset.filter(done_at__isnull=True, due_on__lt=timezone.now().date())
        return queryset.filter(done_at__isnull=self.value() == "no") if self.value() else queryset


class MineFilter(admin.SimpleListFilter):
    title = "who"
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Mine")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(owner=request.user.pk) if self.value() else queryset


class FollowUps(ChangeList):
    """Knows for each row that is shown whether this reader may say that it is done."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        for item in self.result_list:
            item.may_finish = item.done_at is None and incident_steps.may_finish(request, item)


@admin.register(FollowUp)
class FollowUpAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("text", "of_incident", "owner", "due", "finish")
    list_display_links = None
    list_filter = (DoneFilter, MineFilter, "kind")
    list_select_related = ("incident", "owner", "done_by")
    search_fields = ("text", "incident__title")
    search_help_text = "Words of what is to be done, or of the incident."
    show_facets = admin.ShowFacets.ALWAYS
    show_full_result_count = False
    list_per_page = 50
    actions = None
    empty_state = "Nothing is to be done. Follow-ups are added on the page of an incident."
    change_list_template = "admin/operations/incident/follow_ups.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FollowUps

    def get_ordering(self, request: HttpRequest) -> Any:
        return (F("done_at").asc(nulls_first=True), "due_on", "id")

    def get_urls(self) -> list[URLPattern]:
        done = self.admin_site.admin_view(incident_steps.finish_follow_up)
        return [path("<uuid:key>/done/", done, name="operations_followup_done"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: FollowUp | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: FollowUp | None = None) -> bool:
        return False

    @admin.display(description="incident")
    def of_incident(self, item: FollowUp) -> str:
        address = reverse("admin:operations_incident_change", args=[item.incident_id])
        return format_html('<a href="{}">INC-{}</a>', address, item.incident.number)

    @admin.display(description="by", ordering="due_on")
    def due(self, item: FollowUp) -> str:
        return render_to_string("admin/operations/incident/due_on.html", {"item": item, "today": timezone.now().date()})

    @admin.display(description="done")
    def finish(self, item: FollowUp) -> str:
        """The list stands in a form of its own, so that this is a button with another address, not a form in a form."""
        if item.done_at is not None:
            return f"{item.done_by}, {item.done_at:%d %b %Y}"
        if not item.may_finish:  # type: ignore[attr-defined]
            return "-"
        address = reverse("admin:operations_followup_done", args=[item.pk])
        return format_html(
            '<button type="submit" class="button" formaction="{}" name="back" value="list">'
            'Done<span class="visually-hidden">: {}</span></button>',
            address,
            item.text,
        )
