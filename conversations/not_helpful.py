"""Answers that people marked as not helpful, newest first, each with its question and the passages it stood on.

Patients' words: reading needs `view_contact`, as the transcripts do. The passages are those of the answer's
day, kept with it; the documents may say something else by now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from conversations.desk import may_read
from conversations.models import Answer, Citation, Contact, Feedback, InboundMessage

PER_PAGE = 20
PERIODS = {"7": "the last 7 days", "30": "the last 30 days", "": "any time"}
UNREADABLE = "(these words cannot be read with the keys of this installation)"


@dataclass(frozen=True)
class Found:
    """A passage that was found and not cited."""

    title: str
    heading: str
    score: float


@dataclass(frozen=True)
class Judged:
    at: datetime
    answer: UUID
    contact: Contact
    kind: str
    confidence: float | None
    question: str
    text: str
    citations: list[Citation]
    others: list[Found]


@never_cache
@require_safe
@may_read
def not_helpful(request: HttpRequest) -> HttpResponse:
    chosen = {"kind": _one_of(request, "kind", Answer.Kind.values), "days": _one_of(request, "days", PERIODS)}
    rows = marked(kind=chosen["kind"], days=chosen["days"], now=timezone.now())
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        **admin.site.each_context(request),
        "title": "Not helpful",
        "page": page,
        "judged": [_judged(each) for each in page.object_list],
        "kinds": _kinds(),
        "periods": PERIODS,
        "chosen": chosen,
    }
    return render(request, "desk/not_helpful.html", context)


def _one_of(request: HttpRequest, name: str, values: Any) -> str:
    given = request.GET.get(name, "")
    return given if given in values else ""


def marked(*, kind: str = "", days: str = "", now: datetime) -> QuerySet[Feedback]:
    """The marks, newest first; nothing is unsealed."""
    rows = Feedback.objects.filter(value=Feedback.Value.NOT_HELPFUL).order_by("-created_at", "-id")
    rows = rows.filter(answer__kind=kind) if kind else rows
    rows = rows.filter(created_at__gte=now - timedelta(days=int(days))) if days else rows
    return rows.only("id", "value", "created_at", "answer_id")


def _kinds() -> list[tuple[str, str, int]]:
    """The kinds of answers that were marked, with counts."""
    rows = Feedback.objects.filter(value=Feedback.Value.NOT_HELPFUL).order_by()
    counted = rows.values_list("answer__kind").annotate(number=Count("pk")).order_by("-number", "answer__kind")
    return [(kind, str(Answer.Kind(kind).label), number) for kind, number in counted]


def _judged(mark: Feedback) -> Judged:
    answers = Answer.objects.select_related("contact").defer("text", "removed", "contact__phone", "contact__wa_user_id")
    answer = answers.defer("contact__name").get(pk=mark.answer_id)
    citations = list(answer.citations.all())
    return Judged(
        at=mark.created_at,
        answer=answer.pk,
        contact=answer.contact,
        kind=answer.get_kind_display(),
        confidence=answer.confidence,
        question=_question(answer),
        text=_words(answer, "text"),
        citations=citations,
        others=_others(answer, {str(each.chunk_key) for each in citations}),
    )


def _question(answer: Answer) -> str:
    asked = InboundMessage.objects.filter(answer=answer).defer("text", "payload").order_by("received_at", "id")
    return "\n".join(words for each in asked if (words := _words(each, "text")))


def _words(row: Any, name: str) -> str:
    """A sealed column; one that no key opens must not take the whole page with it."""
    try:
        return getattr(row, name) or ""
    except InvalidToken:
        return UNREADABLE


def _others(answer: Answer, cited: set[str]) -> list[Found]:
    found = [each for each in answer.passages if isinstance(each, dict) and each.get("chunk") not in cited]
    return [Found(str(each.get("title", "")), str(each.get("heading", "")), float(each.get("score") or 0)) for each in found]
