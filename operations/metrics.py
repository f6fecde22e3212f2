"""What /metrics tells: the measures of every process, and figures read from rows, Redis and the machine at that moment.

Each query reads an index or the catalogue, so that a million messages cost no more than a thousand. A part that is
away is left out and said by `database_up` or `redis_up`; the others are told all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
import redis
from django.conf import settings
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from operations import fresh, health, merged, offsite, wal


@dataclass(frozen=True)
class Figure:
    """`query` gives rows of label values and a number; a number that is NULL is not known and not told."""

    name: str
    about: str
    query: str
    labels: tuple[str, ...] = ()
    when: Callable[[], bool] = lambda: True


# Each look tells the use since the one before; this is the one before the first.
psutil.cpu_percent()
_OPEN = "FROM conversations_inboundmessage WHERE status IN ('waiting', 'processing')"
_STANDBYS = "FROM operations_standby s LEFT JOIN pg_replication_slots k ON k.slot_name = s.slot WHERE s.promoted_at IS NULL"
_SENT = "FROM conversations_outboundmessage WHERE status"
FIGURES = (
    Figure(
        "active_connections",
        "Connections to the database, of everybody.",
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
    ),
    Figure(
        "database_connections_used_ratio",
        "Of the connections that the server allows.",
        "SELECT count(*)::float8 / current_setting('max_connections')::int FROM pg_stat_activity"
        " WHERE backend_type = 'client backend'",
    ),
    Figure("database_size_bytes", "Size of the database on disk.", "SELECT pg_database_size(current_database())"),
    Figure(
        "vector_db_chunks",
        "Passages; above 50,000 as the planner knows them.",
        f"SELECT CASE WHEN reltuples > {health.COUNTED_EXACTLY} THEN reltuples::bigint"
        " ELSE (SELECT count(*) FROM knowledge_chunk) END FROM pg_class WHERE oid = 'knowledge_chunk'::regclass",
    ),
    Figure(
        "queue_messages",
        "Messages without an answer.",
        "SELECT 'received', count(*) FROM conversations_inboundmessage WHERE status = 'received'"
        f" UNION ALL SELECT 'waiting', count(*) FILTER (WHERE status = 'waiting') {_OPEN}"
        f" UNION ALL SELECT 'processing', count(*) FILTER (WHERE status = 'processing') {_OPEN}",
        ("status",),
    ),
    Figure("queue_oldest_seconds", "How long the oldest message without an answer has waited.", health.OLDEST),
    Figure(
        "handovers_waiting",
        "People who wait for a person.",
        "SELECT count(*) FROM conversations_handover WHERE closed_at IS NULL AND taken_at IS NULL",
    ),
    Figure(
        "outbound_messages",
        "Messages on their way, and those that failed within 24 hours.",
        " UNION ALL ".join(f"SELECT '{each}', count(*) {_SENT} = '{each}'" for each in ("queued", "sending", "uncertain"))
        + f" UNION ALL SELECT 'failed', count(*) {_SENT} = 'failed' AND failed_at > now() - interval '24 hours'",
        ("status",),
    ),
    Figure(
        "knowledge_age_seconds",
        "Since a document was last reviewed, confirmed, retired or indexed.",
        "SELECT extract(epoch FROM now() - max(greatest(indexed_at, reviewed_at, confirmed_at, retired_at)))::float8"
        " FROM knowledge_document",
    ),
    Figure(
        "backup_last_verified_age_seconds",
        "Since a backup was last restored into scratch and found good.",
        "SELECT extract(epoch FROM now() - max(verified_at))::float8 FROM operations_backup"
        " WHERE status = 'verified' AND kind <> 'configuration'",
    ),
    Figure(
        "backup_exposure_seconds",
        "Work that would be lost if the disk failed now: since what was last known to be received, or dumped.",
        "SELECT extract(epoch FROM now() - CASE WHEN tier = 'A' THEN"
        " CASE WHEN noted_at > now() - interval '1 minute' THEN safe_at END"
        " ELSE (SELECT max(started_at) FROM operations_backup WHERE status IN ('taken', 'verified') AND kind = 'dump') END)"
        "::float8 FROM operations_protection WHERE tier <> ''",
    ),
    Figure(
        "drill_last_rto_seconds",
        "What the last drill that passed took to a database that answers.",
        "SELECT rto_seconds FROM operations_drill WHERE status = 'passed' ORDER BY requested_at DESC LIMIT 1",
    ),
    Figure(
        "drill_age_seconds",
        "Since a drill last passed.",
        "SELECT extract(epoch FROM now() - max(ended_at))::float8 FROM operations_drill WHERE status = 'passed'",
    ),
    Figure(
        "wal_behind_bytes",
        "How much of the server's log its receiver has not taken.",
        "SELECT greatest(0, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn))::float8 FROM pg_replication_slots"
        f" WHERE slot_name = '{wal.SLOT}'",
    ),
    Figure(
        "wal_synchronous",
        "1 where every write waits until the received log has it.",
        f"SELECT (current_setting('synchronous_standby_names') = '{wal.SLOT}')::int",
    ),
    Figure(
        "wal_slot_safe_bytes",
        "How much more log may be written before the server lets go of what was not received; nothing without a limit.",
        f"SELECT safe_wal_size::float8 FROM pg_replication_slots WHERE slot_name = '{wal.SLOT}'",
    ),
    Figure(
        "offsite_exposure_seconds",
        "Work that would be lost if this machine and its disks were gone: since all there was lay outside.",
        "SELECT extract(epoch FROM now() - good_at)::float8 FROM operations_offsitestate WHERE name = 'log'",
        when=offsite.configured,
    ),
    Figure(
        "offsite_backups_waiting",
        "Backups that are kept here and do not lie outside yet.",
        "SELECT count(*) FROM operations_backup WHERE status IN ('taken', 'verified') AND offsite_at IS NULL",
        when=offsite.configured,
    ),
    Figure(
        "standby_up",
        "Whether a standby follows; from when it has been built.",
        f"SELECT s.name, coalesce(k.active, false)::int {_STANDBYS} AND (k.active OR s.state <> 'building')",
        ("standby",),
    ),
    Figure(
        "standby_behind_bytes",
        "How much of the server's log is not on the standby's disk.",
        f"SELECT s.name, greatest(0, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), k.restart_lsn))::float8 {_STANDBYS}",
        ("standby",),
    ),
    Figure(
        "standby_behind_seconds",
        "Since what was last known to be on the standby's disk was committed.",
        f"SELECT s.name, extract(epoch FROM now() - s.safe_at)::float8 {_STANDBYS}",
        ("standby",),
    ),
    Figure(
        "watcher_heartbeat_age_seconds",
        "Since the watcher last finished a round.",
        "SELECT extract(epoch FROM now() - at)::float8 FROM operations_heartbeat WHERE name = 'watcher'",
    ),
)


class Everything(Collector):
    """One scrape."""

    def collect(self) -> Iterator[Metric]:
        yield from merged.collect()
        yield from of_rows()
        yield from of_redis()
        yield from of_machine()
        about = {"version": health.version(), "release": settings.ENVIRONMENT.release}
        yield _gauge("jeevo_info", "What runs.", 1, about)


def of_rows() -> list[Metric]:
    """Every figure that the database tells, and whether it answered."""
    found: list[Metric] = []
    try:
        with fresh.connect("metrics") as own:
            found = [metric for figure in FIGURES if figure.when() and (metric := _read(own, figure)) is not None]
        answers = 1
    except psycopg.Error:
        answers = 0
    return [*found, _gauge("database_up", "Whether the database answered this scrape.", answers)]


def _read(own: psycopg.Connection[Any], figure: Figure) -> Metric | None:
    try:
        rows = own.execute(figure.query).fetchall()
    except psycopg.errors.UndefinedTable:  # between two releases
        return None
    metric = GaugeMetricFamily(figure.name, figure.about, labels=figure.labels)
    for *labels, value in rows:
        if value is not None:
            metric.add_metric([str(label) for label in labels], float(value))
    return metric


def of_redis() -> list[Metric]:
    try:
        with redis.Redis.from_url(settings.CACHE_URL, socket_connect_timeout=1, socket_timeout=1, retry=None) as client:
            told: Any = client.info("memory")
    except (redis.RedisError, OSError):
        return [_gauge("redis_up", "Whether Redis answered this scrape.", 0)]
    return [
        _gauge("redis_up", "Whether Redis answered this scrape.", 1),
        _gauge("redis_memory_used_bytes", "Memory of Redis.", told["used_memory"]),
    ]


def of_machine() -> list[Metric]:
    """As this process sees its machine; in a container that is the whole host, its limits apart."""
    disk = psutil.disk_usage(str(settings.ENVIRONMENT.data if settings.ENVIRONMENT.data.exists() else "/"))
    return [
        _gauge("machine_memory_used_ratio", "Memory in use.", psutil.virtual_memory().percent / 100),
        _gauge("machine_cpu_used_ratio", "Processor in use since the last look.", psutil.cpu_percent() / 100),
        _gauge("machine_disk_used_ratio", "Disk of the data in use.", disk.percent / 100),
    ]


def _gauge(name: str, about: str, value: float, labels: dict[str, str] | None = None) -> Metric:
    metric = GaugeMetricFamily(name, about, labels=list(labels or ()))
    metric.add_metric(list((labels or {}).values()), value)
    return metric
