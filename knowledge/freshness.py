"""What is due to be checked again: published documents past their date, those that soon will be, and when anybody last looked.

The knowledge base should be looked at within seven days, whatever its documents' own intervals say.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db.models import DateTimeField, Max, QuerySet
from django.db.models.functions import Greatest, Least, TruncDate

from knowledge.models import Document
from knowledge.review import has_expired

CHECKED_WITHIN = timedelta(days=7)
SOON = timedelta(days=30)


def stale_count(now: datetime) -> int:
    return Document.objects.stale(now=now).count()


def stale(*, now: datetime, limit: int | None = None) -> list[Document]:
    """Published and past their date, the longest overdue first."""
    return list(_by_day(Document.objects.stale(now=now))[:limit])


def soon_count(now: datetime) -> int:
    return _soon(now).count()


def due_soon(*, now: datetime, limit: int | None = None) -> list[Document]:
    """Published, good today, and due within a month."""
    return list(_by_day(_soon(now))[:limit])


def is_due(document: Document, *, now: datetime) -> bool:
    """Whether this one is stale."""
    if document.status != Document.Status.PUBLISHED:
        return False
    due = document.checked_at and document.checked_at + timedelta(days=document.confirm_every_days)
    return has_expired(document, now=now) or (due is not None and due <= now)


def _soon(now: datetime) -> QuerySet[Document]:
    return Document.objects.stale(now=now + SOON).exclude(pk__in=Document.objects.stale(now=now).values("pk"))


def _by_day(documents: QuerySet[Document]) -> QuerySet[Document]:
    rows = documents.select_related("reviewed_by", "confirmed_by").defer("text", "sources")
    return rows.order_by(Least(TruncDate("due_at", tzinfo=UTC), "expires_on"), "title", "pk")


def last_checked() -> datetime | None:
    """When somebody last published, confirmed or retired anything."""
    newest = Greatest("reviewed_at", "confirmed_at", "retired_at", output_field=DateTimeField())
    found: datetime | None = Document.objects.aggregate(newest=Max(newest))["newest"]
    return found


def is_fresh(now: datetime) -> bool:
    """Whether anybody looked within seven days. An empty knowledge base has nothing to look at."""
    checked = last_checked()
    return checked is not None and now - checked <= CHECKED_WITHIN
