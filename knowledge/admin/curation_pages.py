"""Pages about all documents: those that are due for a check, and how well each topic is covered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from knowledge import freshness, review
from knowledge.admin.originals import may_read
from knowledge.admin.review_pages import render_page
from knowledge.coverage import ASKED_WITHIN, Topic, by_topic

# Rows of one page. After a large import there may be thousands; those that matter most come first.
MOST_ROWS, MOST_BARS = 200, 30
WIDTH = 100


@dataclass(frozen=True)
class Bar:
    """A topic's row: its figures, and lengths from 0 to WIDTH."""

    topic: Topic
    citable: float
    unanswered: float
    address: str


@never_cache
@require_safe
@may_read
def stale(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    overdue = freshness.stale_count(now)
    context = {
        "title": "Due for a check",
        "overdue": freshness.stale(now=now, limit=MOST_ROWS),
        "overdue_count": overdue,
        "soon": freshness.due_soon(now=now, limit=MOST_ROWS),
        "soon_count": freshness.soon_count(now),
        "stale_count": overdue,
        "may_confirm": request.user.has_perm(review.PUBLISH),
        "today": now.date(),
        **_freshness(now),
    }
    return render_page(request, "admin/knowledge/document/stale.html", context)


@never_cache
@require_safe
@may_read
def coverage(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    found = by_topic(now)
    shown = bars(found.topics[:MOST_ROWS])
    context = {
        "title": "Coverage by topic",
        "found": found,
        "bars": shown[:MOST_BARS],
        "rows": shown,
        "number": len(found.topics),
        "days": ASKED_WITHIN.days,
        "stale_count": freshness.stale_count(now),
        **_freshness(now),
    }
    return render_page(request, "admin/knowledge/document/coverage.html", context)


def _freshness(now: datetime) -> dict[str, object]:
    return {
        "last_checked": freshness.last_checked(),
        "fresh": freshness.is_fresh(now),
        "within_days": freshness.CHECKED_WITHIN.days,
    }


def bars(topics: list[Topic]) -> list[Bar]:
    """Both lengths on the scale of their own largest figure; what is there at all is seen."""
    most_citable = max((each.citable for each in topics), default=0)
    most_asked = max((each.unanswered for each in topics), default=0)
    return [
        Bar(each, _length(each.citable, most_citable), _length(each.unanswered, most_asked), _address(each)) for each in topics
    ]


def _length(figure: int, most: int) -> float:
    return max(1.0, round(WIDTH * figure / most, 1)) if figure else 0.0


def _address(topic: Topic) -> str:
    lookup = {"topic__iexact": topic.name} if topic.name else {"topic__exact": ""}
    return f"{reverse('admin:knowledge_document_changelist')}?{urlencode(lookup)}"
