"""Is this service well? `/health/live` touches nothing outside, `/health/` asks every part it needs, and `/health/ready`
tells a load balancer whether to send requests here.

Each check has its own short client timeouts and its own threads, so that a part that hangs is reported
within three seconds and cannot hold up the others. Nothing of a patient, and no error text but our own, is in it.
The parts are told to staff and to whoever bears HEALTH_TOKEN; others see the word, the version and the time.
"""

from __future__ import annotations

import asyncio
import time
import tomllib
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from health_check.base import HealthCheck, HealthCheckResult
from health_check.views import HealthCheckView

from knowledge.models import Document
from operations import fresh, pauses, wal
from operations.models import Pause
from operations.tokens import bears

QUEUE_LATE = 300
# After a start the watcher comes last; until then its silence means nothing.
STARTING_SECONDS = 60.0
STARTED = time.monotonic()
# Above so many passages the planner's count is near enough, and exact ones take longer than the whole check may.
COUNTED_EXACTLY = 50_000

_CONNECTIONS = """
    SELECT current_setting('max_connections')::int, count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
"""
OLDEST = """
    SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8
    FROM conversations_inboundmessage WHERE status = 'received' OR status IN ('waiting', 'processing')
"""
_PASSAGES = """
    SELECT CASE WHEN known.rows > {many} THEN known.rows
                ELSE (SELECT count(*) FROM knowledge_chunk WHERE document_id IN ({citable})) END,
           (SELECT max(indexed_at) FROM knowledge_document)
    FROM (SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = 'knowledge_chunk'::regclass) AS known
"""
_HEARTBEAT = """
    SELECT extract(epoch FROM now() - at)::float8, every_seconds FROM operations_heartbeat WHERE name = 'watcher'
"""
# The last verified backup, and whether the service ran a day and two hours ago, so that a new one is given time.
_BACKUP = """
    SELECT (SELECT extract(epoch FROM now() - max(verified_at))::float8 FROM operations_backup
            WHERE status = 'verified' AND kind <> 'configuration'),
           EXISTS (SELECT FROM operations_checkpoint WHERE at <= now() - interval '26 hours' AND at > now() - interval '27 hours')
"""
_WAL = """
    SELECT active, greatest(0, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn))::bigint, wal_status,
           (SELECT extract(epoch FROM now() - safe_at)::float8 FROM operations_protection
            WHERE noted_at > now() - interval '1 minute')
    FROM pg_replication_slots WHERE slot_name = %s
"""
BACKUP_LATE, WAL_LATE = 26 * 3600, 300


class Check(HealthCheck):
    """A check with threads of its own: two that hang make this part unwell, and no other."""

    name: ClassVar[str]
    problem: ClassVar[str]
    threads: ClassVar[ThreadPoolExecutor]
    # The base class adds a second, so an answer comes within two and a half.
    timeout = timedelta(seconds=1.5)
    facts: dict[str, Any]

    def __init_subclass__(cls) -> None:
        cls.threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"health-{cls.__name__.lower()}")

    async def get_result(self, executor: Executor | None = None) -> HealthCheckResult:
        return await super().get_result(self.threads)


@dataclass
class Database(Check):
    name = "database"
    problem = "The database did not answer."
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def run(self) -> None:  # type: ignore[override]
        limit, used = ask(_CONNECTIONS)
        # The server's own limit: what every process of every machine draws from, and what runs out.
        self.facts = {"status": "connected", "pool_size": limit, "active_connections": used}


@dataclass
class Redis(Check):
    name = "redis"
    problem = "Redis did not answer. Messages are kept in the database meanwhile."
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def run(self) -> None:  # type: ignore[override]
        with redis.Redis.from_url(settings.CACHE_URL, socket_connect_timeout=1, socket_timeout=1, retry=None) as client:
            memory: Any = client.info("memory")
        self.facts = {"status": "connected", "memory_used_mb": round(memory["used_memory"] / 1024**2, 1)}


@dataclass
class Knowledge(Check):
    name = "rag_system"
    problem = "The knowledge base could not be read."
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def run(self) -> None:  # type: ignore[override]
        citable, values = Document.objects.citable().order_by().values("pk").query.sql_with_params()
        # What is put in is Django's own text of the query; its values stay parameters.
        chunks, last = ask(_PASSAGES.format(citable=citable, many=COUNTED_EXACTLY), values)
        # Empty is not broken: emergencies, fixed replies and handovers work, and starter content may still be indexed.
        self.facts = {
            "status": "active" if chunks else "empty",
            "chunks_loaded": chunks,
            "last_update": moment(last),
        }


@dataclass
class Queue(Check):
    name = "queue"
    problem = "The waiting messages could not be counted."
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def run(self) -> None:  # type: ignore[override]
        waited = round(ask(OLDEST)[0], 1)
        self.facts = {"status": "late" if waited > QUEUE_LATE else "moving", "oldest_waiting_seconds": waited}


