"""How Valkey is: memory, hits, evictions, clients, what lies in the cache and for how long, what waits in the lanes.

Two databases of one server: the broker (0), whose keys are tasks on their way, and the cache (1), which may be cleared
at any time. Keys are counted by the first part of their name; no value is read and no whole key is shown.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.urls import reverse

from operations.figures import State
from operations.findings import Finding, Judged, Step, Table
from operations.index_use import size
from operations.pages import ACT
from operations.phrases import count, lasted

LANES = ("answers", "indexing", "operations")
# Looked at in the cache; more would hold the server up for others.
SAMPLE, AT_ONCE = 2_000, 500
MEMORY_AT_RISK, MEMORY_BREACHED = 0.8, 0.95
SLOW_PING_MS = 10
_AWAY = (redis.RedisError, OSError)
# jeevo:1:llm:problem -> llm. Whatever is not a plain word could be anything, and is not shown.
_PREFIX = re.compile(r"^\w+:\d+:([A-Za-z][A-Za-z_.-]{0,30})(?=[:_0-9]|$)")


class NotCleared(Exception):
    """The cache was not cleared; the message says why."""


@dataclass
class Family:
    """Keys that begin alike, with the least and the longest time they have left; `forever` have no end."""

    number: int = 0
    forever: int = 0
    left: list[int] = field(default_factory=list)


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=2, retry=None)


def look(now: datetime) -> Finding:
    try:
        with client(settings.CACHE_URL) as cache, client(settings.BROKER_URL) as broker:
            return _found(cache, broker)
    except _AWAY:
        return Finding(
            "cache",
            "Is Valkey well?",
            "Valkey does not answer",
            "breached",
            (
                "Messages are kept in the database meanwhile, and emergencies are still answered by the dispatcher.",
                "Answers wait until it is back: start it, then look here again.",
            ),
            steps=_steps(),
        )


def _found(cache: redis.Redis, broker: redis.Redis) -> Finding:
    started = time.monotonic()
    cache.ping()
    milliseconds = 1000 * (time.monotonic() - started)
    info: Any = cache.info()
    families, looked = by_family(cache)
    answer, state = _answer(info, families, milliseconds)
    return Finding(
        "cache",
        "Is Valkey well?",
        answer,
        state,
        tuple(_said(info, families)),
        _facts(info, milliseconds),
        (_lanes(broker), _keys(families, looked), _slow(cache)),
        steps=_steps(),
    )


def _steps() -> tuple[Step, ...]:
    return (
        Step("Clear the cache", reverse("admin:troubleshooting_clear"), permission=ACT),
        Step("Workers and queues", reverse("admin:troubleshooting_workers")),
        Step("Runbook: stuck messages", reverse("admin:troubleshooting_runbook", args=["stuck-messages"])),
    )


def limit_of(info: dict[str, Any]) -> int:
    """What it may use: its own limit, or the machine's memory where it has none."""
    return int(info.get("maxmemory") or info.get("total_system_memory") or 0)


def _answer(info: dict[str, Any], families: dict[str, Family], milliseconds: float) -> tuple[str, State]:
    used, limit = int(info["used_memory"]), limit_of(info)
    share = used / limit if limit else 0
    if share > MEMORY_BREACHED:
        return f"Its memory is full: {size(used)} of {size(limit)}", "breached"
    if int(info.get("evicted_keys", 0)):
        return "It has thrown keys away for lack of memory", "breached"
    if share > MEMORY_AT_RISK:
        return f"{size(used)} of {size(limit)} are used", "at_risk"
    if milliseconds > SLOW_PING_MS:
        return f"It takes {milliseconds:,.0f} ms to answer", "at_risk"
    forever = sum(family.forever for family in families.values())
    if forever:
        return f"{count(forever, 'key has', 'keys have')} no end", "at_risk"
    return f"It answers in {milliseconds:,.1f} ms and uses {size(used)}", "good"


def _said(info: dict[str, Any], families: dict[str, Family]) -> list[str]:
    said = []
    if int(info.get("evicted_keys", 0)):
        said.append("A key that is thrown away may be a task on its way: set maxmemory-policy to noeviction and give it memory.")
    if any(family.forever for family in families.values()):
        said.append("Everything Jeevo keeps in the cache ends by itself. A key without an end stays until the cache is cleared.")
    if str(info.get("aof_enabled", 1)) == "0":
        said.append("It keeps nothing on disk: tasks on their way are lost when it stops. The rows in the database are not.")
    return said


