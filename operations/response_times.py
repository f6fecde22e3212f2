"""How fast people respond: MTTA from detection to the first acknowledgement, MTTR from the start of impact to the end.

By calendar month of detection, in UTC, and by severity. What is open, a duplicate or cancelled does not count, and an
incident that nobody ever acknowledged counts for MTTR only. Medians stand beside means, because one long night moves a mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import mean, median

from operations.models import Incident

OVER = (Incident.State.RESOLVED, Incident.State.POSTMORTEM, Incident.State.CLOSED)


@dataclass(frozen=True)
class Span:
    """Lengths of time, put together. Without any of them there is no median."""

    count: int
    median: timedelta | None
    mean: timedelta | None


@dataclass(frozen=True)
class Response:
    """One month of one severity; `severity` None is all of them together."""

    month: date
    severity: int | None
    incidents: int
    acknowledged: Span
    resolved: Span


@dataclass(frozen=True)
class _One:
    month: date
    severity: int
    acknowledged: timedelta | None
    resolved: timedelta


def by_month(*, first: date, last: date) -> list[Response]:
    """Every month from that of `first` to that of `last`: all severities together, then each that had an incident."""
    ones = _ones(start_of(first), following(last))
    found: list[Response] = []
    month = first.replace(day=1)
    while month <= last:
        of_month = [one for one in ones if one.month == month]
        found.append(_response(month, None, of_month))
        found += [
            _response(month, severity, [one for one in of_month if one.severity == severity])
            for severity in sorted({one.severity for one in of_month})
        ]
        month = following(month).date()
    return found


def start_of(day: date) -> datetime:
    return datetime(day.year, day.month, 1, tzinfo=UTC)


def following(day: date) -> datetime:
    """The first moment of the month after."""
    return start_of(date(day.year + day.month // 12, day.month % 12 + 1, 1))


def _ones(since: datetime, until: datetime) -> list[_One]:
    rows = Incident.objects.filter(state__in=OVER, detected_at__gte=since, detected_at__lt=until).order_by()
    times = ("severity", "detected_at", "first_acknowledged_at", "impact_started_at", "resolved_at")
    return [
        _One(
            detected.astimezone(UTC).date().replace(day=1),
            severity,
            _length(detected, acknowledged) if acknowledged else None,
            _length(began, ended),
        )
        for severity, detected, acknowledged, began, ended in rows.values_list(*times)
    ]


def _length(start: datetime, end: datetime) -> timedelta:
    """Never below nothing: a clock that was put back, or a start corrected by hand, makes no negative time."""
    return max(end - start, timedelta(0))


def _response(month: date, severity: int | None, ones: list[_One]) -> Response:
    acknowledged = _span(one.acknowledged for one in ones if one.acknowledged is not None)
    return Response(month, severity, len(ones), acknowledged, _span(one.resolved for one in ones))


def _span(lengths: Iterable[timedelta]) -> Span:
    known = [length.total_seconds() for length in lengths]
    if not known:
        return Span(0, None, None)
    return Span(len(known), timedelta(seconds=median(known)), timedelta(seconds=mean(known)))
