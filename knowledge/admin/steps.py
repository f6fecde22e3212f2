"""What a person can do with a document next, and in which state it is, in words for the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from knowledge import freshness, golden, review, versions
from knowledge.models import Document, GoldenQuestion, Trial

Status = Document.Status


@dataclass(frozen=True)
class State:
    word: str
    # One of the console's four meanings.
    meaning: str


_STATES = {
    Status.UPLOADED: State("Waits for the index", "unknown"),
    Status.INDEXING: State("Being indexed", "unknown"),
    Status.IN_REVIEW: State("Waits for review", "unknown"),
    Status.PUBLISHED: State("Published", "good"),
    Status.RETIRED: State("Retired", "unknown"),
    Status.INDEX_FAILED: State("Could not be indexed", "breached"),
}


@dataclass(frozen=True)
class Step:
    """A button. `done` completes "2 documents ...". `approves`: whoever presses it says that they have read it."""

    name: str
    label: str
    said: str
    done: str
    take: Callable[..., Any]
    asks_why: bool = False
    approves: bool = False
    first: bool = False


def _retry(document: Document, *, by: User, now: datetime) -> Document:
    return review.retry(document, by=by)


PUBLISH = Step(
    "publish",
    "Publish",
    "You say that you have read what will be cited, below. Your name and the time are kept.",
    "published",
    review.publish,
    approves=True,
    first=True,
)
PUT_BACK = Step(
    "put_back",
    "Put it back into use",
    "Jeevo cites it again, as reviewed by you now.",
    "put back into use",
    review.put_back,
    approves=True,
    first=True,
)
CONFIRM = Step(
    "confirm",
    "Confirm that it is still right",
    "Its time until the next check begins anew.",
    "confirmed",
    review.confirm,
)
RETIRE = Step(
    "retire",
    "Retire",
    "Jeevo stops citing it at once. It can be put back.",
    "retired",
    review.retire,
    asks_why=True,
)
PUT_BACK_OLD = Step(
    "put_back_old",
    "Put back the old version",
    "This version is retired, and the one it replaced is cited again.",
    "retired, and the old version is in use again",
    review.put_back_old,
)
RETRY = Step(
    "retry",
    "Try indexing again",
    "It waits for the index once more, usually for less than a minute.",
    "waiting for the index again",
    _retry,
    first=True,
)
STEPS = {each.name: each for each in (PUBLISH, PUT_BACK, CONFIRM, RETIRE, PUT_BACK_OLD, RETRY)}


def state_of(document: Document, *, now: datetime) -> State:
    if document.status == Status.PUBLISHED and freshness.is_due(document, now=now):
        return State("Published, due for a check", "at_risk")
    return _STATES[Status(document.status)]


def steps_for(document: Document, *, by: User, now: datetime) -> list[Step]:
    """What this person may do with it now, the obvious step first."""
    found = []
    if review.can_be_retried(document) and (by.has_perm(review.ADD) or by.has_perm(review.CHANGE)):
        found.append(RETRY)
    if document.status in (Status.IN_REVIEW, Status.RETIRED) and not review.obstacle(document, by=by):
        found.append(PUT_BACK if document.status == Status.RETIRED else PUBLISH)
    if document.status == Status.PUBLISHED:
        # One that expired needs another date, not a confirmation.
        found += [] if review.has_expired(document, now=now) else [CONFIRM]
        if versions.replaced_by(document):
            found.append(PUT_BACK_OLD)
    if document.status not in (Status.RETIRED, Status.INDEXING):
        found.append(RETIRE)
    return [each for each in found if each is RETRY or by.has_perm(review.PUBLISH)]


def why_not(document: Document, *, by: User) -> str:
    """What keeps a reviewer from publishing what waits for a review."""
    if document.status not in (Status.IN_REVIEW, Status.RETIRED) or not by.has_perm(review.PUBLISH):
        return ""
    return review.obstacle(document, by=by)


def golden_warning(document: Document) -> str:
    """What a person should know of the golden questions before publishing, or nothing. It warns and does not block."""
    if not GoldenQuestion.objects.filter(active=True).exists():
        return ""
    trial = golden.latest(document)
    if trial is None or trial.status != Trial.Status.DONE:
        return "The golden questions were not tested with it."
    if document.indexed_at and trial.created_at < document.indexed_at:
        return "It was indexed again after the golden questions were tested with it."
    worse = len((trial.result or {}).get("worse", []))
    return f"{worse} golden {'question does' if worse == 1 else 'questions do'} worse with it." if worse else ""
