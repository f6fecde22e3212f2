"""What the watcher watches, in the order in which it looks."""

from __future__ import annotations

from operations import rollups, samples
from operations.watcher import Watch

ALL: tuple[Watch, ...] = (
    Watch("figures", rollups.Figures()),
    Watch("slow statements", samples.take),
    Watch("old samples", samples.forget, every=3600),
)
