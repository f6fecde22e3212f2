"""Whether each standby follows, and whether its slot is about to cost more than it is worth."""

from __future__ import annotations

from datetime import datetime

from operations import standbys
from operations.detectors import HIGH, MEDIUM, Signal
from operations.models import Standby


def away(now: datetime) -> list[Signal]:
    """Nothing of it is needed today; without it a lost server is a matter of hours and not of minutes."""
    found = []
    for each in standbys.look(now=now):
        if each.state == Standby.State.AWAY:
            found.append(Signal(f'The standby "{each.name}" does not follow', MEDIUM, each.name, each.said, each.since))
        elif each.state == Standby.State.FOLLOWING and each.behind is not None and each.behind > standbys.LATE:
            found.append(Signal(f'The standby "{each.name}" falls behind', MEDIUM, each.name, each.said))
    return found


def slot_in_danger(now: datetime) -> list[Signal]:
    """The server lets go of what the standby has not taken, or has: then it must be built anew."""
    found = []
    for each in standbys.look(now=now):
        if each.state == Standby.State.LOST:
            found.append(Signal(f'The standby "{each.name}" can follow no more', HIGH, each.name, each.said))
        elif each.slot is not None and each.slot.status not in standbys.KEPT_WELL:
            details = f"The server is about to let go of what it has not taken. {standbys.kept_for(each.slot)}"
            found.append(Signal(f'The log is not kept for the standby "{each.name}"', HIGH, each.name, details))
    return found
