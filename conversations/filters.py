"""The filters of the console's lists, in the words of the staff."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from conversations.models import Handover
from conversations.rulebook import Level


class OptedOutFilter(admin.SimpleListFilter):
    title = "STOP"
    parameter_name = "stopped"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Wants answers"), ("yes", "Wrote STOP")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(opted_out_at__isnull=self.value() == "no") if self.value() else queryset


class PersonFilter(admin.SimpleListFilter):
    title = "handover"
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        open_now = Handover.objects.filter(closed_at__isnull=True)
        return queryset.filter(pk__in=open_now.values("contact")) if self.value() == "open" else queryset


class WaitingFilter(admin.SimpleListFilter):
    title = "waiting"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "For an answer")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        waiting = Q(status="received") | Q(status__in=["waiting", "processing"])
        return queryset.filter(waiting) if self.value() == "yes" else queryset


class TriageFilter(admin.SimpleListFilter):
    title = "triage"
    parameter_name = "triage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(level.value, level.value.replace("_", "-")) for level in sorted(Level, key=lambda each: -each.severity)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(triage_level=self.value()) if self.value() else queryset
