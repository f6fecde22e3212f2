"""What fails, by class and place, and why messages failed.

A fault is counted by the name of its class and where in the code it was raised; what it said may quote a patient and is
nowhere kept.
"""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Count, Max, Q
from django.urls import reverse

from conversations.models import InboundMessage, OutboundMessage
from operations import periods, series
from operations.figures import State
from operations.findings import Cell, Code, Finding, Link, Step, Table
from operations.models import Rollup
from operations.periods import Period
from operations.phrases import count, lasted
from operations.series import Point, Series

PREFIX, OF_METRICS = "errors:", "errors_at{"
_LABELS = re.compile(r"errors_at\{(?:kind=[^,]*,)?error=([^,]*),place=([^}]*)")
SHOWN = 30
# Faults in the last hour that make it urgent; fewer are looked at in the morning.
MANY_AN_HOUR = 20
OUT, IN = "conversations.view_outboundmessage", "conversations.view_inboundmessage"
NO_REASON = "no reason was noted"


def look(now: datetime, period: Period = periods.DAY) -> Finding:
    rows = list(periods.rollups((PREFIX, OF_METRICS), period, now))
    places = {name: found for name, found in periods.together(rows, place_of).items() if any(row.count for row in found)}
    total = sum(row.count for row in rows)
    recent = sum(row.count for row in periods.rollups((PREFIX, OF_METRICS), periods.PERIODS[0], now))
    answer, state = _answer(places, total, recent, period)
    failed = _failed_out(now, period)
    return Finding(
        "errors",
        "What fails, and where?",
        answer,
        state,
        tuple(_said(recent, total)),
        (("Faults", f"{total:,}"), ("In the last hour", f"{recent:,}"), ("Kinds and places", f"{len(places):,}")),
        (_places(places, total, now), failed, _failed_in(now, period)),
        (_plot(rows, period, now),) if total else (),
        (
            Step("What was released?", reverse("admin:troubleshooting_releases")),
            Step("Can Groq and WhatsApp be reached?", reverse("admin:troubleshooting_reach")),
            Step("Runbook: high error rate", reverse("admin:troubleshooting_runbook", args=["high-error-rate"])),
        ),
    )


def place_of(name: str) -> str:
    """ "Class@place", from a figure of that name or from one with both as labels."""
    found = _LABELS.match(name)
    return f"{found[1]}@{found[2]}" if found else name.removeprefix(PREFIX)


def _answer(places: dict[str, list[Rollup]], total: int, recent: int, period: Period) -> tuple[str, State]:
    if not total:
        return f"No fault in {period.words}", "good"
    commonest = max(places, key=lambda name: sum(row.count for row in places[name]))
    kind, _, place = commonest.partition("@")
    where = f"{kind.rsplit('.', 1)[-1]}{' in ' + place if place else ''}"
    answer = f"{count(total, 'fault', 'faults')} in {period.words}, most often {where}"
    return answer, "breached" if recent >= MANY_AN_HOUR else "at_risk" if recent else "good"


def _said(recent: int, total: int) -> list[str]:
    if recent:
        return ["Look whether a release came just before the first of them, then at the log of the process that has the place."]
    return ["None in the last hour."] if total else []


def _places(places: dict[str, list[Rollup]], total: int, now: datetime) -> Table:
    ordered = sorted(places.items(), key=lambda item: (-sum(row.count for row in item[1]), item[0]))
    rows = tuple(_place(name, found, total, now) for name, found in ordered[:SHOWN])
    columns = ("Class", "Place", "Faults", "Share", "First", "Last")
    return Table("By class and place", columns, rows, "Nothing failed.", (2, 3))


def _place(name: str, rows: list[Rollup], total: int, now: datetime) -> tuple[Cell, ...]:
    kind, _, place = name.partition("@")
    hit = [row for row in rows if row.count]
    number = sum(row.count for row in hit)
    first, last = f"{lasted(now - hit[0].at)} ago", f"{lasted(now - hit[-1].at)} ago"
    return (Code(kind), Code(place or "-"), f"{number:,}", f"{100 * number / total:.0f} %", first, last)


def _plot(rows: list[Rollup], period: Period, now: datetime) -> Series:
    by_moment: dict[datetime, int] = defaultdict(int)
    for row in rows:
        by_moment[row.at] += row.count
    # Where nothing failed there is no row, and that is a zero and not a gap.
    step = period.step
    first = min(by_moment)
    moments = [first + step * number for number in range(int((now - first) / step) + 1)]
    points = [Point(moment, by_moment.get(moment, 0)) for moment in moments]
    most = max(points, key=lambda point: point.value)
    said = f"at most {most.value:,.0f} in {'a minute' if step == periods.MINUTE else 'an hour'}"
    return series.draw(points, title="Faults", unit="", since=now - period.length, until=now, step=step, said=said)


def _failed_out(now: datetime, period: Period) -> Table:
    """Messages that could not be sent, by WhatsApp's reason, which is a sentence of ours."""
    address = reverse("admin:conversations_outboundmessage_changelist") + "?status__exact=failed"
    rows = tuple(
        (Link(row["reason"] or NO_REASON, address, OUT), f"{row['number']:,}", f"{lasted(now - row['latest'])} ago")
        for row in OutboundMessage.objects.filter(status="failed", failed_at__gte=now - period.length)
        .order_by()
        .values("reason")
        .annotate(number=Count("pk"), latest=Max("failed_at"))
        .order_by("-number", "reason")[:SHOWN]
    )
    return Table("Answers that could not be sent", ("Reason", "Messages", "Latest"), rows, "Every answer went out.", (1,))


def _failed_in(now: datetime, period: Period) -> Table:
    """Messages that got no answer, by the reason on the row."""
    address = reverse("admin:conversations_inboundmessage_changelist") + "?" + urlencode({"status__exact": "failed"})
    # The index by age of the payload holds every message of the last days.
    failed = InboundMessage.objects.filter(Q(payload__isnull=False), status="failed", received_at__gte=now - period.length)
    rows = tuple(
        (Link(row["reason"] or NO_REASON, address, IN), f"{row['number']:,}", f"{lasted(now - row['latest'])} ago")
        for row in failed.order_by()
        .values("reason")
        .annotate(number=Count("pk"), latest=Max("received_at"))
        .order_by("-number", "reason")[:SHOWN]
    )
    return Table("Messages that got no answer", ("Reason", "Messages", "Latest"), rows, "Every message got an answer.", (1,))
