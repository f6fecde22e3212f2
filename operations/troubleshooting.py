"""Everything that troubleshooting can look at, and the order to look in for each symptom that people notice.

The console's pages and `manage.py inspect` are both made from this list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, InterfaceError, connection

from operations import (
    database_connections,
    error_places,
    index_use,
    machine,
    memory,
    reach,
    releases,
    search_index,
    slow_queries,
    valkey,
    workers,
)
from operations.findings import Finding
from operations.periods import Period


@dataclass(frozen=True)
class Topic:
    """`glance` answers without waiting for anybody, for the front page; `over` looks at a stretch of time."""

    name: str
    title: str
    look: Callable[[datetime], Finding]
    glance: Callable[[datetime], Finding]
    over: Callable[[datetime, Period], Finding] | None = None

    def find(self, now: datetime, period: Period) -> Finding:
        """What is found, or that the database is away: at that hour the page is needed most."""
        try:
            return self.over(now, period) if self.over else self.look(now)
        except (DatabaseError, InterfaceError):
            return self._without_database()

    def brief(self, now: datetime) -> Finding:
        try:
            return self.glance(now)
        except (DatabaseError, InterfaceError):
            return self._without_database()

    def _without_database(self) -> Finding:
        connection.close_if_unusable_or_obsolete()
        here = ", ".join(dict.fromkeys(each.name for each in machine.running())) or "none that can be seen from here"
        said = ("Messages are kept by WhatsApp until it is back. Look at its process, its disk and the way to it.",)
        return Finding(
            self.name, self.title, "The database did not answer", "breached", said, (("Processes that live here", here),)
        )


def _topic(name: str, title: str, look: Callable[[datetime], Finding]) -> Topic:
    return Topic(name, title, look, look)


TOPICS = (
    _topic("queries", "Slow queries", slow_queries.look),
    _topic("indexes", "Indexes", index_use.look),
    _topic("connections", "Connections", database_connections.look),
    _topic("cache", "Valkey", valkey.look),
    _topic("search", "Search index", search_index.look),
    Topic("workers", "Workers and queues", workers.look, workers.at_a_glance),
    Topic("memory", "Memory", memory.look, memory.look, memory.look),
    Topic("errors", "Errors", error_places.look, error_places.look, error_places.look),
    _topic("reach", "Reach", reach.look),
    _topic("releases", "Releases", releases.look),
)
BY_NAME = {topic.name: topic for topic in TOPICS}
# Several topics at once, for the command.
GROUPS = {"database": ("queries", "indexes", "connections")}


@dataclass(frozen=True)
class Symptom:
    """What people notice, and what to look at, in this order."""

    title: str
    noticed: str
    topics: tuple[str, ...]
    runbook: str


SYMPTOMS = (
    Symptom(
        "Answers are slow",
        "People wait for their answer, or the webhook is slow.",
        ("workers", "queries", "cache", "search", "reach"),
        "slow-answers",
    ),
    Symptom(
        "Much fails", "Errors in the figures, answers that are not sent.", ("errors", "reach", "releases"), "high-error-rate"
    ),
    Symptom(
        "The database refuses connections",
        "Pages do not load, health says the database is away.",
        ("connections", "indexes"),
        "connections",
    ),
    Symptom("Memory grows", "A process gets larger, or the machine ends it.", ("memory",), "memory"),
)
