"""Runs of the evaluation: measured, kept as rows, and compared with the run before on the same data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from knowledge import embeddings
from knowledge.evaluation import library, measuring, scratch
from knowledge.evaluation.catalogue import SETS
from knowledge.evaluation.datasets import Folder, fingerprint
from knowledge.evaluation.measuring import Asked, Figure
from knowledge.evaluation.metrics import Interval, difference
from knowledge.models import EmbeddingIndex, EvaluationFigure, EvaluationQuestion, EvaluationRun

Say = Callable[[str], None]
KIND = "retrieval"


@dataclass(frozen=True)
class Evaluation:
    """What one run measured, before anything of it is kept."""

    data: str
    data_hash: str
    model: str
    asked: tuple[Asked, ...]
    figures: tuple[Figure, ...]
    left_out: tuple[str, ...]
    documents: int
    passages: int
    loading_seconds: float
    seconds: float
    scratch: str
    note: str = ""


@dataclass(frozen=True)
class Mark:
    """How one question did, in a run that was kept or in one that has just been measured."""

    text: str
    score: float
    place: int | None


@dataclass(frozen=True)
class Move:
    """A question that did better or worse than before."""

    dataset: str
    key: str
    before: Mark
    after: Mark

    @property
    def by(self) -> float:
        return self.after.score - self.before.score


@dataclass(frozen=True)
class Comparison:
    """This run beside the one before: the change of each set's main figure, and the questions behind it."""

    before: EvaluationRun
    changes: Mapping[str, Interval]
    worse: Sequence[Move] = field(default_factory=tuple)
    better: Sequence[Move] = field(default_factory=tuple)


Marks = dict[tuple[str, str], Mark]


def measure(folder: Folder, *, model: str | None = None, fresh: bool = False, note: str = "", say: Say) -> Evaluation:
    """Load the folder's answers into the scratch database and ask its questions there. The main database is only read."""
    model, started = model or model_in_use(), time.monotonic()
    name = scratch.name_for(corpus=fingerprint(folder.answers), model=model)
    if fresh and not scratch.drop(name):
        raise scratch.NotPossible("The scratch database is in use, so it cannot be made anew. Wait for the other evaluation.")
    scratch.make(name)
    scratch.drop_outdated(name)
    asked: list[Asked] = []
    with scratch.connected(name):
        passages = library.fill(folder.answers, model=model, say=say)
        loaded = time.monotonic()
        for dataset in folder.datasets:
            say(f"{dataset.about.title}: {len(dataset.questions):,} questions")
            asked += measuring.ask_all(dataset, library.documents(dataset.corpus), say=say)
    return Evaluation(
        data=folder.name,
        data_hash=folder.hash,
        model=model,
        asked=tuple(asked),
        figures=tuple(measuring.figures(asked)),
        left_out=folder.left_out,
        documents=len(folder.answers),
        passages=passages,
        loading_seconds=round(loaded - started, 1),
        seconds=round(time.monotonic() - started, 1),
        scratch=name,
        note=note,
    )


def model_in_use() -> str:
    """The model of the index that answers, without making one where none is there yet."""
    found = EmbeddingIndex.objects.filter(status=EmbeddingIndex.Status.ACTIVE).first()
    return found.model if found else embeddings.model_name()


@transaction.atomic
def keep(evaluation: Evaluation, *, kind: str = KIND) -> EvaluationRun:
    """Store the run. Questions without a known answer are figures only: none of them can get worse."""
    run = EvaluationRun.objects.create(
        kind=kind,
        data=evaluation.data,
        data_hash=evaluation.data_hash,
        model=evaluation.model,
        version=scratch.program_version(),
        settings={
            "note": evaluation.note,
            "left_out": list(evaluation.left_out),
            "documents": evaluation.documents,
            "loading_seconds": evaluation.loading_seconds,
            "starter": settings.ENVIRONMENT.serve_starter_content,
        },
        passages=evaluation.passages,
        seconds=evaluation.seconds,
    )
    EvaluationFigure.objects.bulk_create(
        EvaluationFigure(run=run, dataset=each.dataset, system=each.system, metric=each.metric, **_bounds(each.interval))
        for each in evaluation.figures
    )
    marks = marks_of(evaluation.asked)
    EvaluationQuestion.objects.bulk_create(
        (
            EvaluationQuestion(run=run, dataset=dataset, key=key, text=mark.text, score=mark.score, rank=mark.place)
            for (dataset, key), mark in marks.items()
        ),
        batch_size=1_000,
    )
    return run


def _bounds(interval: Interval) -> dict[str, float | int]:
    return {"value": interval.value, "low": interval.low, "high": interval.high, "count": interval.count}


def marks_of(asked: Sequence[Asked]) -> Marks:
    """The main figure of the program's own order for every question that has a known answer."""
    return {
        (each.dataset, each.key[:200]): Mark(each.text, each.scores["fused"][SETS[each.dataset].main], each.place)
        for each in asked
        if SETS[each.dataset].has_truth
    }


def kept_marks(run: EvaluationRun) -> Marks:
    return {(each.dataset, each.key): Mark(each.text, each.score, each.rank) for each in run.questions.all()}


def before(run: EvaluationRun) -> EvaluationRun | None:
    """The last run of the same kind on the same data."""
    same = EvaluationRun.objects.filter(kind=run.kind, data=run.data, data_hash=run.data_hash)
    return same.filter(created_at__lt=run.created_at).first()


def latest(data_hash: str, *, kind: str = KIND) -> EvaluationRun | None:
    return EvaluationRun.objects.filter(kind=kind, data_hash=data_hash).first()


def compare(now: Marks, run: EvaluationRun) -> Comparison:
    """What changed since this earlier run, over the questions that both asked."""
    earlier = kept_marks(run)
    shared = [name for name in now if name in earlier]
    changes = {
        dataset: difference(
            [now[name].score for name in shared if name[0] == dataset],
            [earlier[name].score for name in shared if name[0] == dataset],
        )
        for dataset in dict.fromkeys(name[0] for name in shared)
    }
    moves = [Move(*name, before=earlier[name], after=now[name]) for name in shared if now[name].score != earlier[name].score]
    moves.sort(key=lambda each: (-abs(each.by), each.dataset, each.key))
    return Comparison(
        before=run,
        changes=changes,
        worse=tuple(each for each in moves if each.by < 0),
        better=tuple(each for each in moves if each.by > 0),
    )
