"""The stretches of time that figures are looked at over, and the rows they are read from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

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


def rollups(prefix: str, period: Period, now: datetime) -> QuerySet[Rollup]:
    """Rows whose name begins with the prefix, oldest first. By the range of names, which the index serves."""
    after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    found = Rollup.objects.filter(period=period.rows, name__gte=prefix, name__lt=after, at__gte=now - period.length, at__lte=now)
    return found.order_by("at")


def by_name(rows: Iterable[Rollup], prefix: str) -> dict[str, list[Rollup]]:
    found: dict[str, list[Rollup]] = {}
    for row in rows:
        found.setdefault(row.name.removeprefix(prefix), []).append(row)
    return found
