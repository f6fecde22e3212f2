"""What several pages of knowledge share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.timesince import timesince


def ago(at: Any) -> str:
    return render_to_string("admin/ago.html", {"at": at, "short": timesince(at, depth=1) if at else ""})


def actor(request: HttpRequest) -> Any:
    return request.user


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    show_facets = admin.ShowFacets.ALWAYS
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
