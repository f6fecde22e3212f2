"""What the watcher watches, in the order in which it looks."""

from __future__ import annotations

from operations import (
    absence,
    alert_intake,
    checkpoints,
    detection,
    due,
    outbound,
    outside,
    protection,
    rollups,
    samples,
    schedules,
    sending,
    spool_import,
    standbys,
    status_page,
    window_watch,
)
from operations.watcher import Watch

ALL: tuple[Watch, ...] = (
    Watch("the database is there", absence.Absence().look),
    Watch("what was written down meanwhile", spool_import.look, every=15),
    Watch("a copy of the contacts", spool_import.keep_contacts, every=60),
    Watch("maintenance windows", window_watch.look),
    Watch("maintenance ahead", schedules.make_ahead, every=600),
    *detection.watches(),
    Watch("alerts that ended", alert_intake.settle, every=60),
    Watch("what is due", due.look),
    # What the others have to say goes out in the same round.
    Watch("notices", sending.SENDER.run),
    Watch("status page", status_page.PAGE.run, every=30),
    Watch("figures", rollups.Figures()),
    Watch("what is received", protection.note),
    Watch("standbys", standbys.note),
    Watch("checkpoint", checkpoints.take, every=60),
    Watch("old checkpoints", checkpoints.forget, every=3600),
    Watch("slow statements", samples.take),
    Watch("old samples", samples.forget, every=3600),
)
# Only where every watch works.
AFTER_GOOD_ROUND: tuple[Watch, ...] = (Watch("outside ping", outside.ping_by(outbound.get), every=outside.EVERY),)
