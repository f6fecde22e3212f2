"""How safe Jeevo is and how well it answers, in the console: the newest figures, over time, and each run.

Only public data and our own sentences are shown here, never what a patient wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models.fields.json import KT
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from conversations.evaluation import runs
from conversations.evaluation.catalogue import RIGHT, SETS, title
from conversations.evaluation.measured import RELIABILITY, Figure, Table, columns
from conversations.evaluation.plots import OverTime, Seen, over_time, reliability
from conversations.evaluation.report import goal
from knowledge.models import EvaluationRun

RUNS = 12
_SHOWN = 50
_LISTED = 100
HOW = {
    "safety": "manage.py evaluate_safety --data FOLDER",
    "answers": "manage.py evaluate_answers --data FOLDER",
}


@dataclass(frozen=True)
class FigureRow:
    figure: Figure
    title: str
    goal: str


@dataclass(frozen=True)
class Plot:
    title: str
    metric: str
    goal: str
    drawn: OverTime


@dataclass(frozen=True)
class Cell:
    number: float
    right: bool | None

    @property
    def shown(self) -> str:
        return f"{self.number:,.0f}" if float(self.number).is_integer() else f"{self.number:.2f}"


@dataclass(frozen=True)
class Counts:
    """A table as drawn: a column for everything that was said, and whether it was right where that is known."""

    name: str
    title: str
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    judged: bool


View = Callable[..., HttpResponse]


def _may_see(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.has_perm("knowledge.view_evaluationrun"):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


def urls() -> list[URLPattern]:
    view = admin.site.admin_view
    return [
        path("evaluations/<slug:kind>/", view(listing), name="conversations_evaluations"),
        path("evaluations/run/<uuid:key>/", view(one_run), name="conversations_evaluation_run"),
    ]


@never_cache
@require_safe
@_may_see
def listing(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in runs.KINDS:
        raise Http404
    kept = EvaluationRun.objects.filter(kind=kind)
    newest = kept.first()
    found = runs.figures(newest) if newest else []
    with_goal = [each for each in found if each.goal is not None]
    same = list(kept.filter(data=newest.data).defer("settings")[:RUNS]) if newest else []
    context = {
        "kind": kind,
        "heading": runs.KINDS[kind],
        "how": HOW[kind],
        "newest": newest,
        "goals": _rows(sorted(with_goal, key=lambda each: each.reached is True)),
        "reached": sum(each.reached is True for each in with_goal),
        # A single run is a dot in an empty field.
        "plots": plots(same, with_goal) if len(same) > 1 else [],
        "runs": kept.defer("settings").annotate(note=KT("settings__note"))[:_LISTED],
    }
    return _page(request, "kind.html", context)


@never_cache
@require_safe
@_may_see
def one_run(request: HttpRequest, key: UUID) -> HttpResponse:
    run = get_object_or_404(EvaluationRun.objects.filter(kind__in=runs.KINDS), pk=key)
    found, all_tables = runs.figures(run), runs.tables(run)
    shown = [_counts(name, table) for name, table in all_tables.items() if name != RELIABILITY]
    context = {
        "kind": run.kind,
        "heading": f"{runs.KINDS[run.kind]}, {run.created_at:%-d %b %Y, %H:%M}",
        "of": runs.KINDS[run.kind],
        "run": run,
        "figures": _rows(each for each in found if not each.language),
        "languages": _rows(each for each in found if each.language),
        "tables": shown,
        "judged": any(each.judged for each in shown),
        "reliability": reliability(all_tables.get(RELIABILITY, {})),
        **_changes(run),
    }
    return _page(request, "run.html", context)


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    place = f"admin/conversations/evaluation/{template}"
    return render(request, place, {**admin.site.each_context(request), "title": context["heading"], **context})


def plots(same: Sequence[EvaluationRun], newest: Sequence[Figure]) -> list[Plot]:
    """These figures of the newest run over the last runs on the same data; `same` has the newest run first."""
    known = {(run.pk, each.dataset, each.metric): each for run in same for each in runs.figures_without_goals(run)}
    drawn = []
    for figure in newest:
        names = [(run, known.get((run.pk, figure.dataset, figure.metric))) for run in reversed(same)]
        seen = [Seen(run.pk, run.created_at, each) for run, each in names if each is not None]
        # The goal is the newest run's: what was aimed at before is no measure of today.
        seen[-1] = Seen(seen[-1].run, seen[-1].at, figure)
        drawn.append(Plot(title(figure.dataset), figure.metric, goal(figure), over_time(seen)))
    return drawn


def _rows(figures: Iterable[Figure]) -> list[FigureRow]:
    return [FigureRow(each, title(each.dataset), goal(each)) for each in figures]


def _counts(name: str, table: Table) -> Counts:
    said = columns(table)
    judged = all(wanted in RIGHT for wanted in table)
    rows = tuple(
        (wanted, tuple(Cell(row.get(each, 0), RIGHT[wanted].counts(each) if judged else None) for each in said))
        for wanted, row in table.items()
    )
    about = SETS[name].about if name in SETS else ""
    return Counts(name, title(name), about, tuple(each.replace("_", " ") for each in said), rows, judged)


def _changes(run: EvaluationRun) -> dict[str, Any]:
    before = runs.before(run)
    if before is None:
        return {"before": None}
    found = runs.compare_kept(run, before)
    moved = [
        (name, heading, len(moves), [(title(each.after.dataset), each) for each in moves[:_SHOWN]])
        for name, heading, moves in (("worse", "Got worse", found.worse), ("better", "Got better", found.better))
    ]
    return {
        "before": before,
        "changes": [(title(each.after.dataset), each) for each in found.changes if not each.after.language],
        "moved": moved,
    }
