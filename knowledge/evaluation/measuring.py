"""Ask every question as a person's would be asked, and note where the right answers stand.

One search gives both halves of what was found, so the program's order and each half alone are compared on
the same passages. Places count documents: the best passage of a document stands for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from knowledge import retrieval
from knowledge.evaluation.catalogue import CONDENSED, DENSE, FUSED, NEAR, SYSTEMS, TEXT
from knowledge.evaluation.datasets import Dataset, Question
from knowledge.evaluation.metrics import MEASURES, Interval, first_place, interval, ndcg
from knowledge.ranking import Candidate
from knowledge.retrieval import Filters, Query

Say = Callable[[str], None]
Scores = dict[str, dict[str, float]]
_EVERY = 10.0


@dataclass(frozen=True)
class Asked:
    """How one question did: its figures by system, and the place of its first right document in the program's order."""

    dataset: str
    key: str
    text: str
    scores: Scores
    place: int | None


@dataclass(frozen=True)
class Figure:
    dataset: str
    system: str
    metric: str
    interval: Interval


@dataclass(frozen=True)
class Found:
    """The documents in the order of one system, and the cosine of the first passage."""

    order: list[str]
    nearest: float


def ask_all(dataset: Dataset, documents: Mapping[str, UUID], *, say: Say) -> list[Asked]:
    """Every question of a set over the connected database; `documents` are those of its corpus."""
    keys = {pk: key for key, pk in documents.items()}
    said, asked = time.monotonic(), []
    for question in dataset.questions:
        asked.append(_ask(dataset, question, documents, keys))
        if time.monotonic() - said > _EVERY:
            said = time.monotonic()
            say(f"{dataset.about.title}: {len(asked):,} of {len(dataset.questions):,} questions asked")
    return asked


def figures(asked: Sequence[Asked]) -> list[Figure]:
    """The mean of every figure with its interval."""
    metrics = {(each.dataset, system, metric) for each in asked for system in each.scores for metric in each.scores[system]}
    return [
        Figure(*name, interval([each.scores[name[1]][name[2]] for each in asked if each.dataset == name[0]]))
        for name in sorted(metrics)
    ]


def _ask(dataset: Dataset, question: Question, documents: Mapping[str, UUID], keys: Mapping[UUID, str]) -> Asked:
    query = retrieval.prepare(question.text, language=dataset.language)
    found = systems(query, _filters(dataset, documents, question.among), keys)
    condensed: dict[str, Found] = {}
    if CONDENSED in dataset.about.figures:
        condensed = systems(query, _filters(dataset, documents, tuple(question.judged.gains)), keys)
    scores = {
        system: {metric: _score(metric, question, found[system], condensed.get(system)) for metric in dataset.about.figures}
        for system in SYSTEMS
    }
    return Asked(
        dataset.about.name, question.key, question.text, scores, first_place(found[FUSED].order, question.judged.relevant)
    )


def _score(metric: str, question: Question, found: Found, condensed: Found | None) -> float:
    if metric in NEAR:
        return float(found.nearest >= NEAR[metric])
    if metric == CONDENSED:
        return ndcg(condensed.order if condensed else [], question.judged)
    return MEASURES[metric](found.order, question.judged)


def _filters(dataset: Dataset, documents: Mapping[str, UUID], among: Iterable[str] | None) -> Filters:
    within = tuple(documents[key] for key in among if key in documents) if among is not None else None
    return Filters(language=dataset.language, audience=dataset.corpus, within=within)


def systems(query: Query, filters: Filters, keys: Mapping[UUID, str]) -> dict[str, Found]:
    """What each system finds, by one search."""
    candidates = retrieval.found(query, filters=filters)
    by_words = [each for each in candidates if each.text > 0]
    orders = {
        FUSED: [each.candidate for each in retrieval.ranked(query, candidates)],
        DENSE: sorted(candidates, key=lambda each: (-_cosine(each), str(each.chunk))),
        TEXT: sorted(by_words, key=lambda each: (-each.text, str(each.chunk))),
    }
    return {system: _found(order, keys) for system, order in orders.items()}


def _found(order: Sequence[Candidate], keys: Mapping[UUID, str]) -> Found:
    documents = dict.fromkeys(keys[each.document] for each in order if each.document in keys)
    return Found(list(documents), _cosine(order[0]) if order else 0.0)


def _cosine(candidate: Candidate) -> float:
    """As the program takes it (`knowledge.ranking`): the mean over the forms of the question."""
    return sum(candidate.cosines) / len(candidate.cosines)
