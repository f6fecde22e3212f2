"""What the watcher watches, in the order in which it looks."""

from __future__ import annotations

from operations import schedules, window_watch
from operations.watcher import Watch

ALL: tuple[Watch, ...] = (
    Watch("maintenance windows", window_watch.look),
    Watch("maintenance ahead", schedules.make_ahead, every=600),
)
