"""How fast people respond, by month and severity: from detection to the first acknowledgement (MTTA), and from the start of
impact to the end (MTTR), with how many targets were missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.contrib import admin
from django.db.models import Count, F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from operations import countdown
from operations.models import Timer
from operations.pages import Page
from operations.response_times import Response, Span, by_month, following, start_of

MONTHS = 12
WIDTH, HEIGHT = 720, 160
STEP = WIDTH // MONTHS


@dataclass(frozen=True)
class Bar:
    month: date
    said: str
    count: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Plot:
    """Bars of medians, one a month; `longest` is said at the top."""

    key: str
    title: str
    meaning: str
    bars: list[Bar]
    longest: str
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Row:
    month: date
    severity: str
    incidents: int
    to_acknowledge: str
    mean_to_acknowledge: str
    to_resolve: str
    mean_to_resolve: str


@dataclass(frozen=True)
class Target:
    label: str
    met: int
    missed: int

    @property
    def share(self) -> int | None:
        """How many of a hundred were met."""
        return 100 * self.met // (self.met + self.missed) if self.met + self.missed else None


def view(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    last = now.astimezone(UTC).date()
    first = _months_before(last, MONTHS - 1)
    found = by_month(first=first, last=last)
    together = [each for each in found if each.severity is None]
    context = {
        "title": "Response",
        "plots": [
            _plot("mtta", "Time to acknowledge", "From detection to the first acknowledgement, MTTA", together, _acknowledged),
            _plot("mttr", "Time to resolve", "From the start of impact to the end, MTTR", together, _resolved),
        ],
        "rows": [_row(each) for each in _latest_first(found) if each.incidents],
        "targets": targets(start_of(first), following(last), now=now),
        "total": sum(each.incidents for each in together),
    }
    return render(request, "admin/operations/response.html", {**admin.site.each_context(request), **context})


def _latest_first(found: list[Response]) -> list[Response]:
    """All severities together stand above each of them."""
    return sorted(found, key=lambda each: (-each.month.toordinal(), each.severity or 0))


def targets(since: datetime, until: datetime, *, now: datetime) -> list[Target]:
    """How many of each target were met in time. One that was dropped before it was due counts for neither."""
    late = Q(met_at__gt=F("due_at")) | Q(dropped_at__gt=F("due_at")) | Q(met_at=None, dropped_at=None, due_at__lt=now)
    rows = Timer.objects.filter(incident__detected_at__gte=since, incident__detected_at__lt=until).order_by().values("kind")
    counted = rows.annotate(met=Count("pk", Q(met_at__lte=F("due_at"))), missed=Count("pk", late))
    numbers = {row["kind"]: (row["met"], row["missed"]) for row in counted}
    return [Target(str(kind.label), *numbers.get(kind, (0, 0))) for kind in Timer.Kind]


def _months_before(day: date, months: int) -> date:
    place = day.year * 12 + day.month - 1 - months
    return date(place // 12, place % 12 + 1, 1)


def _acknowledged(each: Response) -> Span:
    return each.acknowledged


def _resolved(each: Response) -> Span:
    return each.resolved


def _plot(key: str, title: str, meaning: str, months: list[Response], of: Callable[[Response], Span]) -> Plot:
    longest = max((of(each).median or timedelta(0) for each in months), default=timedelta(0))
    bars = []
    for place, each in enumerate(months):
        span = of(each)
        height = max(3, int(HEIGHT * (span.median / longest))) if span.median is not None and longest else 0
        bars.append(Bar(each.month, _said(span.median), span.count, place * STEP + 6, HEIGHT - height, STEP - 12, height))
    return Plot(key, title, meaning, bars, _said(longest) if longest else "")


def _row(each: Response) -> Row:
    name = f"Severity {each.severity}" if each.severity else "All"
    spans = (each.acknowledged.median, each.acknowledged.mean, each.resolved.median, each.resolved.mean)
    return Row(each.month, name, each.incidents, *(_said(length) for length in spans))


def _said(length: timedelta | None) -> str:
    return "-" if length is None else countdown.spoken(length)


PAGES = (Page("response/", "operations_response", view, "Response", "operations.view_incident"),)
