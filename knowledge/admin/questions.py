"""Questions in the console: those nothing answered."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from knowledge.admin.parts import ReadOnly, ago
from knowledge.models import UnansweredQuestion


class ResolvedFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "resolved"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Waits for a clinician"), ("yes", "Dealt with")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(resolved_at__isnull=self.value() == "no") if self.value() else queryset


@admin.register(UnansweredQuestion)
class UnansweredQuestionAdmin(ReadOnly):
    list_display = ("asked", "language", "nearest_document", "closeness", "state")
    list_filter = (ResolvedFilter, "language")
    list_select_related = ("nearest",)
    date_hierarchy = "created_at"
    actions = ("resolve",)
    empty_state = "Every question so far found a source. What finds none comes here, for a clinician to answer."
    fields = ("text", "language", "nearest_document", "closeness", "created_at", "resolved_at")

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("knowledge.change_unansweredquestion")

    @admin.action(description="Mark as dealt with", permissions=["resolve"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[UnansweredQuestion]) -> None:
        count = queryset.filter(resolved_at__isnull=True).update(resolved_at=timezone.now())
        self.message_user(
            request,
            f"{count} {'question' if count == 1 else 'questions'} marked as dealt with.",
            messages.SUCCESS,
        )

    @admin.display(ordering="created_at")
    def asked(self, question: UnansweredQuestion) -> str:
        return ago(question.created_at)

    @admin.display(description="nearest document")
    def nearest_document(self, question: UnansweredQuestion) -> str:
        if question.nearest is None:
            return "nothing near"
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:knowledge_document_change", args=[question.nearest.pk]),
            question.nearest.title,
        )

    @admin.display(description="how close, 0 to 1", ordering="score")
    def closeness(self, question: UnansweredQuestion) -> str:
        return f"{question.score:.2f}"

    @admin.display(ordering="resolved_at")
    def state(self, question: UnansweredQuestion) -> str:
        return "Dealt with" if question.resolved_at else "Waits for a clinician"
