"""Messages per hour over the last day, as bars for an inline SVG and as rows for the table behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count
from django.db.models.functions import TruncHour

from conversations.models import InboundMessage

HOURS = 24
WIDTH, HEIGHT = 720, 120
STEP = WIDTH // HOURS


@dataclass(frozen=True)
class Bar:
    hour: datetime
    number: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Plot:
    bars: list[Bar]
    total: int
    highest: int
    width: int = WIDTH
    height: int = HEIGHT


def messages_by_hour(now: datetime) -> Plot:
    first = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    # The index on received_at holds messages whose payload is still there: all of the last day.
    rows = (
        InboundMessage.objects.filter(payload__isnull=False, received_at__gte=first)
        .order_by()
        .annotate(hour=TruncHour("received_at", tzinfo=UTC))
        .values("hour")
        .annotate(number=Count("pk"))
    )
    found = {row["hour"]: row["number"] for row in rows}
    hours = [first + timedelta(hours=each) for each in range(HOURS)]
    return draw([(hour, found.get(hour, 0)) for hour in hours])


def draw(hours: list[tuple[datetime, int]]) -> Plot:
    """Bars scaled to the highest hour; an hour with any message at all is at least three units high."""
    highest = max((number for _, number in hours), default=0)
    bars = []
    for place, (hour, number) in enumerate(hours):
        height = max(3, number * HEIGHT // highest) if number else 0
        bars.append(Bar(hour, number, place * STEP + 2, HEIGHT - height, STEP - 4, height))
    return Plot(bars, sum(number for _, number in hours), highest)
