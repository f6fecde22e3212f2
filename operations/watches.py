"""What the watcher watches, in the order in which it looks."""

from __future__ import annotations

from operations import rollups, samples, sending, status_page
from operations.watcher import Watch

ALL: tuple[Watch, ...] = (
    Watch("notices", sending.SENDER.run),
    Watch("status page", status_page.PAGE.run, every=30),
    Watch("figures", rollups.Figures()),
    Watch("slow statements", samples.take),
    Watch("old samples", samples.forget, every=3600),
)
