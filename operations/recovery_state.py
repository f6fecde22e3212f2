"""How well the service is protected, in one value for pages, the console and the command: what was measured, never a goal.

Good means all of it: any instant can be restored, little would be lost now, a backup was verified within a day, and the
last drill was quick enough. What is not known is said to be unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings

from operations import drills, standbys
from operations.models import Backup, Checkpoint, Drill, Protection
from operations.phrases import lasted

State = Literal["good", "at_risk", "breached", "unknown"]
RPO, RTO = timedelta(minutes=15), timedelta(hours=1)
VERIFIED_WITHIN = timedelta(hours=26)
DRILLED_WITHIN = drills.WEEK + timedelta(days=1)
# The watcher looks each round, which is every five seconds.
STALE, FRESH = timedelta(minutes=1), timedelta(seconds=15)
UNMEASURED = "It is not known how much work would be lost now: the watcher has not looked for a minute."
_WORST_FIRST: tuple[State, ...] = ("breached", "at_risk", "unknown")


@dataclass(frozen=True)
class Reason:
    state: State
    said: str


@dataclass(frozen=True)
class RecoveryState:
    """`exposure` is the work that would be lost now; None where nobody knows. `rto` is that of the last drill that passed;
    `standby` is one line, and `waiting` says whether writes wait for the received log."""

    tier: str
    reasons: tuple[str, ...]
    earliest: datetime | None
    latest: datetime | None
    exposure: timedelta | None
    verified_at: datetime | None
    verified_age: timedelta | None
    drill: Drill | None
    rto: timedelta | None
    standby: str
    waiting: str
    judged: tuple[Reason, ...]

    @property
    def state(self) -> State:
        return next((state for state in _WORST_FIRST if any(each.state == state for each in self.judged)), "good")

    @property
    def rpo_met(self) -> bool | None:
        return None if self.exposure is None else self.exposure <= RPO

    @property
    def rto_met(self) -> bool | None:
        return None if self.rto is None else self.rto <= RTO

    @property
    def exposure_said(self) -> str:
        """Honest words for a tile or a line."""
        if self.exposure is None:
            return "unknown"
        return f"{lasted(self.exposure)} of work" if self.exposure >= timedelta(seconds=1) else "nothing"

    @property
    def said(self) -> str:
        """The worst reason, or that all is well."""
        worst = next((each for each in self.judged if each.state == self.state), None)
        return worst.said if worst else "Any instant can be restored, and the last drill was quick enough."


def look(*, now: datetime) -> RecoveryState:
    row = written()
    verified_at = last_verified()
    drill = Drill.objects.filter(status__in=[Drill.Status.PASSED, Drill.Status.FAILED]).first()
    passed = Drill.objects.filter(status=Drill.Status.PASSED).first()
    exposure = exposure_of(row, now=now)
    state = RecoveryState(
        tier=row.tier,
        reasons=tuple(row.reasons),
        earliest=row.earliest,
        latest=now - exposure if row.earliest and exposure is not None else None,
        exposure=exposure,
        verified_at=verified_at,
        verified_age=now - verified_at if verified_at else None,
        drill=drill,
        rto=timedelta(seconds=passed.rto_seconds) if passed and passed.rto_seconds is not None else None,
        standby=standbys.said(now=now),
        waiting=waiting_said(row, now=now),
        judged=(),
    )
    judged = [
        *_of_tier(state),
        *_of_exposure(state),
        *_of_waiting(row),
        *_of_backups(state, now=now),
        *_of_drills(state, now=now),
    ]
    return RecoveryState(**{**state.__dict__, "judged": tuple(judged)})


def written() -> Protection:
    """What the loops last wrote down; empty before their first look."""
    return Protection.objects.filter(name="service").first() or Protection()


def was_up(at: datetime) -> bool:
    """Whether the service ran about then: the watcher counts each minute."""
    return Checkpoint.objects.filter(at__lte=at, at__gt=at - timedelta(hours=1)).exists()


def last_verified() -> datetime | None:
    rows = Backup.objects.of_database().filter(status=Backup.Status.VERIFIED).order_by("-verified_at")
    return rows.values_list("verified_at", flat=True).first()


def exposure_of(row: Protection, *, now: datetime) -> timedelta | None:
    """The work that would be lost now, None where nobody knows: received up to then, or since the last dump began."""
    if row.tier == "A":
        if row.noted_at is None or row.safe_at is None or now - row.noted_at > STALE:
            return None
        # The last look found everything received, and it was a round or two ago.
        if row.safe_at >= row.noted_at and now - row.noted_at <= FRESH:
            return timedelta(0)
        return max(timedelta(0), now - row.safe_at)
    dumps = Backup.objects.kept().filter(kind=Backup.Kind.DUMP).order_by("-taken_at")
    begun = dumps.values_list("started_at", flat=True).first() if row.tier else None
    return now - begun if begun else None


def waiting_said(row: Protection, *, now: datetime) -> str:
    """Whether an acknowledged write can be lost with the disk; "" where no log is received."""
    if row.tier != "A":
        return ""
    if not settings.ENVIRONMENT.synchronous_replication:
        return "Writes do not wait for the received log: SYNCHRONOUS_REPLICATION is off."
    if row.fell_back_at is not None:
        return f"Writes have not waited for the received log since {row.fell_back_at:%d %B, %H:%M:%S} UTC: its receiver was away."
    if row.waits and row.noted_at is not None and now - row.noted_at <= STALE:
        return "Every write waits until the received log has it: what was acknowledged is not lost with the disk."
    return "Writes do not wait for the received log now; Preflight says what is missing."


def fell_back(row: Protection) -> bool:
    """Whether writes should wait for the received log, and do not any more because its receiver was away."""
    return row.tier == "A" and row.fell_back_at is not None and bool(settings.ENVIRONMENT.synchronous_replication)


def _of_waiting(row: Protection) -> list[Reason]:
    if not fell_back(row):
        return []
    return [
        Reason("at_risk", "Writes no longer wait for the received log: what is acknowledged now could be lost with the disk.")
    ]


def _of_tier(state: RecoveryState) -> list[Reason]:
    if not state.tier:
        return [Reason("unknown", "What can be restored is not known yet: the process for backups has not looked.")]
    if state.tier != "A":
        return [Reason("at_risk", "There are dumps only: what lies between two of them cannot be restored.")]
    return []


def _of_exposure(state: RecoveryState) -> list[Reason]:
    if state.exposure is None:
        return [Reason("unknown", UNMEASURED if state.tier == "A" else "No dump was made yet.")] if state.tier else []
    if state.exposure > RPO:
        return [Reason("breached", f"{lasted(state.exposure)} of work would be lost if the disk failed now.")]
    if state.exposure > RPO / 2:
        return [Reason("at_risk", f"{lasted(state.exposure)} of work would be lost if the disk failed now.")]
    return []


def _of_backups(state: RecoveryState, *, now: datetime) -> list[Reason]:
    if state.verified_age is None:
        if was_up(now - VERIFIED_WITHIN):
            return [Reason("breached", "No backup was verified yet.")]
        return [Reason("at_risk", "No backup was verified yet; the first one is made soon after the start.")]
    if state.verified_age > VERIFIED_WITHIN:
        return [Reason("at_risk", f"The last verified backup is {lasted(state.verified_age)} old.")]
    return []


def _of_drills(state: RecoveryState, *, now: datetime) -> list[Reason]:
    if state.tier != "A":
        return []
    if state.drill is None:
        return [Reason("at_risk", "No drill was held yet: how long a restore takes is not known.")]
    found = []
    if state.drill.status == Drill.Status.FAILED:
        found.append(Reason("breached", f"The last drill failed. {state.drill.reason}"))
    elif now - state.drill.requested_at > DRILLED_WITHIN:
        found.append(Reason("at_risk", f"The last drill was {lasted(now - state.drill.requested_at)} ago."))
    if state.rto is not None and state.rto > RTO:
        found.append(Reason("breached", f"The last drill took {lasted(state.rto)}; a restore should take an hour at most."))
    return found
