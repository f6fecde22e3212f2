"""One line a minute and an hour for each figure, so that targets over a month need no Prometheus.

When the minute turns, the difference to the turn before is written. What is not known is not written: the first
minute after a start, and any stretch in which the watcher missed a turn. A series of processes that were started
again begins at zero and is taken so. Hours are made of minutes; minutes are kept two days, hours sixty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max
from prometheus_client import Metric

from operations import merged, metrics
from operations.models import Rollup

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
KEPT = {Rollup.Period.MINUTE: timedelta(hours=48), Rollup.Period.HOUR: timedelta(days=60)}
# A later turn stands for more than its minute.
LATEST = timedelta(seconds=90)
# Written each minute that is known, zero or not: what is not there is unknown.
MARK = "figures"
# Of what is counted, the labels that are kept apart; the others are added up.
COUNTED: dict[str, tuple[str, ...]] = {
    "medical_queries": ("kind",),
    "validation_errors": (),
    "answers": ("kind", "cited"),
    "triage_levels": ("level",),
    "operations": ("kind",),
    "failures": ("kind",),
    "errors": ("kind", "error", "place"),
}
# Added up over their labels as well.
IN_ALL = ("failures", "operations")
TIMED: dict[str, tuple[str, ...]] = {
    "webhook_duration_seconds": (),
    "query_duration_seconds": (),
    "vector_search_duration_seconds": (),
    "vector_db_duration_seconds": (),
    "database_query_duration_seconds": (),
    "answer_confidence": (),
    "call_duration_seconds": ("service", "outcome"),
    "celery_task_duration_seconds": ("task", "outcome"),
}
GAUGES: dict[str, tuple[str, ...]] = {
    "process_resident_memory_bytes": ("process",),
    "machine_memory_used_ratio": (),
    "machine_cpu_used_ratio": (),
    "machine_disk_used_ratio": (),
    "active_connections": (),
    "database_connections_used_ratio": (),
    "database_size_bytes": (),
    "redis_memory_used_bytes": (),
    "vector_db_chunks": (),
    "queue_oldest_seconds": (),
    "queue_messages": ("status",),
    "handovers_waiting": (),
    "knowledge_age_seconds": (),
}
Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Sum:
    """What a row holds."""

    count: int = 0
    total: float = 0.0
    largest: float = 0.0
    buckets: dict[str, float] = field(default_factory=dict)

    def add(self, other: Sum) -> Sum:
        self.count += other.count
        self.total += other.total
        self.largest = max(self.largest, other.largest)
        for bound, number in other.buckets.items():
            self.buckets[bound] = self.buckets.get(bound, 0) + number
        return self


@dataclass(frozen=True)
class Snapshot:
    """Every value that only grows, by series, at one moment."""

    at: datetime
    values: Mapping[Series, float]


class Figures:
    """The watch: called every round, it acts when the minute has turned."""

    def __init__(self) -> None:
        self.before: Snapshot | None = None

    def __call__(self, now: datetime) -> None:
        if self.before is not None and _minute(self.before.at) == _minute(now):
            return
        found = merged.collect()
        before, self.before = self.before, snapshot(found, now)
        if before is None or not timedelta(0) < now - before.at <= LATEST:
            return
        write(_minute(before.at), {**grown(before, self.before), **gauged(found), MARK: Sum(1, 1, 1)})
        if fold_hours(now=now):
            forget(now=now)
            merged.fold(settings.METRICS_DIR, now=now.timestamp())


def snapshot(found: Iterable[Metric], at: datetime) -> Snapshot:
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in found
        if metric.name in COUNTED or metric.name in TIMED
        for sample in metric.samples
    }
    return Snapshot(at, values)


def grown(before: Snapshot, after: Snapshot) -> dict[str, Sum]:
    """What came to each figure between the two."""
    found = {name: Sum() for name, labels in {**COUNTED, **TIMED}.items() if not labels} | {name: Sum() for name in IN_ALL}
    for series, value in after.values.items():
        earlier = before.values.get(series, 0.0)
        growth = value - earlier if value >= earlier else value
        if growth:
            for name, part in _parts(series, growth):
                found.setdefault(name, Sum()).add(part)
    for each in found.values():
        each.buckets = _apart(each.buckets)
        # Of what is timed, the bound of the highest bucket that has one: a longer time is at least as long.
        reached = [float(bound) for bound in each.buckets if bound != "inf"]
        each.largest = max(reached, default=each.total)
    return found


def _parts(series: Series, growth: float) -> Iterator[tuple[str, Sum]]:
    sample, pairs = series
    labels = dict(pairs)
    base, _, kind = sample.rpartition("_")
    if base in TIMED:
        name = _named(base, labels, TIMED[base])
        if kind == "bucket":
            yield name, Sum(buckets={labels["le"]: growth})
        elif kind == "sum":
            yield name, Sum(total=growth)
        else:
            yield name, Sum(count=round(growth))
    elif base in COUNTED:
        part = Sum(round(growth), growth, growth)
        yield _named(base, labels, COUNTED[base]), part
        if base in IN_ALL:
            yield base, part


def _named(base: str, labels: Mapping[str, str], kept: tuple[str, ...]) -> str:
    """ "errors{kind=database}", cut to what the column takes."""
    inside = ",".join(f"{label}={labels.get(label, '')}" for label in kept)
    return (f"{base}{{{inside}}}" if inside else base)[:160]


def _apart(buckets: Mapping[str, float]) -> dict[str, float]:
    """Each bucket's own number, from numbers that hold the smaller ones as well; the endless one is named inf."""
    own, below = {}, 0.0
    for bound in sorted(buckets, key=float):
        number = buckets[bound] - below
        below = buckets[bound]
        if number > 0:
            own["inf" if math.isinf(float(bound)) else bound] = number
    return own


