"""What a person can do with an incident next: one obvious step, and the others that fit its state."""

from __future__ import annotations

from dataclasses import dataclass

from operations.incidents import NEXT
from operations.models import Incident

State = Incident.State


@dataclass(frozen=True)
class Step:
    """A button. `state` is where it leads, empty when it leads nowhere else; `told` says that subscribers hear of it."""

    name: str
    label: str
    said: str
    state: str = ""
    told: bool = False


ACKNOWLEDGE = Step("acknowledge", "Acknowledge", "You have it from now on, and nobody else is called.")
MITIGATE = Step("begin_mitigation", "Begin mitigation", "Something is being done about it, even before the cause is known.")
POSTMORTEM = Step("postmortem", "Write the postmortem", "A draft from the timeline waits for you.")
MOVES = {
    each.state: each
    for each in (
        Step("investigating", "Look into it again", "It is not what it seemed, or it came back.", State.INVESTIGATING, told=True),
        Step("identified", "Cause found", "What is wrong is known.", State.IDENTIFIED, told=True),
        Step("monitoring", "Mitigated, watch it", "People are served again; see that it stays so.", State.MONITORING, told=True),
        Step("resolved", "Resolve", "It is over. Nothing is due any more.", State.RESOLVED, told=True),
        Step("closed", "Close", "Nothing is left to write down.", State.CLOSED),
        Step("triage", "Open it again", "It needs somebody after all.", State.TRIAGE),
    )
}
_OBVIOUS: dict[str, str] = {
    State.INVESTIGATING: State.IDENTIFIED,
    State.IDENTIFIED: State.MONITORING,
    State.MONITORING: State.RESOLVED,
    State.POSTMORTEM: State.CLOSED,
}
BUTTONS = {each.name: each for each in (ACKNOWLEDGE, MITIGATE, *MOVES.values())}


def first(incident: Incident) -> Step | None:
    """The next step, as the guide has them: somebody has it, something is done, it is watched, it is over, it is written."""
    if incident.is_live and incident.acknowledged_at is None:
        return ACKNOWLEDGE
    if incident.state in (State.INVESTIGATING, State.IDENTIFIED) and incident.mitigation_began_at is None:
        return MITIGATE
    if incident.state == State.RESOLVED:
        return POSTMORTEM
    if incident.state == State.TRIAGE:
        return MOVES[State.INVESTIGATING]
    obvious = _OBVIOUS.get(incident.state)
    return MOVES[obvious] if obvious else None


def others(incident: Incident) -> list[Step]:
    """Everything else that a press of one button does from here, nearest first."""
    found = [MOVES[state] for state in NEXT[incident.state] if state in MOVES]
    if incident.is_live and incident.mitigation_began_at is None and incident.state != State.MONITORING:
        found.insert(0, MITIGATE)
    if incident.state == State.POSTMORTEM:
        found.insert(0, POSTMORTEM)
    obvious = first(incident)
    return [step for step in found if step != obvious and not _needs_more(incident, step)]


def _needs_more(incident: Incident, step: Step) -> bool:
    """A serious incident is not closed before its postmortem is written; a button that only refuses helps nobody."""
    return step.state == State.CLOSED and incident.severity <= 2 and incident.postmortem_at is None