def _facts(info: dict[str, Any], milliseconds: float) -> tuple[tuple[str, str], ...]:
    hits, misses = int(info["keyspace_hits"]), int(info["keyspace_misses"])
    asked = hits + misses
    limit = int(info.get("maxmemory", 0))
    return (
        (
            "Memory",
            f"{size(int(info['used_memory']))} of {size(limit)}" if limit else f"{size(int(info['used_memory']))}, no limit set",
        ),
        ("Most so far", size(int(info["used_memory_peak"]))),
        ("When it is full", str(info.get("maxmemory_policy", "unknown"))),
        ("Found in the cache", f"{hits * 100 / asked:.0f} % of {asked:,} times" if asked else "never asked"),
        ("Thrown away", f"{int(info.get('evicted_keys', 0)):,} keys"),
        ("Ended by themselves", f"{int(info.get('expired_keys', 0)):,} keys"),
        ("Clients", f"{int(info['connected_clients']):,}, {int(info.get('blocked_clients', 0)):,} of them waiting"),
        ("Answers in", f"{milliseconds:,.1f} ms"),
        ("Commands a second", f"{int(info.get('instantaneous_ops_per_sec', 0)):,}"),
        ("Version", str(info.get("valkey_version") or info.get("redis_version", "unknown"))),
        ("Running for", lasted(timedelta(seconds=int(info["uptime_in_seconds"])))),
    )


def by_family(cache: redis.Redis) -> tuple[dict[str, Family], int]:
    """A bounded sample of the cache's keys by their first part, and how many were looked at."""
    families: dict[str, Family] = defaultdict(Family)
    keys: list[bytes] = []
    for key in cache.scan_iter(count=AT_ONCE):
        keys.append(key)
        if len(keys) >= SAMPLE:
            break
    pipe = cache.pipeline(transaction=False)
    for key in keys:
        pipe.ttl(key)
    for key, left in zip(keys, pipe.execute() if keys else [], strict=True):
        family = families[family_of(key)]
        family.number += 1
        if left == -1:
            family.forever += 1
        elif left >= 0:
            family.left.append(left)
    return dict(families), len(keys)


def family_of(key: bytes) -> str:
    found = _PREFIX.match(key.decode(errors="replace"))
    return found[1].strip("_.-") if found else "other"


def _keys(families: dict[str, Family], looked: int) -> Table:
    rows = tuple(
        (
            name,
            f"{family.number:,}",
            f"{lasted(timedelta(seconds=min(family.left)))} to {lasted(timedelta(seconds=max(family.left)))}"
            if family.left
            else "-",
            Judged(f"{family.forever:,}", "at_risk" if family.forever else "good"),
        )
        for name, family in sorted(families.items(), key=lambda item: (-item[1].number, item[0]))
    )
    note = f"A sample of {looked:,} keys; there may be more." if looked >= SAMPLE else ""
    return Table(
        "What lies in the cache",
        ("Keys that begin with", "Number", "End in", "Without an end"),
        rows,
        "The cache is empty.",
        (1,),
        note,
    )


def lengths(broker: redis.Redis) -> dict[str, int]:
    return {lane: int(broker.llen(lane)) for lane in LANES}


def _lanes(broker: redis.Redis) -> Table:
    rows = tuple((lane, f"{number:,}") for lane, number in lengths(broker).items())
    taken = int(broker.hlen("unacked"))
    held = f"{count(taken, 'task has', 'tasks have')} been taken by a worker and not finished."
    note = f"{held} Tasks carry keys only; the rows are the queue."
    return Table("Tasks that wait in the broker", ("Lane", "Waiting"), rows, numbers=(1,), note=note)


def _slow(cache: redis.Redis) -> Table:
    entries: Any = cache.slowlog_get(10)
    rows = tuple(
        (str(entry["command"]).split()[0].strip("b'\"").upper(), f"{entry['duration'] / 1000:,.1f} ms", _at(entry["start_time"]))
        for entry in entries
    )
    number = int(cache.slowlog_len())
    note = f"{count(number, 'entry', 'entries')} in the log of slow commands; only their names are shown." if number else ""
    return Table(
        "Slow commands, latest first", ("Command", "Took", "At"), rows, "None is in its log of slow commands.", (1,), note
    )


def _at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%d %b, %H:%M:%S %Z")


def clear(*, typed: str, by: AbstractBaseUser) -> int:
    """Empty the cache and only the cache; returns how many keys went. Raises NotCleared."""
    if typed.strip() != "cache":
        raise NotCleared("Type cache to clear it. Nothing was done.")
    try:
        with client(settings.CACHE_URL) as cache:
            number = int(cache.dbsize())
            cache.flushdb()
    except _AWAY as error:
        raise NotCleared("Valkey does not answer. Nothing was done.") from error
    LogEntry.objects.create(
        user_id=by.pk, action_flag=CHANGE, object_repr="Cache", change_message=f"Cleared: {count(number, 'key', 'keys')}."
    )
    return number
