"""Restores in the console: what was asked for, by whom and why, and how it ended."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from conversations.readonly import ReadOnly, ago
from operations import restore_pages
from operations.models import Restore


@admin.register(Restore)
class RestoreAdmin(ReadOnly):
    change_list_template = "admin/operations/restore/change_list.html"
    list_display = ("what", "asked", "state", "reason", "people")
    list_display_links = None
    list_filter = ("scope", "status")
    list_select_related = ("requested_by", "approved_by", "backup")
    date_hierarchy = "requested_at"
    ordering = ("-requested_at",)
    empty_state = "Nothing has been restored yet. The button above asks for it; nothing changes before a second person agrees."

    class Media:
        css = {"all": ("jeevo/backups.css",)}

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[Callable[..., HttpResponse], str]] = {
            "add/": (restore_pages.add, "add"),
            "<uuid:key>/change/": (restore_pages.show, "change"),
            "<uuid:key>/approve/": (restore_pages.approve, "approve"),
            "<uuid:key>/confirm/": (restore_pages.confirm, "confirm"),
            "<uuid:key>/undo/": (restore_pages.undo, "undo"),
            "<uuid:key>/cancel/": (restore_pages.cancel, "cancel"),
        }
        wrap = self.admin_site.admin_view
        own = [path(place, wrap(view), name=f"operations_restore_{name}") for place, (view, name) in views.items()]
        return [*own, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest, obj: Restore | None = None) -> bool:
        return request.user.has_perm(restore_pages.ADD)

    @admin.display(description="to", ordering="instant")
    def what(self, restore: Restore) -> str:
        address = reverse("admin:operations_restore_change", args=[restore.pk])
        to = f"{restore.instant:%Y-%m-%d %H:%M:%S}" if restore.instant else str(restore.backup)
        alone = format_html(' <span class="quiet">{}</span>', "the knowledge base alone") if restore.is_of_knowledge else ""
        return format_html('<a href="{}">{}</a>{}', address, to, alone)

    @admin.display(description="asked for", ordering="requested_at")
    def asked(self, restore: Restore) -> str:
        return ago(restore.requested_at)

    @admin.display(ordering="status")
    def state(self, restore: Restore) -> str:
        said = restore.get_status_display().capitalize()
        if restore.status == Restore.Status.FAILED:
            return format_html('<span class="failed">{}</span> <span class="quiet">{}</span>', said, restore.problem)
        return said

    @admin.display(description="by")
    def people(self, restore: Restore) -> str:
        names = [each.get_username() for each in (restore.requested_by, restore.approved_by) if each is not None]
        return ", ".join(dict.fromkeys(names))
