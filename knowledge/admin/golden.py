"""Golden questions in the console: kept by clinicians, asked again by a button, compared before a document is published."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from knowledge import golden, trials, unanswered
from knowledge.admin.parts import actor
from knowledge.models import Document, EvaluationQuestion, GoldenQuestion, Trial

OPEN = (Trial.Status.WAITING, Trial.Status.RUNNING)


class ExpectationFilter(admin.SimpleListFilter):
    title = "what it expects"
    parameter_name = "expects"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("document", "A document is found"), ("nothing", "Nothing near is found")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(document__isnull=self.value() == "nothing") if self.value() else queryset


@admin.register(GoldenQuestion)
class GoldenQuestionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("question", "expected", "last_result", "language", "active")
    list_filter = ("active", ExpectationFilter, "language")
    list_select_related = ("document",)
    search_fields = ("text", "note", "document__title")
    search_help_text = "Words of the question, its note or the title of its document."
    show_facets = admin.ShowFacets.ALWAYS
    list_per_page = 50
    actions = ("switch_on", "switch_off")
    autocomplete_fields = ("document",)
    fields = ("text", "document", "language", "note", "active")
    empty_state = (
        "No golden question is kept yet. Add questions that people really ask, in their words, each with the document "
        "that should be found; they are asked again before anything is published."
    )
    change_list_template = "admin/knowledge/goldenquestion/change_list.html"
    add_form_template = "admin/knowledge/goldenquestion/add_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[GoldenQuestion]:
        rows: QuerySet[GoldenQuestion] = super().get_queryset(request)
        last = EvaluationQuestion.objects.filter(run=golden.last_run(), key=Cast(OuterRef("pk"), CharField()))
        return rows.annotate(last_score=Subquery(last.values("score")), last_rank=Subquery(last.values("rank")))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Switched off, never deleted: the figures of earlier runs stay explained."""
        return False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "text":
            kwargs |= {"widget": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField short"}), "label": "Question"}
        if db_field.name == "document":
            kwargs["label"] = "Should find"
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: GoldenQuestion, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = actor(request)
        super().save_model(request, obj, form, change)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """`?unanswered=KEY` shows a patient's words beside the empty box: they are reworded, never copied."""
        keys = unanswered.keys_in(request.GET.get("unanswered", ""))
        may = request.user.has_perm("knowledge.view_unansweredquestion")
        asked = unanswered.words(keys[:1]).get(keys[0]) if keys and may else None
        return super().add_view(request, form_url, {"asked": asked, **(extra_context or {})})

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        latest = golden.latest(None)
        own = {
            "latest": latest,
            "said": golden.sentence(latest) if latest else "",
            "last_run": golden.last_run(),
            "may_run": self._may_run(request),
        }
        return super().changelist_view(request, {**own, **(extra_context or {})})

    @admin.display(ordering="text")
    def question(self, question: GoldenQuestion) -> str:
        return question.text

    @admin.display(description="should find", ordering="document__title")
    def expected(self, question: GoldenQuestion) -> str:
        if question.document is None:
            return "nothing near"
        address = reverse("admin:knowledge_document_change", args=[question.document.pk])
        return format_html('<a href="{}">{}</a>', address, question.document.title)

    @admin.display(description="when last asked")
    def last_result(self, question: GoldenQuestion) -> str:
        score, rank = question.last_score, question.last_rank  # type: ignore[attr-defined]
        if score is None:
            return "not asked yet"
        if question.document is None:
            return "right: nothing near" if score else "wrong: something is near"
        return f"{'right' if score else 'wrong'}: {place(rank)}"

    @admin.action(description="Switch on: ask it again", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[GoldenQuestion]) -> None:
        self._switch(request, queryset, active=True)

    @admin.action(description="Switch off: keep it, ask it no more", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[GoldenQuestion]) -> None:
        self._switch(request, queryset, active=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[GoldenQuestion], *, active: bool) -> None:
        count = queryset.update(active=active)
        self.message_user(request, f"{count} switched {'on' if active else 'off'}.", messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("run/", view(self.run), name="knowledge_goldenquestion_run"),
            path("results/<uuid:key>/", view(self.results), name="knowledge_goldenquestion_results"),
            *super().get_urls(),
        ]

    def _may_run(self, request: HttpRequest) -> bool:
        return request.user.has_perm("knowledge.add_goldenquestion")

    def run(self, request: HttpRequest) -> HttpResponse:
        """Ask them all now, with a document that takes part or without; a run that is under way is shown instead."""
        if request.method != "POST" or not self._may_run(request):
            raise PermissionDenied
        keys = unanswered.keys_in(request.POST.get("document", ""))
        document = get_object_or_404(Document, pk=keys[0]) if keys else None
        under_way = Trial.objects.filter(kind=Trial.Kind.GOLDEN, document=document, status__in=OPEN).first()
        trial = under_way or trials.ask_for(Trial.Kind.GOLDEN, {}, by=actor(request), now=timezone.now(), document=document)
        return redirect("admin:knowledge_goldenquestion_results", trial.pk)

    def results(self, request: HttpRequest, key: Any) -> HttpResponse:
        """Every question of one run, those that got worse first. Clinicians' own words: whoever sees the questions sees it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        trial = get_object_or_404(Trial.objects.filter(kind=Trial.Kind.GOLDEN).select_related("document", "requested_by"), pk=key)
        context = {"trial": trial, "open": trial.status in OPEN, "said": golden.sentence(trial), **_compared(trial)}
        if request.GET.get("part") == "result":
            return render(request, "admin/knowledge/goldenquestion/result.html", context)
        shared = {**self.admin_site.each_context(request), "title": "Golden questions", "opts": self.opts}
        own = {"may_run": self._may_run(request)}
        return render(request, "admin/knowledge/goldenquestion/results.html", {**shared, **context, **own})


def _compared(trial: Trial) -> dict[str, Any]:
    found = trial.result or {}
    rows = [_row(each) for each in found.get("questions", [])]
    # Those that got worse, then those that are wrong, then those that got better.
    rows.sort(key=lambda each: (not each["worse"], each["right_after"], not each["better"]))
    return {"found": found, "rows": rows, "compared": trial.document_id is not None}


def _row(row: dict[str, Any]) -> dict[str, Any]:
    told = {"worse": golden.got_worse(row), "better": golden.got_better(row)}
    if row["expected"] is None:
        near = {True: "nothing near", False: "something is near"}
        return {**row, **told, "said_before": near[row["right_before"]], "said_after": near[row["right_after"]]}
    return {**row, **told, "said_before": place(row["before"]), "said_after": place(row["after"])}


def place(number: int | None) -> str:
    """ "1st", "2nd", "not found"."""
    if number is None:
        return "not found"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
