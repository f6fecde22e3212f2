"""The database is away: the watcher says so by itself, once, in a file and by e-mail, for nothing else can be said then."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import InterfaceError, OperationalError, connection

from operations import spool, spool_mail
from operations.detectors import Signal

log = structlog.get_logger(__name__)
KIND = "database_away"
PATIENCE = timedelta(minutes=1)
TITLE = "The database does not answer"
DETAILS = (
    "The watcher cannot reach Postgres. WhatsApp keeps what it cannot deliver and tries again for days, so messages are late"
    " and not lost. docs/runbooks/jeevo-down.md says what to do."
)


class Absence:
    """Remembers since when, for one process; a file that waits says that another has told of it already."""

    def __init__(self) -> None:
        self.since: datetime | None = None

    def look(self, now: datetime) -> None:
        if _answers():
            self.since = None
            return
        self.since = min(self.since or now, now)
        if now - self.since >= PATIENCE and not any(step.kind == KIND for step in spool.steps()):
            self._tell(self.since)

    def _tell(self, since: datetime) -> None:
        step = spool.new_step(spool.DECLARE, now=since, title=TITLE, severity=1, kind=KIND, details=DETAILS)
        spool.write(step)
        mailed = spool_mail.tell_first(f"Severity 1: {TITLE}", f"{TITLE} since {since:%H:%M} UTC.\n\n{DETAILS}\n")
        log.error("the database is away; an incident was written down", told=len(mailed.names))


def _answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (OperationalError, InterfaceError):
        connection.close()
        return False
    return True


def never(_: datetime) -> list[Signal]:
    """The detector of this kind: where it can look at all, the database is there."""
    return []
