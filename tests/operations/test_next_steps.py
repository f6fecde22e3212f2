"""The buttons of an incident: one is obvious, the others fit its state, and none is there only to refuse."""

from __future__ import annotations

import pytest
from django.utils import timezone

from operations import next_steps
from operations.incidents import NEXT
from operations.models import Incident

NOW = timezone.now()


def an_incident(state: str, *, has_it: bool = True, **fields: object) -> Incident:
    usual: dict[str, object] = {"severity": 2, "mitigation_began_at": NOW}
    return Incident(state=state, acknowledged_at=NOW if has_it else None, **usual | fields)


@pytest.mark.parametrize(
    ("incident", "name"),
    [
        (an_incident("triage", has_it=False), "acknowledge"),
        (an_incident("triage"), "investigating"),
        (an_incident("monitoring", has_it=False), "acknowledge"),
        (an_incident("investigating", mitigation_began_at=None), "begin_mitigation"),
        (an_incident("identified", mitigation_began_at=None), "begin_mitigation"),
        (an_incident("investigating"), "identified"),
        (an_incident("identified"), "monitoring"),
        (an_incident("monitoring"), "resolved"),
        (an_incident("resolved"), "postmortem"),
        (an_incident("postmortem"), "closed"),
    ],
)
def test_the_next_step_is_one(incident: Incident, name: str) -> None:
    found = next_steps.first(incident)
    assert found is not None
    assert found.name == name
    assert found not in next_steps.others(incident)


@pytest.mark.parametrize("state", ["closed", "cancelled", "duplicate"])
def test_what_is_done_has_none(state: str) -> None:
    assert next_steps.first(an_incident(state)) is None


@pytest.mark.parametrize("state", list(NEXT))
def test_every_button_leads_where_the_incident_may_go(state: str) -> None:
    steps = next_steps.others(an_incident(state))
    assert {step.state for step in steps if step.state} <= set(NEXT[state])
    assert len({step.name for step in steps}) == len(steps)


def names(incident: Incident) -> list[str]:
    return [step.name for step in next_steps.others(incident)]


def test_a_serious_one_has_no_button_that_closes_it_unwritten() -> None:
    assert "closed" not in names(an_incident("resolved", severity=1))
    assert "closed" in names(an_incident("resolved", severity=1, postmortem_at=NOW))
    assert "closed" in names(an_incident("resolved", severity=3))