def gauged(found_now: Iterable[Metric]) -> dict[str, Sum]:
    """What rows, Redis and the machine say now, and the memory of the processes."""
    found: dict[str, Sum] = {}
    for metric in (*found_now, *metrics.of_rows(), *metrics.of_redis(), *metrics.of_machine()):
        for sample in metric.samples if metric.name in GAUGES else ():
            name = _named(metric.name, sample.labels, GAUGES[metric.name])
            found[name] = Sum(1, sample.value, sample.value)
    return found


def write(minute: datetime, sums: Mapping[str, Sum], *, period: str = Rollup.Period.MINUTE) -> None:
    """Once: a minute or hour that is there stays as it is."""
    rows = [
        Rollup(
            period=period, name=name, at=minute, count=each.count, total=each.total, largest=each.largest, buckets=each.buckets
        )
        for name, each in sums.items()
    ]
    Rollup.objects.bulk_create(rows, ignore_conflicts=True)


def fold_hours(*, now: datetime) -> int:
    """Make the hours that have ended since the last one that was made; how many."""
    this = now.replace(minute=0, second=0, microsecond=0)
    last = Rollup.objects.filter(period=Rollup.Period.HOUR, name=MARK).aggregate(at=Max("at"))["at"]
    known = Rollup.objects.filter(period=Rollup.Period.MINUTE, name=MARK, at__lt=this)
    if last is not None:
        known = known.filter(at__gte=last + HOUR)
    hours = sorted({at.replace(minute=0) for at in known.values_list("at", flat=True)})
    for hour in hours:
        rows = Rollup.objects.filter(period=Rollup.Period.MINUTE, at__gte=hour, at__lt=hour + HOUR)
        write(hour, together(rows), period=Rollup.Period.HOUR)
    return len(hours)


def together(rows: Iterable[Rollup]) -> dict[str, Sum]:
    """The rows of each figure as one."""
    found: dict[str, Sum] = {}
    for row in rows:
        found.setdefault(row.name, Sum()).add(Sum(row.count, row.total, row.largest, row.buckets))
    return found


def forget(*, now: datetime) -> int:
    gone = 0
    for period, kept in KEPT.items():
        number, _ = Rollup.objects.filter(period=period, at__lt=now - kept).delete()
        gone += number
    return gone


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
