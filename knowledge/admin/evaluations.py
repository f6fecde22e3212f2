"""How well passages are found, in the console: the figures over time, and each run beside the one before."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from knowledge.admin.parts import ReadOnly, ago
from knowledge.evaluation import history, runs
from knowledge.evaluation.catalogue import SETS
from knowledge.models import EvaluationRun

# Of each: more would be a list nobody reads to the end.
_SHOWN = 50
KINDS = {"retrieval": "public questions", "golden": "golden questions"}


class KindFilter(admin.SimpleListFilter):
    title = "questions"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[EvaluationRun]) -> QuerySet[EvaluationRun]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(EvaluationRun)
class EvaluationRunAdmin(ReadOnly):
    list_display = ("measured", "what", "main_figure", "model", "note")
    list_filter = (KindFilter, "data", "model")
    change_list_template = "admin/knowledge/evaluationrun/change_list.html"
    empty_state = "Nothing was measured yet. The first run is made at the terminal: manage.py evaluate_retrieval --data FOLDER"

    def get_queryset(self, request: HttpRequest) -> QuerySet[EvaluationRun]:
        """What else is measured has pages of its own."""
        found: QuerySet[EvaluationRun] = super().get_queryset(request)
        return found.filter(kind__in=KINDS)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {"plots": history.plots(request.GET.get("data")), **(extra_context or {})}
        return super().changelist_view(request, context)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = get_object_or_404(EvaluationRun, pk=object_id, kind__in=KINDS)
        found, before = history.figures(run), runs.before(run)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{_kind(run)}, {run.created_at:%-d %b %Y, %H:%M}",
            "run": run,
            "passages": f"{run.passages:,}",
            "rows": history.table(found),
            "compared": history.beside_each_other(found),
            **_changes(run, before),
        }
        return TemplateResponse(request, "admin/knowledge/evaluationrun/run.html", context)

    @admin.display(description="when", ordering="created_at")
    def measured(self, run: EvaluationRun) -> str:
        return ago(run.created_at)

    @admin.display(description="questions", ordering="data")
    def what(self, run: EvaluationRun) -> str:
        return _kind(run) + (f" ({run.data})" if run.kind == runs.KIND else "")

    @admin.display(description="main figure")
    def main_figure(self, run: EvaluationRun) -> str:
        rows = history.table(history.figures(run))
        return f"{rows[0].about.title}: {rows[0].metric} {rows[0].fused.value:.2f}" if rows else "none"

    @admin.display(description="what was tried")
    def note(self, run: EvaluationRun) -> str:
        return str(run.settings.get("note") or "")


def _kind(run: EvaluationRun) -> str:
    return KINDS.get(run.kind, run.kind).capitalize()


def _changes(run: EvaluationRun, before: EvaluationRun | None) -> dict[str, Any]:
    """Questions that got worse or better since the run before on the same data."""
    if before is None:
        return {"before": None}
    found = runs.compare(runs.kept_marks(run), before)
    return {
        "before": before,
        "changes": [(SETS[name], change) for name, change in found.changes.items() if name in SETS],
        "moved": [
            ("worse", "Got worse", len(found.worse), [(SETS[each.dataset], each) for each in found.worse[:_SHOWN]]),
            ("better", "Got better", len(found.better), [(SETS[each.dataset], each) for each in found.better[:_SHOWN]]),
        ],
    }
