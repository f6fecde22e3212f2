"""What the watcher watches, in the order in which it looks."""

from __future__ import annotations

from operations import absence, alerts, detection, due, spool_import
from operations.watcher import Watch

ALL: tuple[Watch, ...] = (
    Watch("the database is there", absence.Absence().look),
    Watch("what was written down meanwhile", spool_import.look, every=15),
    Watch("a copy of the contacts", spool_import.keep_contacts, every=60),
    Watch("what is due", due.look),
    *detection.watches(),
    Watch("alerts that ended", alerts.settle, every=60),
)
