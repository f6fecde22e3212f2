"""What the watcher watches, in the order in which it looks."""

from __future__ import annotations

from operations import rollups
from operations.watcher import Watch

ALL: tuple[Watch, ...] = (Watch("figures", rollups.Figures()),)
