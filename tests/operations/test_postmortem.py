"""The draft of a postmortem: everything that the rows know, questions for the rest, nobody's phone number."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User

from operations import incidents, postmortem
from operations.models import Incident
from tests import factories

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def meera() -> User:
    return factories.staff("meera")


@pytest.fixture
def incident(meera: User) -> Incident:
    found, _ = incidents.declare("Messages | wait", severity=2, now=NOW, impact_started_at=NOW - 12 * MINUTE)
    incidents.acknowledge(found, by=meera, now=NOW + 7 * MINUTE)
    incidents.set_severity(found, 1, by=meera, now=NOW + 9 * MINUTE, why="It is everybody.")
    incidents.assign(found, "commander", meera, by=meera, now=NOW + 9 * MINUTE)
    incidents.update(found, "Looking.\nCalled +91 98100 00001 | back", by=meera, now=NOW + 20 * MINUTE, affected="about 40 %")
    incidents.follow_up(
        found, "Alert at 70 %", kind="detective", owner=meera, due_on=date(2026, 3, 9), by=meera, now=NOW + 25 * MINUTE
    )
    return incidents.move(found, "resolved", by=meera, now=NOW + 48 * MINUTE, text="The disk has room again.")


def test_what_is_known_is_filled_in(incident: Incident) -> None:
    text = postmortem.draft(incident)
    assert text.startswith(f"# INC-{incident.number}: Messages | wait\n\n- Severity: 1 Critical\n")
    assert "- From the start of impact to the end: 60 minutes\n" in text
    assert "- Not seen for 12 minutes\n" in text
    assert "- Affected: about 40 %\n" in text
    assert "- Commander: meera\n- Took part: meera\n" in text
    assert "- [ ] Alert at 70 % (detective; meera, by 09 Mar 2026)" in text
    assert "## Open questions\n\n- What made this possible?" in text


def test_what_was_due_stands_beside_when_it_was_met(incident: Incident) -> None:
    text = postmortem.draft(incident)
    assert "| Acknowledge | 5 minutes | after 7 minutes, late |" in text
    assert "| Settle the severity | 10 minutes | after 9 minutes, in time |" in text
    assert "| Begin to mitigate | 20 minutes | no longer wanted: it was over first |" in text
    # At minute 20 the one of minute 15 was late; the next, due at 35, was still owed at 48.
    assert "Updates every 15 minutes: 2 updates were late." in text


def test_the_timeline_counts_minutes_from_detection_and_no_words_end_a_row(incident: Incident) -> None:
    text = postmortem.draft(incident)
    assert "| +0 | Jeevo | Declared. Messages \\| wait |" in text
    assert "| +9 | meera | Changed. severity: 2 High → 1 Critical. It is everybody |" in text
    rows = [line for line in text.splitlines() if line.startswith(("| +", "| -"))]
    assert len(rows) == incident.timeline.count()


def test_a_phone_number_in_a_note_is_masked(incident: Incident) -> None:
    text = postmortem.draft(incident)
    assert "98100" not in text
    assert "Called [number] \\| back" in text


def test_an_open_incident_that_nobody_took_has_a_draft_too() -> None:
    text = postmortem.draft(incidents.declare("Late", severity=3, now=NOW)[0])
    assert "not resolved yet" in text
    assert "- Took part: nobody but Jeevo" in text
    assert "| Acknowledge | 5 minutes | not yet |" in text
    assert "## Follow-ups\n\nNone yet." in text


def test_drafting_changes_no_row(incident: Incident) -> None:
    before = incident.timeline.count(), Incident.objects.values().get()
    postmortem.draft(incident)
    assert (incident.timeline.count(), Incident.objects.values().get()) == before
