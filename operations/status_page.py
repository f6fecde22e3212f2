"""Writes the public status page: a folder of plain files that any web server can serve while Jeevo is down.

Each file is written whole beside its place and then moved there, so that nobody reads half a page. It is written when
something changed, and every five minutes for the time that it shows: a page that is older says by that time that
Jeevo's server is away.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.template.loader import render_to_string
from django.utils.feedgenerator import Atom1Feed

from operations import public_status, site
from operations.public_status import PublicIncident, Status

log = structlog.get_logger(__name__)
REWRITE_SECONDS = 300.0
# After this long the page is older than it should be, and says what that means.
OLD = timedelta(minutes=15)
STYLE = settings.BASE_DIR / "static" / "jeevo" / "status.css"


class StatusPage:
    def __init__(self) -> None:
        self.last: Status | None = None
        self.late_since: datetime | None = None
        self._written = float("-inf")

    def run(self, now: datetime) -> None:
        status = self._now(now)
        folder = settings.ENVIRONMENT.status_page
        recent = time.monotonic() - self._written < REWRITE_SECONDS
        if recent and status == self.last and (folder / "index.html").exists():
            return
        write(status, folder)
        self.last, self._written = status, time.monotonic()

    def _now(self, now: datetime) -> Status:
        try:
            status = public_status.gather(now)
        except (OperationalError, InterfaceError):
            connection.close()
            self.late_since = self.late_since or now
            return public_status.late(self.last or known(), since=self.late_since, now=now)
        self.late_since = None
        return status


def known() -> Status | None:
    """What the last page said, for a watcher that starts while the database is away."""
    try:
        return public_status.from_json((settings.ENVIRONMENT.status_page / "status.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeError):
        return None


def write(status: Status, folder: Path) -> None:
    """The page itself last, so that it never points to a style that is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / "status.css", STYLE.read_text(encoding="utf-8"))
    _put(folder / "status.json", public_status.to_json(status))
    _put(folder / "feed.atom", feed(status))
    _put(folder / "index.html", page(status))


def page(status: Status) -> str:
    return render_to_string("operations/status.html", {"status": status, "old_minutes": OLD // timedelta(minutes=1)})


def feed(status: Status) -> str:
    """One entry for each incident, with an id that stays while its text grows."""
    home = site.address("/status/")
    atom = Atom1Feed(
        title=f"{status.service}: status",
        link=home,
        description=status.sentence,
        language="en",
        author_name=status.service,
        feed_url=site.address("/status/feed.atom"),
        subtitle=status.sentence,
        feed_guid=site.address("/status/"),
    )
    for incident in status.incidents:
        atom.add_item(
            title=incident.affected or f"Trouble with {status.service}",
            link=f"{home}#incident-{incident.id}",
            description=render_to_string("operations/status_entry.html", {"incident": incident}),
            unique_id=f"urn:uuid:{incident.id}",
            pubdate=incident.started_at,
            updateddate=incident.changed_at,
            categories=[_category(incident)],
        )
    return atom.writeString("utf-8")


def _category(incident: PublicIncident) -> str:
    return "now" if incident.live else "over"


def _put(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Another program, under another account, serves it.
        draft.chmod(0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


PAGE = StatusPage()
