"""The stretches of time that figures are looked at over, and the rows they are read from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from operations.models import Rollup


@dataclass(frozen=True)
class Period:
    key: str
    words: str
    length: timedelta
    rows: str
    step: timedelta


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PERIODS = (
    Period("1h", "the last hour", HOUR, Rollup.Period.MINUTE, MINUTE),
    Period("24h", "the last 24 hours", timedelta(hours=24), Rollup.Period.MINUTE, MINUTE),
    Period("7d", "the last 7 days", timedelta(days=7), Rollup.Period.HOUR, HOUR),
)
DAY = PERIODS[1]


def named(key: str) -> Period:
    """The period of an address or a command; a day for whatever is not known."""
    return next((period for period in PERIODS if period.key == key), DAY)


def rollups(prefixes: Iterable[str], period: Period, now: datetime) -> QuerySet[Rollup]:
    """Rows whose name begins with one of the prefixes, oldest first. By the range of names, which the index serves."""
    named_so = Q()
    for prefix in prefixes:
        named_so |= Q(name__gte=prefix, name__lt=prefix[:-1] + chr(ord(prefix[-1]) + 1))
    found = Rollup.objects.filter(named_so, period=period.rows, at__gte=now - period.length, at__lte=now)
    return found.order_by("at")


def together(rows: Iterable[Rollup], key: Callable[[str], str]) -> dict[str, list[Rollup]]:
    """The rows by what `key` makes of their names."""
    found: dict[str, list[Rollup]] = {}
    for row in rows:
        found.setdefault(key(row.name), []).append(row)
    return found
