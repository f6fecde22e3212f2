"""What became of one attempt to send, and when the next one is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Kind = Literal["sent", "again", "failed", "gone", "untried"]
# The wait after each attempt that did not work; after the last one it has failed.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 600, 1800, 7200))
MOST_ATTEMPTS = len(WAITS) + 1


@dataclass(frozen=True)
class Outcome:
    """`again`: try later; `failed`: it will never work; `gone`: nor will any other to this recipient; `untried`: its turn
    did not come, which counts for nothing. `reason` is read by staff."""

    kind: Kind
    reason: str = ""


SENT = Outcome("sent")


def wait_after(attempts: int) -> timedelta | None:
    """None when it has been tried often enough."""
    return WAITS[attempts - 1] if attempts <= len(WAITS) else None
