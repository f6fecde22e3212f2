"""Golden questions: asked again before something is published, to see what it changes.

A question with a document wants that document among the first three found. A question without one should
find nothing near: whether Jeevo then declines is decided with its words in the conversations; here the
meaning alone is judged. Nobody is told an answer; only places are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from knowledge import embedding_indexes, retrieval
from knowledge.models import Chunk, Document, EvaluationQuestion, EvaluationRun, GoldenQuestion, Trial
from knowledge.retrieval import Filters

Result = dict[str, Any]
Progress = Callable[[Result], None]

# Places count documents. Jeevo reads so many passages of a question; what is not among them is not found.
PASSAGES = 12
FIRST = 3
# Best cosine under which nothing is near. In tests/knowledge/questions.toml all 28 questions that the starter articles
# do not answer lie under it, and 52 of the 54 that they do answer above.
NOTHING_NEAR = 0.5
_PART = 10


@dataclass(frozen=True)
class Seen:
    """How one question did once."""

    # Of the expected document among the documents found, from 1; None where it is not there or none is expected.
    place: int | None
    nearest: float
    right: bool


def run(*, document: UUID | None, progress: Progress, now: datetime) -> Result:
    """Ask every active question, as things are and with this document taking part; keep the figures where there is none."""
    started = time.monotonic()
    questions = list(GoldenQuestion.objects.filter(active=True).select_related("document"))
    rows: list[Result] = []
    model = embedding_indexes.current_model()
    for question in questions:
        if len(rows) % _PART == 0:
            progress(_result(rows, total=len(questions), document=document, model=model))
        rows.append(_row(question, document))
    result = _result(rows, total=len(questions), document=document, model=model)
    if document is None and rows:
        remember(result, seconds=time.monotonic() - started)
    return result


def _row(question: GoldenQuestion, document: UUID | None) -> Result:
    query = retrieval.prepare(question.text, language=question.language or "en")
    before = _seen(question, query, Filters(language=question.language or None))
    after = _seen(question, query, Filters(language=question.language or None, under_review=document)) if document else before
    return {
        "id": str(question.pk),
        "text": question.text,
        "language": question.language,
        "expected": str(question.document_id) if question.document_id else None,
        "title": question.document.title if question.document else "",
        "before": before.place,
        "after": after.place,
        "right_before": before.right,
        "right_after": after.right,
        "nearest_before": before.nearest,
        "nearest_after": after.nearest,
    }


def _seen(question: GoldenQuestion, query: retrieval.Query, filters: Filters) -> Seen:
    found = retrieval.search(query, filters=filters, limit=PASSAGES)
    nearest = round(max((each.cosine for each in found), default=0.0), 4)
    if question.document_id is None:
        return Seen(None, nearest, nearest < NOTHING_NEAR)
    place = place_of(question.document_id, [each.document for each in found])
    return Seen(place, nearest, place is not None and place <= FIRST)


def place_of(document: UUID, found: Iterable[UUID]) -> int | None:
    """Its place among the documents of the passages found, from 1."""
    documents = list(dict.fromkeys(found))
    return documents.index(document) + 1 if document in documents else None


def _result(rows: Sequence[Result], *, total: int, document: UUID | None, model: str) -> Result:
    return {
        "total": total,
        "done": len(rows),
        "document": str(document) if document else None,
        "model": model,
        "right_before": sum(each["right_before"] for each in rows),
        "right_after": sum(each["right_after"] for each in rows),
        "worse": [each["id"] for each in rows if got_worse(each)],
        "better": [each["id"] for each in rows if got_better(each)],
        "questions": list(rows),
    }


def got_worse(row: Result) -> bool:
    """It was right, and is not any more or comes later than it did."""
    return bool(row["right_before"]) and (not row["right_after"] or _later(row["before"], row["after"]))


def got_better(row: Result) -> bool:
    """It is right, and was not or comes earlier than it did."""
    return bool(row["right_after"]) and (not row["right_before"] or _later(row["after"], row["before"]))


def _later(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and other > one


@transaction.atomic
def remember(result: Result, *, seconds: float = 0.0) -> EvaluationRun:
    """Keep the figures of a whole run, to compare with over time. The questions are the clinicians' own words."""
    run = EvaluationRun.objects.create(
        kind="golden",
        data="golden questions",
        model=result["model"],
        passages=Chunk.objects.filter(index=embedding_indexes.active()).count(),
        seconds=seconds,
        settings={"right": result["right_after"], "total": result["total"], "first": FIRST},
    )
    EvaluationQuestion.objects.bulk_create(
        EvaluationQuestion(
            run=run, dataset="golden", key=each["id"], text=each["text"], score=float(each["right_after"]), rank=each["after"]
        )
        for each in result["questions"]
    )
    return run


def last_run() -> EvaluationRun | None:
    return EvaluationRun.objects.filter(kind="golden").first()


def latest(document: Document | None) -> Trial | None:
    """The newest test of the golden questions with this document, whatever became of it."""
    return Trial.objects.filter(kind=Trial.Kind.GOLDEN, document=document).first()


def sentence(trial: Trial) -> str:
    """What the test says, for the person who is about to publish."""
    result = trial.result or {}
    if trial.status == Trial.Status.FAILED:
        return f"The golden questions could not be tested. {trial.reason}"
    if trial.status != Trial.Status.DONE:
        return f"{result.get('done', 0)} of {result['total']} golden questions asked." if result else "Waiting for a worker."
    if not result["total"]:
        return "No golden question is kept yet, so there is nothing to compare with."
    return _verdict(result, compared=result["document"] is not None)


def _verdict(result: Result, *, compared: bool) -> str:
    total, right = result["total"], result["right_after"]
    said = f"{right} of {total} golden {'question finds' if total == 1 else 'questions find'} what they should."
    if not compared:
        return said
    worse, better = len(result["worse"]), len(result["better"])
    if not worse and not better:
        return f"{said} None of them changes with this document."
    return f"{said} With this document {worse} {_does(worse)} worse and {better} {_does(better)} better."


def _does(number: int) -> str:
    return "does" if number == 1 else "do"
