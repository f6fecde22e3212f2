"""How the copies outside stand, in a word and a sentence, for pages, the checklist at start, and figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from operations import offsite
from operations.figures import State
from operations.models import Backup, OffsiteState
from operations.phrases import count, lasted

# The log is promised within a minute; a busy machine is not yet a failure.
LATE, BROKEN = timedelta(minutes=2), timedelta(minutes=15)


@dataclass(frozen=True)
class Standing:
    """`lost_seconds`: of what was received here, what would be lost if all of it were gone now; None when that is not known."""

    state: State
    said: str
    remedy: str = ""
    lost_seconds: float | None = None
    waiting: int = 0


def standing(*, now: datetime) -> Standing:
    if not offsite.configured():
        if settings.ENVIRONMENT.mode == "sandbox":
            return Standing("good", "None are kept; in the sandbox none are needed.")
        said = "No copies are kept elsewhere: if this machine and its disks are gone, everything is."
        return Standing("at_risk", said, "Set OFFSITE_URL to a bucket or a folder of another machine.")
    rows = {row.name: row for row in OffsiteState.objects.all()}
    waiting = Backup.objects.kept().filter(offsite_at__isnull=True).count()
    log = rows.get("log")
    lost = (now - log.good_at).total_seconds() if log is not None and log.good_at is not None else None
    failing = [row for row in rows.values() if row.failed_at is not None]
    if failing:
        return _failing(failing, lost, waiting, now=now)
    if lost is None:
        return Standing("unknown", "Nothing was copied yet.", "Look again in a minute.", None, waiting)
    if lost > LATE.total_seconds():
        state: State = "breached" if lost > BROKEN.total_seconds() else "at_risk"
        said = f"The last copy of the log is {lasted(timedelta(seconds=lost))} old."
        return Standing(state, said, "See whether the operator's process runs.", lost, waiting)
    also = f" {count(waiting, 'backup is', 'backups are')} on the way." if waiting else ""
    return Standing("good", f"Up to {lasted(timedelta(seconds=lost))} ago all changes lie outside.{also}", "", lost, waiting)


def _failing(failing: list[OffsiteState], lost: float | None, waiting: int, *, now: datetime) -> Standing:
    longest = min(failing, key=lambda row: row.failed_at or now)
    since = now - (longest.failed_at or now)
    state: State = "breached" if since > BROKEN else "at_risk"
    said = f"For {lasted(since)} copies have not gone out. {longest.reason}"
    return Standing(
        state, said, "The service goes on, and it is tried again by itself. Mend what the sentence names.", lost, waiting
    )
