"""Does a process grow? Memory of each process by the minute, its growth by a straight line, and what is used right now."""

from __future__ import annotations

from datetime import datetime, timedelta

import psutil
from django.urls import reverse

from operations import machine, periods, series
from operations.figures import State
from operations.findings import Finding, Step, Table
from operations.models import Rollup
from operations.periods import Period
from operations.phrases import lasted
from operations.series import Point, Series

# Megabytes of a process by its name; as the figures of /metrics have it, bytes.
PREFIX, IN_BYTES = "memory:", "process_resident_memory_bytes{process="
# The guide's target for memory, and where a machine begins to end processes.
AT_RISK, BREACHED = 0.8, 0.95
# A process that has just started fills its caches, so growth counts from two hours on.
GROWTH_MB_AN_HOUR, LONG_ENOUGH = 5.0, timedelta(hours=2)
# Less growth in an hour than this share of what it uses is the usual breathing.
SHARE_OF_SIZE = 0.005


def look(now: datetime, period: Period = periods.DAY) -> Finding:
    measured = _measured(now, period)
    growing = [(name, rate, span) for name, points in measured.items() if (rate := growth(points)) for span in [_span(points)]]
    total = psutil.virtual_memory()
    share = (total.total - total.available) / total.total
    answer, state = _answer(share, growing)
    return Finding(
        "memory",
        "Does a process use more and more memory?",
        answer,
        state,
        tuple(_said(growing, bool(measured))),
        _facts(),
        (_live(now),),
        tuple(_plot(name, points, period, now) for name, points in measured.items()),
        (
            Step("Workers and queues", reverse("admin:troubleshooting_workers")),
            Step("Runbook: memory", reverse("admin:troubleshooting_runbook", args=["memory"])),
        ),
    )


def _measured(now: datetime, period: Period) -> dict[str, list[Point]]:
    rows = periods.together(periods.rollups((PREFIX, IN_BYTES), period, now), process_of)
    return {name: [_point(row) for row in found if row.count] for name, found in sorted(rows.items())}


def process_of(name: str) -> str:
    """ "memory:web" and "process_resident_memory_bytes{process=web}" are both web."""
    return name.removeprefix(PREFIX).removeprefix(IN_BYTES).rstrip("}")


def _point(row: Rollup) -> Point:
    size = 2**20 if row.name.startswith(IN_BYTES) else 1
    return Point(row.at, row.total / row.count / size)


def _span(points: list[Point]) -> timedelta:
    return points[-1].at - points[0].at


def growth(points: list[Point]) -> float | None:
    """Megabytes an hour, where a process has grown for long enough and by more than it breathes."""
    if len(points) < 3 or _span(points) < LONG_ENOUGH:
        return None
    rate = series.slope_an_hour(points)
    usual = sum(point.value for point in points) / len(points)
    if rate is None or rate < max(GROWTH_MB_AN_HOUR, SHARE_OF_SIZE * usual):
        return None
    return rate


def _answer(share: float, growing: list[tuple[str, float, timedelta]]) -> tuple[str, State]:
    used = f"{100 * share:.0f} % of the machine's memory is used"
    if share > BREACHED:
        return used, "breached"
    if growing:
        return _in_words(*max(growing, key=lambda each: each[1])), "at_risk"
    return (used, "at_risk") if share > AT_RISK else (f"{used}, and no process grows", "good")


def _in_words(name: str, rate: float, span: timedelta) -> str:
    return f"{name} grew by {rate:,.0f} MB an hour for {lasted(span)}"


def _said(growing: list[tuple[str, float, timedelta]], measured: bool) -> list[str]:
    # The one that grows most is the answer.
    said = [f"{_in_words(*each)}." for each in sorted(growing, key=lambda each: each[1], reverse=True)[1:]]
    if growing:
        said.append("Restarting that process is safe at any time: its work is taken up again. Note the figures before you do.")
    if not measured:
        said.append("No figures by the minute yet: they are written while the watcher runs.")
    return said


def _facts() -> tuple[tuple[str, str], ...]:
    memory = psutil.virtual_memory()
    swap = psutil.swap_memory()
    return (
        ("Machine", f"{_mb(memory.total - memory.available)} of {_mb(memory.total)} used"),
        ("Free for new work", _mb(memory.available)),
        ("Swapped out", f"{_mb(swap.used)} of {_mb(swap.total)}" if swap.total else "no swap"),
    )


def _mb(number: float) -> str:
    return f"{number / 2**30:,.1f} GB" if number >= 2**30 else f"{number / 2**20:,.0f} MB"


def _live(now: datetime) -> Table:
    here = machine.running()
    rows = []
    for name in dict.fromkeys(each.name for each in here):
        own = [each for each in here if each.name == name]
        together = sum(each.megabytes for each in own)
        since = min(each.since for each in own)
        rows.append(
            (name, f"{len(own):,}", f"{together:,.0f} MB", f"{max(each.megabytes for each in own):,.0f} MB", lasted(now - since))
        )
    note = "What processes share is counted in each of them, so the sum is more than they take together." if rows else ""
    columns = ("Process", "Processes", "Together", "Largest", "For")
    return Table(
        "Right now, on this machine", columns, tuple(rows), "None of our processes can be seen from here.", (1, 2, 3), note
    )


def _plot(name: str, points: list[Point], period: Period, now: datetime) -> Series:
    rate = series.slope_an_hour(points)
    trend = f"{rate:+,.1f} MB an hour" if rate is not None else "too few figures for a trend"
    last = f"{points[-1].value:,.0f} MB now, " if points else ""
    return series.draw(points, title=name, unit="MB", since=now - period.length, until=now, step=period.step, said=last + trend)
