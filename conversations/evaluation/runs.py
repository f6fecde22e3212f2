"""Evaluations of what Jeevo says, kept as rows beside those of retrieval, and compared with the run before.

Figures and marks are rows of `knowledge.models`; goals, tables and what was said for a wrong line stand in the
run's settings. A figure of one language has that language as its `system`, all others have "all".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from conversations.evaluation.measured import Evaluation, Figure, Mark, Table
from knowledge.evaluation.scratch import program_version
from knowledge.models import EvaluationFigure, EvaluationQuestion, EvaluationRun

KINDS = {"safety": "How safe", "answers": "How well it answers"}
ALL = "all"
_CONVERSATIONS = Path(__file__).resolve().parent.parent
Key = tuple[str, str]
FigureKey = tuple[str, str, str]


@dataclass(frozen=True)
class Kept:
    """A line of an earlier or a new run, as far as a comparison needs it."""

    dataset: str
    key: str
    text: str
    score: float
    wanted: str = ""  # empty for a line of an earlier run that was right
    said: str = ""


@dataclass(frozen=True)
class Change:
    """A figure that differs between two runs."""

    before: Figure
    after: Figure

    @property
    def by(self) -> float:
        return self.after.value - self.before.value

    @property
    def worse(self) -> bool:
        return self.by > 0 if self.after.at_most else self.by < 0


@dataclass(frozen=True)
class Move:
    """A line that did better or worse than before."""

    before: Kept
    after: Kept

    @property
    def by(self) -> float:
        return self.after.score - self.before.score


@dataclass(frozen=True)
class Comparison:
    before: EvaluationRun
    changes: tuple[Change, ...]
    worse: tuple[Move, ...]
    better: tuple[Move, ...]


def version() -> str:
    """A hash of everything that has a part in an answer: the rules and code here, and the code that finds passages."""
    files = sorted([*_CONVERSATIONS.glob("*.py"), *_CONVERSATIONS.glob("rules/*.toml")])
    own = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
    return f"{own[:12]} {program_version()}"


@transaction.atomic
def keep(evaluation: Evaluation) -> EvaluationRun:
    """Store the run with its figures, tables and marks."""
    run = EvaluationRun.objects.create(
        kind=evaluation.kind,
        data=evaluation.data,
        data_hash=evaluation.data_hash,
        model=evaluation.model,
        version=version(),
        settings={
            "note": evaluation.note,
            "left_out": list(evaluation.left_out),
            "goals": [[each.dataset, each.metric, each.goal, each.at_most] for each in evaluation.figures if not each.language],
            # As pairs: PostgreSQL keeps no order of names.
            "tables": [
                [name, [[row, list(cells.items())] for row, cells in table.items()]] for name, table in evaluation.tables.items()
            ],
            "wrong": _wrong(evaluation.marks),
        },
        seconds=evaluation.seconds,
    )
    EvaluationFigure.objects.bulk_create(
        EvaluationFigure(
            run=run,
            dataset=each.dataset,
            system=each.language or ALL,
            metric=each.metric,
            value=each.value,
            low=each.low,
            high=each.high,
            count=each.count,
        )
        for each in evaluation.figures
    )
    EvaluationQuestion.objects.bulk_create(
        (
            EvaluationQuestion(run=run, dataset=each.dataset, key=each.key[:200], text=each.text, score=each.score)
            for each in evaluation.marks
        ),
        batch_size=1_000,
    )
    return run


def _wrong(marks: Iterable[Mark]) -> dict[str, dict[str, list[str]]]:
    """What was wanted and said, by dataset and key, for every line that was not right."""
    found: dict[str, dict[str, list[str]]] = {}
    for each in marks:
        if each.score < 1:
            found.setdefault(each.dataset, {})[each.key[:200]] = [each.wanted, each.said]
    return found


def latest(kind: str, *, data_hash: str) -> EvaluationRun | None:
    return EvaluationRun.objects.filter(kind=kind, data_hash=data_hash).first()


def before(run: EvaluationRun) -> EvaluationRun | None:
    """The last run of the same kind on the same data."""
    same = EvaluationRun.objects.filter(kind=run.kind, data_hash=run.data_hash)
    return same.filter(created_at__lt=run.created_at).first()


def figures(run: EvaluationRun) -> list[Figure]:
    """In the order in which they were measured: the order of interest."""
    return _figures(run, {(dataset, metric): (goal, at_most) for dataset, metric, goal, at_most in run.settings.get("goals", [])})


def figures_without_goals(run: EvaluationRun) -> list[Figure]:
    """Without the run's settings, which may be large and need not be read for it."""
    return [each for each in _figures(run, {}) if not each.language]


def _figures(run: EvaluationRun, goals: Mapping[Key, tuple[float | None, bool]]) -> list[Figure]:
    found = []
    for each in EvaluationFigure.objects.filter(run=run).order_by("pk"):
        goal, at_most = goals.get((each.dataset, each.metric), (None, False))
        language = "" if each.system == ALL else each.system
        # A goal holds for all languages together: one language alone is too few lines to judge it by.
        bounds = (each.value, each.low, each.high, each.count)
        found.append(Figure(each.dataset, each.metric, *bounds, None if language else goal, at_most, language))
    return found


def tables(run: EvaluationRun) -> dict[str, Table]:
    """In the order in which they were measured, rows and columns too."""
    return {name: {row: dict(cells) for row, cells in rows} for name, rows in run.settings.get("tables", [])}


def kept_marks(run: EvaluationRun) -> dict[Key, Kept]:
    wrong: Mapping[str, Any] = run.settings.get("wrong", {})
    found = {}
    for each in run.questions.all():
        wanted, said = wrong.get(each.dataset, {}).get(each.key, ("", ""))
        found[each.dataset, each.key] = Kept(each.dataset, each.key, each.text, each.score, wanted, said)
    return found


def fresh_marks(marks: Iterable[Mark]) -> dict[Key, Kept]:
    return {
        (each.dataset, each.key[:200]): Kept(each.dataset, each.key[:200], each.text, each.score, each.wanted, each.said)
        for each in marks
    }


def compare(evaluation: Evaluation, earlier: EvaluationRun) -> Comparison:
    """What changed since this earlier run, over the figures and lines that both have."""
    return _compared(evaluation.figures, fresh_marks(evaluation.marks), earlier)


def compare_kept(run: EvaluationRun, earlier: EvaluationRun) -> Comparison:
    return _compared(figures(run), kept_marks(run), earlier)


def _compared(now: Iterable[Figure], marks: Mapping[Key, Kept], earlier: EvaluationRun) -> Comparison:
    known = {_name(each): each for each in figures(earlier)}
    shared = ((known[_name(each)], each) for each in now if _name(each) in known)
    old = kept_marks(earlier)
    moves = [Move(old[key], mark) for key, mark in marks.items() if key in old and old[key].score != mark.score]
    moves.sort(key=lambda each: (-abs(each.by), each.after.dataset, each.after.key))
    return Comparison(
        before=earlier,
        changes=tuple(Change(one, other) for one, other in shared if one.value != other.value),
        worse=tuple(each for each in moves if each.by < 0),
        better=tuple(each for each in moves if each.by > 0),
    )


def _name(figure: Figure) -> FigureKey:
    return figure.dataset, figure.metric, figure.language