@dataclass
class Watcher(Check):
    name = "watcher"
    problem = "The watcher's last sign of life could not be read."
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def run(self) -> None:  # type: ignore[override]
        age, every = ask(_HEARTBEAT) or (None, 0.0)
        state = "alive"
        if age is None or age > 3 * every:
            state = "starting" if time.monotonic() - STARTED < STARTING_SECONDS else "silent"
        self.facts = {"status": state, "last_seen_seconds": None if age is None else round(age, 1)}


class Copies(Check):
    """What lets the service be brought back. It serves all the same without, so a problem here is never more than late."""

    facts: dict[str, Any]

    def run(self) -> None:  # type: ignore[override]
        try:
            self.facts = self.look()
        except psycopg.Error:  # the check of the database says it, or the tables are not there between two releases
            self.facts = {"status": "unknown"}

    def look(self) -> dict[str, Any]:
        raise NotImplementedError


@dataclass
class Backup(Copies):
    name = "backup"
    problem = "The last backup could not be asked for."
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def look(self) -> dict[str, Any]:
        age, was_up = ask(_BACKUP)
        late = was_up and (age is None or age > BACKUP_LATE)
        state = "late" if late else "none" if age is None else "verified"
        return {"status": state, "last_verified_seconds": None if age is None else round(age)}


@dataclass
class Wal(Copies):
    name = "wal"
    problem = "The receiver of the log could not be asked for."
    facts: dict[str, Any] = field(default_factory=dict, repr=False)

    def look(self) -> dict[str, Any]:
        found = ask(_WAL, [wal.SLOT])
        if found is None:
            return {"status": "none", "behind_bytes": None}
        active, behind, kept, age = found
        late = kept in ("unreserved", "lost") or (age is not None and age > WAL_LATE)
        return {"status": "late" if late else "received" if active else "away", "behind_bytes": behind}


def ask(query: str, values: Any = ()) -> Any:
    """One row over a fresh connection: a pool that is used up or broken must not hide that the server is well."""
    with fresh.connect("health") as own:
        return own.execute(query, values or None).fetchone()


def moment(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


@lru_cache(maxsize=1)
def version() -> str:
    with Path(settings.BASE_DIR, "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def summary(results: Mapping[str, HealthCheckResult]) -> dict[str, Any]:
    """The guide's JSON. `unhealthy` when a part did not answer, `degraded` when one answers and is not as it should be."""
    components = {name: _component(result) for name, result in results.items()}
    broken = any(result.error or components[name]["status"] == "silent" for name, result in results.items())
    weak = any(each["status"] in ("empty", "late") for each in components.values())
    return {
        "status": "unhealthy" if broken else "degraded" if weak else "healthy",
        "version": version(),
        "timestamp": moment(timezone.now()),
        "components": components,
    }


def _component(result: HealthCheckResult) -> dict[str, Any]:
    check = result.check
    assert isinstance(check, Check)
    return {"status": "unreachable", "problem": check.problem} if result.error else check.facts


class HealthView(HealthCheckView):
    """200 when every part answers, 503 when one does not."""

    checks = (Database, Redis, Knowledge, Queue, Watcher, Backup, Wal)

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        checks = [make() for make in self.checks]
        results = await asyncio.gather(*(check.get_result() for check in checks))
        body = summary({check.name: result for check, result in zip(checks, results, strict=True)})
        if not await _may_see_parts(request, database=body["components"]["database"]["status"] == "connected"):
            del body["components"]
        return JsonResponse(body, status=503 if body["status"] == "unhealthy" else 200)


async def _may_see_parts(request: HttpRequest, *, database: bool) -> bool:
    """Without a token in the settings: everybody in the sandbox, staff alone in a live service. While the database is
    away nobody can be recognised, and only the token opens."""
    token = settings.ENVIRONMENT.health_token
    if bears(request, token) or (not token and not settings.LIVE):
        return True
    if not database or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return False
    return bool(await sync_to_async(admin.site.has_permission)(request))


@never_cache
def ready(_: HttpRequest) -> HttpResponse:
    """503 with the reason while requests should go elsewhere or wait."""
    reason = _not_ready()
    return HttpResponse(reason or "ready", status=503 if reason else 200, content_type="text/plain; charset=utf-8")


def _not_ready() -> str:
    """With the database away a drain, which is a row of it, cannot be asked for."""
    if not _database_answers():
        return Database.problem
    return "The service is being drained." if pauses.current(Pause.Kind.DRAIN) else ""


def _database_answers() -> bool:
    try:
        ask("SELECT 1")
    except psycopg.Error:
        return False
    return True


@never_cache
def live(_: HttpRequest) -> HttpResponse:
    """This process takes requests; nothing else is asked."""
    return HttpResponse("ok", content_type="text/plain; charset=utf-8")
