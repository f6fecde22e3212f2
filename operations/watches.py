"""What the watcher watches, in the order in which it looks."""

from __future__ import annotations

from operations import sending
from operations.watcher import Watch

ALL: tuple[Watch, ...] = (Watch("notices", sending.SENDER.run),)
