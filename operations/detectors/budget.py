"""The failures that a target allows in a day: when all of them are used up, that is an incident for each target."""

from __future__ import annotations

from datetime import datetime

from operations import history, targets
from operations.detectors import MEDIUM, Signal
from operations.target_kinds import Share, counted
from operations.target_list import ALL

# A handful of failures on a quiet day uses a budget of a thousandth up, and says nothing.
LEAST_FAILED = 5


def error_budget(now: datetime) -> list[Signal]:
    budgeted = [target for target in ALL if target.budgeted]
    seen = targets.look(history.DAY, now=now, targets=budgeted)
    found: list[Signal] = []
    for target in budgeted:
        spent = targets.budget(target, seen)
        failed = counted(seen.whole.sums, target.figure.part) if isinstance(target.figure, Share) else 0
        if spent is not None and spent.used >= 1 and failed >= LEAST_FAILED:
            details = f"{failed} failures in 24 hours. docs/runbooks/{target.runbook}.md says what to do."
            found.append(Signal(f"{target.title}: more failures than a day allows", MEDIUM, scope=target.key, details=details))
    return found
