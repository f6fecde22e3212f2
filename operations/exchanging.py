"""One exchange of the live database, or of the live knowledge base, for another, watched, and taken back when the service
is not well with it.

Each part is in the journal before and after it is done, so that whoever finds a half-made one goes on where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import connection
from django.utils import timezone

from operations import databases, knowledge_exchange, knowledge_tables, postgres
from operations.journal import Journal

Told = Callable[[str], None]


class Place(Protocol):
    """Where both lie beside one another. `exchange` is all or nothing, and says what is worth remembering of it; `settle` may
    be repeated and ends what it began."""

    def exists(self, name: str) -> bool: ...
    def exchange(self, *, incoming: str, outgoing: str) -> dict[str, Any]: ...
    def settle(self) -> None: ...


class Databases:
    """Whole databases, of which one has the live name."""

    def exists(self, name: str) -> bool:
        return databases.exists(name)

    def exchange(self, *, incoming: str, outgoing: str) -> dict[str, Any]:
        databases.exchange(live=postgres.live().database, incoming=incoming, outgoing=outgoing)
        return {}

    def settle(self) -> None:
        databases.let_in(postgres.live().database)


class KnowledgeTables:
    """Schemas with the tables of the knowledge base, of which those in `public` are live."""

    def exists(self, name: str) -> bool:
        return knowledge_tables.exists(name)

    def exchange(self, *, incoming: str, outgoing: str) -> dict[str, Any]:
        return knowledge_exchange.exchange(incoming=incoming, outgoing=outgoing)

    def settle(self) -> None:
        knowledge_exchange.settle()


@dataclass(frozen=True)
class Change:
    """`incoming` becomes live, and what was so is called `outgoing`, a name that nothing else ever has."""

    place: Place
    journal: Journal
    step: str
    incoming: str
    outgoing: str
    carry: Callable[[], None]

    def make(self, *, healthy: Callable[[], bool], told: Told) -> bool:
        """True when `incoming` is live and well, False when what was live before is so again."""
        if not self.journal.begun(self.back):
            if not self.journal.done(self.step):
                self._exchange(told)
            if self._well(healthy, told):
                return True
            told(self.back)
            self._write(self.back, "begun")
        facts = {}
        if self.place.exists(self.outgoing):
            facts = self.place.exchange(incoming=self.outgoing, outgoing=self.incoming)
        connection.close()
        self.place.settle()
        self._write(self.back, "done", **facts)
        return False

    @property
    def back(self) -> str:
        return f"{self.step} back"

    def _exchange(self, told: Told) -> None:
        told(self.step)
        self._write(self.step, "begun")
        facts = {}
        if not self.place.exists(self.outgoing):  # else it died between the exchange and the line that says so
            self.carry()
            facts = self.place.exchange(incoming=self.incoming, outgoing=self.outgoing)
        self.place.settle()
        self._write(self.step, "done", **facts)

    def _well(self, healthy: Callable[[], bool], told: Told) -> bool:
        # Ours was ended with the others, or still is in the database that went.
        connection.close()
        told("health")
        self._write("health", "begun")
        if not healthy():
            return False
        self._write("health", "done")
        return True

    def _write(self, step: str, state: str, **facts: Any) -> None:
        self.journal.write(step, state, now=timezone.now(), **facts)
