"""How well each topic is covered: what may be cited, what waits, and what people asked in vain.

A question that found nothing counts for the topic of the document that came nearest. Topics are compared
without case. Those with nothing to cite come first, then those most asked about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import Lower, Trim

from knowledge.models import Chunk, Document, EmbeddingIndex, UnansweredQuestion

Status = Document.Status
ASKED_WITHIN = timedelta(days=90)
_WAITING = (Status.UPLOADED, Status.INDEXING, Status.IN_REVIEW)


@dataclass(frozen=True)
class Topic:
    # Without case; "" for documents that name none.
    name: str
    # Documents that may be cited, their passages, and documents that wait for the index or a reviewer.
    citable: int = 0
    passages: int = 0
    waiting: int = 0
    # Questions of the last months that found nothing, and the open ones among them.
    asked: int = 0
    unanswered: int = 0


@dataclass(frozen=True)
class Coverage:
    topics: list[Topic]
    # Questions of the last months that came near no document at all.
    near_nothing: int

    @property
    def uncovered(self) -> int:
        return sum(1 for each in self.topics if not each.citable)


def by_topic(now: datetime) -> Coverage:
    """Every topic that a document names, the least covered first."""
    figures: dict[str, dict[str, int]] = defaultdict(dict)
    for column, rows in (
        ("citable", _documents(Q(pk__in=Document.objects.citable().values("pk")))),
        ("waiting", _documents(Q(status__in=_WAITING) & ~Q(pk__in=Document.objects.citable().values("pk")))),
        ("named", _documents(Q())),
        ("passages", _passages()),
        ("asked", _questions(now, Q())),
        ("unanswered", _questions(now, Q(resolved_at__isnull=True))),
    ):
        for name, number in rows:
            figures[name][column] = number
    topics = [Topic(name, **{key: value for key, value in each.items() if key != "named"}) for name, each in figures.items()]
    near_nothing = UnansweredQuestion.objects.filter(created_at__gte=now - ASKED_WITHIN, nearest__isnull=True).count()
    return Coverage(sorted(topics, key=_need), near_nothing)


def _need(topic: Topic) -> tuple[Any, ...]:
    return (topic.citable > 0, -topic.unanswered, -topic.asked, topic.citable, topic.name)


def _documents(condition: Q) -> Iterable[tuple[str, int]]:
    rows = Document.objects.filter(condition).order_by().annotate(name=Lower(Trim("topic")))
    return rows.values_list("name").annotate(number=Count("pk"))


def _passages() -> Iterable[tuple[str, int]]:
    active = EmbeddingIndex.objects.filter(status=EmbeddingIndex.Status.ACTIVE)
    rows = Chunk.objects.filter(index__in=active, document__in=Document.objects.citable()).order_by()
    return rows.annotate(name=Lower(Trim("document__topic"))).values_list("name").annotate(number=Count("pk"))


def _questions(now: datetime, condition: Q) -> Iterable[tuple[str, int]]:
    rows = UnansweredQuestion.objects.filter(condition, created_at__gte=now - ASKED_WITHIN, nearest__isnull=False).order_by()
    return rows.annotate(name=Lower(Trim("nearest__topic"))).values_list("name").annotate(number=Count("pk"))
