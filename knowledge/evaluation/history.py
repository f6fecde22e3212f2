"""What the console shows of earlier runs: figures over time, and one run beside the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from knowledge.evaluation import charts, runs
from knowledge.evaluation.catalogue import FUSED, GOALS, SETS, SYSTEMS, Set
from knowledge.evaluation.charts import OverTime, Row, Seen
from knowledge.evaluation.metrics import Interval, interval
from knowledge.models import EvaluationFigure, EvaluationRun

RUNS = 12
# What is plotted: the figures that have a goal, and the main figure of the other sets in English.
PLOTTED = (
    ("liveqa_message", "R@10"),
    ("liveqa_message", "nDCG@10"),
    ("liveqa_summary", "R@10"),
    ("liveqa_summary", "nDCG@10"),
    ("medquad", "R@1"),
    ("medquad", "R@5"),
    ("mediqa_pooled", "nDCG@10"),
    ("xling_liveqa_en", "R@10"),
    ("xling_medicationqa_en", "R@10"),
    ("golden", "R@3"),
)
Figures = dict[tuple[str, str], dict[str, Interval]]


@dataclass(frozen=True)
class FigureRow:
    """One line of a run's table."""

    about: Set
    metric: str
    fused: Interval
    halves: tuple[Interval | None, ...]
    goal: float | None

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.fused.value >= self.goal


def plots(data: str | None = None) -> list[OverTime]:
    """The last runs on this data, or on what was measured last; golden questions are data of their own."""
    kept = EvaluationRun.objects.filter(kind=runs.KIND)
    newest = kept.filter(data=data).first() if data else kept.first()
    over = list(kept.filter(data=newest.data)[:RUNS]) if newest else []
    golden = list(EvaluationRun.objects.filter(kind="golden")[:RUNS])
    return [*_plots(over), *_plots(golden)]


def _plots(over: Sequence[EvaluationRun]) -> list[OverTime]:
    """The newest run comes first."""
    found = {run.pk: figures(run) for run in reversed(over)}
    at = {run.pk: run.created_at for run in over}
    drawn = []
    for name, metric in PLOTTED:
        seen = [Seen(key, at[key], each[name, metric]) for key, each in found.items() if FUSED in each.get((name, metric), {})]
        if seen:
            drawn.append(charts.over_time(SETS[name], metric, seen))
    return drawn


def figures(run: EvaluationRun) -> Figures:
    """By set and measure, then by system. Of golden questions only how each did is kept, so their figure is made here."""
    found: Figures = {}
    for each in EvaluationFigure.objects.filter(run=run):
        known = Interval(each.value, each.low, each.high, each.count)
        found.setdefault((each.dataset, each.metric), {})[each.system] = known
    if run.kind == "golden" and not found:
        scores = list(run.questions.order_by("key").values_list("score", flat=True))
        found = {("golden", SETS["golden"].main): {FUSED: interval(scores)}} if scores else {}
    return found


def table(found: Figures) -> list[FigureRow]:
    """In the order of the catalogue, which is the order of interest."""
    rows = []
    for about in SETS.values():
        for metric in about.figures:
            by_system = found.get((about.name, metric), {})
            if FUSED in by_system:
                goal = GOALS.get((about.name, metric))
                halves = tuple(by_system.get(system) for system in list(SYSTEMS)[1:])
                rows.append(FigureRow(about, metric, by_system[FUSED], halves, goal.value if goal else None))
    return rows


def beside_each_other(found: Mapping[tuple[str, str], dict[str, Interval]]) -> list[Row]:
    """The main figure of every set that has a right answer, the systems on one line."""
    return [
        charts.at_once(about, found[about.name, about.main], about.main)
        for about in SETS.values()
        if about.has_truth and len(found.get((about.name, about.main), {})) > 1
    ]
