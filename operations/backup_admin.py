"""Backups in the console: the list under the answer that matters, one page for each, and nothing that deletes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from conversations.readonly import ReadOnly, ago
from operations import backup_pages
from operations.models import Backup


@admin.register(Backup)
class BackupAdmin(ReadOnly):
    change_list_template = "admin/operations/backup/change_list.html"
    list_display = ("what", "begun", "state", "size", "verified", "builds_on")
    list_display_links = None
    list_filter = ("status", "kind")
    list_select_related = ("parent",)
    date_hierarchy = "requested_at"
    ordering = ("-requested_at",)
    empty_state = "There is no backup yet. The first one is made five minutes after the start, or now, with a button above."

    class Media:
        css = {"all": ("jeevo/backups.css",)}

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[Callable[..., HttpResponse], str]] = {
            "now/": (backup_pages.now_part, "now"),
            "take/": (backup_pages.take, "take"),
            "<uuid:key>/change/": (backup_pages.show, "change"),
            "<uuid:key>/cancel/": (backup_pages.cancel, "cancel"),
        }
        wrap = self.admin_site.admin_view
        own = [path(place, wrap(view), name=f"operations_backup_{name}") for place, (view, name) in views.items()]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**backup_pages.overview(request), **(extra_context or {})})

    @admin.display(description="what", ordering="kind")
    def what(self, backup: Backup) -> str:
        address = reverse("admin:operations_backup_change", args=[backup.pk])
        return format_html('<a href="{}">{}</a>', address, backup.get_kind_display().capitalize())

    @admin.display(description="when", ordering="requested_at")
    def begun(self, backup: Backup) -> str:
        return ago(backup.requested_at)

    @admin.display(ordering="status")
    def state(self, backup: Backup) -> str:
        if backup.status == Backup.Status.FAILED:
            return format_html('<span class="failed">Failed</span> <span class="quiet">{}</span>', backup.reason)
        return backup.get_status_display().capitalize()

    @admin.display(ordering="bytes")
    def size(self, backup: Backup) -> str:
        return filesizeformat(backup.bytes) if backup.bytes else "-"

    @admin.display(description="verified", ordering="verified_at")
    def verified(self, backup: Backup) -> str:
        return ago(backup.verified_at) if backup.verified_at else "-"

    @admin.display(description="builds on")
    def builds_on(self, backup: Backup) -> str:
        if backup.parent is None:
            return "-"
        address = reverse("admin:operations_backup_change", args=[backup.parent_id])
        return format_html('<a href="{}">{}</a>', address, f"{backup.parent.requested_at:%d %b, %H:%M}")
