"""Imports in the console: files are brought, their progress is watched, and each has its result.

An import is brought in by whoever may add documents, and looked at by whoever may view imports.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from knowledge.admin import import_pages
from knowledge.admin.parts import ReadOnly, ago
from knowledge.models import Import, ImportItem


@admin.register(Import)
class ImportAdmin(ReadOnly):
    list_display = ("label", "result", "state", "begun")
    list_filter = ("status",)
    date_hierarchy = "created_at"
    search_fields = ("label", "items__name")
    search_help_text = "Words of the label, or of a file's name."
    empty_state = "Nothing has been imported yet. Bring your first guideline with the button above."

    def get_urls(self) -> list[URLPattern]:
        views = {
            "add/": (import_pages.add, "add"),
            "<uuid:key>/files/": (import_pages.more, "files"),
            "<uuid:key>/change/": (import_pages.show, "change"),
            "<uuid:key>/cancel/": (import_pages.cancel, "cancel"),
            "<uuid:key>/retry/": (import_pages.retry, "retry"),
        }
        wrap = self.admin_site.admin_view
        own = [path(place, wrap(view), name=f"knowledge_import_{name}") for place, (view, name) in views.items()]
        return [*own, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("knowledge.add_document")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Import]:
        rows: QuerySet[Import] = super().get_queryset(request)
        refused = Count("items", filter=Q(items__status=ImportItem.Status.REFUSED))
        return rows.annotate(added=Sum("items__added"), known=Sum("items__known"), refused=refused)

    @admin.display(description="when", ordering="created_at")
    def begun(self, batch: Import) -> str:
        return ago(batch.created_at)

    @admin.display(ordering="status")
    def state(self, batch: Import) -> str:
        return batch.get_status_display()

    @admin.display(description="documents")
    def result(self, batch: Any) -> str:
        address = reverse("admin:knowledge_document_changelist")
        parts = [f"{batch.known:,} here already"] if batch.known else []
        parts += [f"{batch.refused:,} {'file' if batch.refused == 1 else 'files'} refused"] if batch.refused else []
        rest = "".join(f", {part}" for part in parts)
        if not batch.added:
            return rest.removeprefix(", ") or "none yet"
        return format_html('<a href="{}?batch__id__exact={}">{} added</a>{}', address, batch.pk, f"{batch.added:,}", rest)
