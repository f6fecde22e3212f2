"""Work with the model that a page or the API asks for and a worker does: the web process never loads the model.

The row is the queue. A worker that dies leaves its trial running; it is handed out again after a minute,
and failed with a sentence after three tries. What was asked may hold a patient's words: it is sealed in
the row, and a fault names the class of the error and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, InterfaceError
from django.db.models import F, Q
from django.utils import timezone

from knowledge import embeddings, golden, retrieval
from knowledge.models import Document, Trial
from knowledge.passages import Passage
from knowledge.retrieval import Filters

log = structlog.get_logger(__name__)
Status = Trial.Status
Result = dict[str, Any]
Work = Callable[[Trial], Result]

# Without a sign of life for so long, its worker is dead.
STALLED_AFTER = timedelta(minutes=1)
MOST_ATTEMPTS = 3
KEPT_FOR = timedelta(days=7)
PASSAGES, MOST_PASSAGES = 12, 20
_BATCH = 100
_OPEN = (Status.WAITING, Status.RUNNING)
STOPPED = (
    "It stopped three times without an answer. Nothing else was changed. Look at the workers on the home page, then try again."
)


def ask_for(kind: str, asked: dict[str, Any], *, by: AbstractBaseUser, now: datetime, document: Document | None = None) -> Trial:
    """Put it in the queue; nothing waits here. `document` takes part although it is not published."""
    trial = Trial.objects.create(kind=kind, asked=asked, requested_by_id=by.pk, document=document)
    # The field writes the moment of saving, whatever it is told.
    Trial.objects.filter(pk=trial.pk).update(created_at=now)
    trial.created_at = now
    return trial


def waiting(*, now: datetime) -> list[UUID]:
    """Keys to hand to a worker, the longest wait first. Those whose tries are used up are failed on the way.

    The golden questions keep a process busy for seconds, so one run of them at a time: the others answer people.
    """
    rows = Trial.objects.filter(status__in=_OPEN).order_by("created_at", "id")
    due: list[UUID] = []
    used_up: list[UUID] = []
    golden_runs = False
    for key, kind, status, attempts, started in rows.values_list("id", "kind", "status", "attempts", "started_at")[:_BATCH]:
        at_work = status == Status.RUNNING and started is not None and started > now - STALLED_AFTER
        if not at_work and attempts >= MOST_ATTEMPTS:
            used_up.append(key)
        elif kind == Trial.Kind.GOLDEN:
            due += [] if at_work or golden_runs else [key]
            golden_runs = True
        elif not at_work:
            due.append(key)
    if used_up:
        Trial.objects.filter(_free(now), pk__in=used_up).update(status=Status.FAILED, reason=STOPPED, finished_at=now)
    return due


def _free(now: datetime) -> Q:
    return Q(status=Status.WAITING) | Q(status=Status.RUNNING, started_at__lte=now - STALLED_AFTER)


def claim(key: UUID, *, now: datetime) -> Trial | None:
    """The trial for this caller alone, or None. The try is counted before any work, so that a crash counts too."""
    free = Trial.objects.filter(_free(now), pk=key, attempts__lt=MOST_ATTEMPTS)
    if not free.update(status=Status.RUNNING, attempts=F("attempts") + 1, started_at=now):
        return None
    # What was asked stays sealed: a lost key is a fault of the run and must be recorded like one.
    return Trial.objects.defer("asked", "result").get(pk=key)


def run(trial: Trial, *, now: datetime) -> None:
    """Do what a search or a run of the golden questions asks for, and write the result."""
    work = {Trial.Kind.SEARCH.value: _search, Trial.Kind.GOLDEN.value: _golden}[trial.kind]
    perform(trial, work, now=now)


def perform(trial: Trial, work: Work, *, now: datetime) -> None:
    """Do `work` and write its result, or why there is none. A database that is away is no fault of the trial."""
    started = time.monotonic()
    try:
        result = work(trial)
    except (DatabaseError, InterfaceError):
        raise
    except embeddings.ModelNotFound as error:
        _close(trial, Status.FAILED, now=_later(now, started), reason=str(error)[:300])
    except Exception as error:
        log.exception("a trial failed", trial=str(trial.pk), kind=trial.kind)
        reason = (
            f"It could not be done ({type(error).__name__}). Nothing else was changed. Try again, or tell whoever runs Jeevo."
        )
        _close(trial, Status.FAILED, now=_later(now, started), reason=reason)
    else:
        _close(trial, Status.DONE, now=_later(now, started), result=result)


def _later(now: datetime, started: float) -> datetime:
    return now + timedelta(seconds=time.monotonic() - started)


def _close(trial: Trial, status: str, *, now: datetime, **values: Any) -> None:
    """Only by the worker that has it: one that comes back from the dead changes nothing."""
    _mine(trial).update(status=status, finished_at=now, **values)


def _mine(trial: Trial) -> Any:
    return Trial.objects.filter(pk=trial.pk, status=Status.RUNNING, attempts=trial.attempts)


def report(trial: Trial, part: Result, *, now: datetime) -> None:
    """What is there so far, and a sign of life."""
    _mine(trial).update(result=part, started_at=now)


def _search(trial: Trial) -> Result:
    asked = trial.asked
    started = time.monotonic()
    query = retrieval.prepare(asked["question"], language=asked.get("language") or "en")
    embedded = time.monotonic()
    found = retrieval.search(query, filters=filters(asked, trial.document_id), limit=_limit(asked.get("limit")))
    done = time.monotonic()
    return {
        "question": asked["question"],
        "searched": query.text,
        "took": {"embed": _milliseconds(started, embedded), "search": _milliseconds(embedded, done)},
        "passages": [passage_json(each) for each in found],
    }


def filters(asked: dict[str, Any], document: UUID | None) -> Filters:
    """An empty language or audience means every one; a language that is not named means English, as in the chat."""
    return Filters(language=asked.get("language", "en") or None, audience=asked.get("audience") or None, under_review=document)


def _limit(wanted: Any) -> int:
    return max(1, min(int(wanted or PASSAGES), MOST_PASSAGES))


def _milliseconds(since: float, until: float) -> float:
    return round(1000 * (until - since), 1)


def passage_json(passage: Passage) -> Result:
    return {
        "chunk": str(passage.chunk),
        "document": str(passage.document),
        "title": passage.title,
        "heading": passage.heading,
        "page": passage.page,
        "publisher": passage.publisher,
        "url": passage.url,
        "text": passage.text,
        "score": round(passage.score, 4),
        "parts": [[name, round(figure, 4)] for name, figure in passage.parts],
        "unreviewed": passage.unreviewed,
    }


def _golden(trial: Trial) -> Result:
    def progress(part: Result) -> None:
        report(trial, part, now=timezone.now())

    return golden.run(document=trial.document_id, progress=progress, now=timezone.now())


def forget_old(*, now: datetime) -> int:
    """Trials are scratch paper: after a week they go, words and all."""
    deleted, _ = Trial.objects.filter(created_at__lt=now - KEPT_FOR).delete()
    return deleted
