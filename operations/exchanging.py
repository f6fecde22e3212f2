"""One exchange of the live database for another, watched, and taken back when the service is not well with it.

Each part is in the journal before and after it is done, so that whoever finds a half-made one goes on where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from operations import databases, postgres
from operations.journal import Journal

Told = Callable[[str], None]


@dataclass(frozen=True)
class Change:
    """`incoming` takes the live name, and what had it is called `outgoing`, a name that nothing else ever has."""

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
        if databases.exists(self.outgoing):
            databases.exchange(live=postgres.live().database, incoming=self.outgoing, outgoing=self.incoming)
        connection.close()
        self._write(self.back, "done")
        return False

    @property
    def back(self) -> str:
        return f"{self.step} back"

    def _exchange(self, told: Told) -> None:
        live = postgres.live().database
        told(self.step)
        self._write(self.step, "begun")
        if not databases.exists(self.outgoing):  # else it died between the exchange and the line that says so
            self.carry()
            databases.exchange(live=live, incoming=self.incoming, outgoing=self.outgoing)
        databases.let_in(live)
        self._write(self.step, "done")

    def _well(self, healthy: Callable[[], bool], told: Told) -> bool:
        # Ours was ended with the others, or still is in the database that went.
        connection.close()
        told("health")
        self._write("health", "begun")
        if not healthy():
            return False
        self._write("health", "done")
        return True

    def _write(self, step: str, state: str) -> None:
        self.journal.write(step, state, now=timezone.now())
