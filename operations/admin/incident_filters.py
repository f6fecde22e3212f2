"""Filters of the list of past incidents. Live ones stand above it, so that no filter can hide them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import TruncMonth
from django.http import HttpRequest

from operations.models import LIVE_STATES, Incident
from operations.response_times import following, start_of


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in Incident.State.choices if value not in LIVE_STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class MonthFilter(admin.SimpleListFilter):
    """The last twelve months in which anything was declared."""

    title = "month"
    parameter_name = "month"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = Incident.objects.order_by().annotate(month=TruncMonth("declared_at", tzinfo=UTC)).values_list("month", flat=True)
        months: list[datetime] = sorted(rows.distinct(), reverse=True)[:12]
        return [(f"{month:%Y-%m}", f"{month:%B %Y}") for month in months]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        first = _month(self.value() or "")
        return queryset.filter(declared_at__gte=start_of(first), declared_at__lt=following(first)) if first else queryset


def _month(typed: str) -> date | None:
    try:
        return date.fromisoformat(f"{typed}-01")
    except ValueError:
        return None
