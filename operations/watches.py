"""What the watcher watches, in the order in which it looks."""

from __future__ import annotations

from operations import alerts, detection, due
from operations.watcher import Watch

ALL: tuple[Watch, ...] = (
    Watch("what is due", due.look),
    *detection.watches(),
    Watch("alerts that ended", alerts.settle, every=60),
)
