"""Valkey, broker and cache: it answers, it forgets nothing, and what it holds survives a restart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import redis
from django.conf import settings

from operations.preflight import Line, good

NAME = "Valkey"
SECONDS = 2.0
OLDEST = (7, 0)


def lines(url: str | None = None) -> Iterator[Line]:
    with redis.Redis.from_url(
        url or settings.BROKER_URL, socket_connect_timeout=SECONDS, socket_timeout=SECONDS, retry=None
    ) as server:
        try:
            told: dict[str, Any] = server.info()
        except redis.AuthenticationError:
            yield Line(NAME, "breached", "It refuses the password.", "Check the password in REDIS_URL.")
            return
        except (redis.RedisError, OSError) as error:
            yield away(error)
            return
    yield version(told)
    yield forgetting(told)
    yield persistence(told)


def away(error: Exception) -> Line:
    how = "It takes the connection and does not answer" if isinstance(error, redis.TimeoutError) else "It cannot be reached"
    said = f"{how}. Messages are kept in the database; people wait, emergencies do not."
    if not settings.SERVICES_FOUND:
        return Line(NAME, "breached", "It does not run here.", "Start Jeevo with `make run`.")
    return Line(NAME, "breached", said, "See whether Valkey runs, and check REDIS_URL.")


def version(told: dict[str, Any]) -> Line:
    found = str(told.get("valkey_version") or told.get("redis_version") or "0")
    numbers = tuple(int(each) for each in re.findall(r"\d+", found)[:2])
    if numbers < OLDEST:
        return Line(NAME, "at_risk", f"Version {found} is older than what Jeevo is tested with.", "Use Valkey 9, or Redis 7.")
    return good(NAME, f"Version {found} answers and holds {told['used_memory'] / 1024**2:.1f} MB.")


def forgetting(told: dict[str, Any]) -> Line:
    name, policy = "Valkey when full", str(told.get("maxmemory_policy"))
    if policy != "noeviction" and told.get("maxmemory"):
        said = f"It drops keys when its memory is full ({policy}), and work that was handed out may be among them."
        return Line(name, "at_risk", said, "Set maxmemory-policy noeviction in Valkey's configuration.")
    if policy != "noeviction":
        said = f"Its policy is {policy}; it has no limit of memory now, and would drop work if it had one."
        return Line(name, "at_risk", said, "Set maxmemory-policy noeviction in Valkey's configuration.")
    return good(name, "It refuses new keys and keeps the old ones.")


def persistence(told: dict[str, Any]) -> Line:
    name = "Valkey after a restart"
    if not told.get("aof_enabled"):
        said = "It forgets what was handed out; the dispatcher hands it out again after 20 seconds."
        return Line(name, "at_risk", said, "Set appendonly yes in Valkey's configuration.")
    if told.get("aof_last_write_status") != "ok":
        return Line(name, "at_risk", "Its last write to the disk failed.", "See whether its disk is full.")
    return good(name, "What was handed out is written to its disk.")
