"""Whether the service could be brought back: backups that were verified, drills that were held, a log that is received."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from operations import backups, drills, offsite, offsite_standing, recovery_state, wal
from operations.detectors import HIGH, MEDIUM, Signal
from operations.models import Backup, Drill, Protection
from operations.phrases import lasted
from operations.recovery_state import DRILLED_WITHIN, VERIFIED_WITHIN

_KEPT_WELL = ("reserved", "extended")


def stale_backup(now: datetime) -> list[Signal]:
    """No backup was verified for longer than a day, and the service ran all that time."""
    last = recovery_state.last_verified()
    if last is not None and now - last <= VERIFIED_WITHIN:
        return []
    if not recovery_state.was_up(now - VERIFIED_WITHIN):
        return []
    details = f"The last one was verified {lasted(now - last)} ago." if last else "None was ever verified."
    return [Signal("No backup was verified for more than 26 hours", HIGH, details=details, since=last)]


def no_room(_: datetime) -> list[Signal]:
    """The next full backup would not fit on the disk."""
    try:
        backups.check_room(factor=backups.ROOM)
    except backups.NotTaken as problem:
        return [Signal("There is no room for the next full backup", MEDIUM, details=str(problem))]
    return []


def drill_failed(_: datetime) -> list[Signal]:
    """The last drill found that an instant cannot be restored as it was. It is over when one passes."""
    last = Drill.objects.filter(status__in=[Drill.Status.PASSED, Drill.Status.FAILED]).first()
    if last is None or last.status == Drill.Status.PASSED:
        return []
    return [Signal("The last restore drill failed", HIGH, details=last.reason, since=last.ended_at)]


def drill_overdue(now: datetime) -> list[Signal]:
    """None for a week and a day, although one could be held."""
    if not Protection.objects.filter(tier="A").exists() or not recovery_state.was_up(now - DRILLED_WITHIN):
        return []
    last = Drill.objects.exclude(status=Drill.Status.REQUESTED).values_list("requested_at", flat=True).first()
    if last is not None and now - last <= drills.WEEK:
        return []
    details = f"The last one was {lasted(now - last)} ago." if last else "None was ever held."
    return [Signal("A restore drill is overdue", HIGH, details=details)]


def receiver_away(_: datetime) -> list[Signal]:
    """Nobody takes the server's log, so that what is written now can only be lost with the disk."""
    state = wal.receiving()
    if state is None and not Backup.objects.kept().bases().exists():
        return []
    if state is not None and state.active:
        return []
    kept = "Its slot is gone." if state is None else _kept(state)
    details = f"What is written since then would be lost with the disk. {kept}"
    return [Signal("The receiver of the database's log has been away for 5 minutes", HIGH, details=details)]


def not_synchronous(_: datetime) -> list[Signal]:
    """Writes waited for the receiver until it was away, and do not any more."""
    row = recovery_state.written()
    if row.fell_back_at is None or not settings.ENVIRONMENT.synchronous_replication:
        return []
    details = (
        f"Since {row.fell_back_at:%H:%M:%S} UTC what is acknowledged may not be in the received log, and would be lost with the"
        " disk. Nobody is kept waiting. Writes wait again by themselves once the receiver follows."
    )
    return [Signal("Writes no longer wait for the received log", HIGH, details=details)]


def slot_in_danger(_: datetime) -> list[Signal]:
    """The server lets go of what the receiver has not taken, or the log fills the disk until it does."""
    state = wal.receiving()
    if state is None or not state.status or state.status in _KEPT_WELL:
        return []
    if state.status == "lost":
        details = "A piece of the log is lost: take a full backup now; instants before it cannot be restored up to now."
    else:
        details = f"The server is about to let go of what was not received. {_kept(state)}"
    return [Signal("The database's log is not kept for its receiver", HIGH, details=details)]


def not_outside(now: datetime) -> list[Signal]:
    """Copies are meant to lie elsewhere too, and for a quarter of an hour none went out."""
    if not offsite.configured():
        return []
    found = offsite_standing.standing(now=now)
    if found.state != "breached":
        return []
    return [Signal("Copies have not gone outside for 15 minutes", MEDIUM, details=f"{found.said} {found.remedy}")]


def _kept(state: wal.Receiving) -> str:
    """How much lies on the disk for it, and what happens to the disk."""
    held = f"The server keeps {state.behind_bytes / 1e6:,.0f} MB of log for it on the disk"
    if state.safe_bytes is None:
        return f"{held}, without a limit: it grows until the disk is full and the database stops."
    return f"{held}; in another {max(0, state.safe_bytes) / 1e6:,.0f} MB it lets go of it."
