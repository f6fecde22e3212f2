"""Erasing a person in the console: a page below that of the person, and the list of what was erased when and why."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path

from conversations.admin import ContactAdmin
from conversations.models import Contact
from conversations.readonly import ReadOnly, ago
from operations import erasure_pages
from operations.models import Erasure

admin.site.unregister(Contact)


@admin.register(Contact)
class ErasableContactAdmin(ContactAdmin):
    """That of conversations, which knows nothing of records and second factors, with one page more."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(erasure_pages.erase)
        return [path("<uuid:key>/erase/", view, name="conversations_contact_erase"), *super().get_urls()]


@admin.register(Erasure)
class ErasureAdmin(ReadOnly):
    list_display = ("__str__", "when", "by", "reason")
    list_select_related = ("by",)
    date_hierarchy = "at"
    fields = ("number", "at", "by", "reason", "went")
    empty_state = "Nobody was erased yet. The page of a person has a link for it, and manage.py erase_contact does the same."

    @admin.display(ordering="at")
    def when(self, erasure: Erasure) -> str:
        return ago(erasure.at)

    @admin.display(description="what went")
    def went(self, erasure: Erasure) -> str:
        return ", ".join(erasure_pages.counted(erasure.counts)) or "not noted"

    def has_view_permission(self, request: HttpRequest, obj: Erasure | None = None) -> bool:
        return request.user.has_perm("operations.view_erasure")
