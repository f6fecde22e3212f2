"""What subscribers read: every line of the guide's template, filled in or said to be unknown, and nobody's name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from operations import communication
from operations.models import Incident

NOW = datetime(2026, 3, 1, 2, 40, tzinfo=UTC)


def an_incident(**fields: object) -> Incident:
    usual: dict[str, object] = {"number": 12, "title": "Answers are late", "severity": 2, "state": "investigating"}
    return Incident(**usual | fields)


def test_every_line_of_the_template_is_filled_in() -> None:
    incident = an_incident(affected="about 10 %", action="Restarting the workers", eta="03:00 UTC")
    subject, body = communication.message(incident, now=NOW, text="The queue shrinks.")
    assert subject == "Investigating: Answers are late (INC-12)"
    assert body == (
        "Incident INC-12: Answers are late\n\n"
        "Service: Jeevo health helpline\n"
        "Severity: 2 High\n"
        "Status: Investigating\n"
        "Last known status: 01 Mar 2026, 02:40 UTC\n"
        "Affected: about 10 %\n"
        "Current action: Restarting the workers\n"
        "Expected to be over: 03:00 UTC\n\n"
        "The queue shrinks.\n\n"
        "The next message comes within 15 minutes, or sooner when there is news."
    )


def test_what_nobody_knows_yet_is_said_to_be_unknown() -> None:
    body = communication.message(an_incident(), now=NOW)[1]
    assert body.count("not known yet") == 3
    assert "\n\n\n" not in body


def test_the_end_says_when_and_promises_no_more() -> None:
    incident = an_incident(state="resolved", resolved_at=NOW)
    subject, body = communication.message(incident, now=NOW)
    assert subject.startswith("Resolved:")
    assert "Resolved: 01 Mar 2026, 02:40 UTC" in body
    assert "This is the last message about it" in body
    assert "within" not in body


def test_the_interval_is_the_incidents_own_and_nothing_shouts() -> None:
    body = communication.message(an_incident(update_every=timedelta(minutes=30)), now=NOW)[1]
    assert "within 30 minutes" in body
    assert "!" not in body


def test_a_long_title_still_fits_a_subject() -> None:
    assert len(communication.message(an_incident(title="x" * 200), now=NOW)[0]) == 200
