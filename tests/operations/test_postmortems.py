"""Writing a postmortem: a draft to begin with, saved with its cause, and only then closed."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from operations import incidents
from operations.models import Incident
from tests.operations.on_duty import MINUTE, at_night, browser, declared, press, somebody, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def night() -> Client:
    return at_night()


def resolved(**fields: object) -> Incident:
    incident = declared(minutes_ago=40, **fields)  # type: ignore[arg-type]
    incidents.note(incident, "The disk filled up.", by=None, now=timezone.now() - 30 * MINUTE)
    return incidents.move(incident, "resolved", by=somebody("lead"), now=timezone.now())


def address(incident: Incident) -> str:
    return f"/admin/operations/incident/{incident.pk}/postmortem/"


def seen(incident: Incident) -> str:
    return str(incident.timeline.order_by("-at", "-id")[0].pk)


def test_the_draft_comes_from_the_timeline_and_asks_for_causes_not_names(night: Client) -> None:
    text = words(night.get(address(resolved())))
    assert "The disk filled up |" in text
    assert "write about the system, not about who" in text


def test_it_is_saved_and_then_closed(night: Client) -> None:
    incident = resolved(severity=1)
    values = {"text": "# What happened\nThe disk filled up.", "root_cause": "No alert on the disk.", "seen": seen(incident)}
    answer = night.post(address(incident), values, follow=True)
    assert "The postmortem is saved." in words(answer)
    assert 'id="step-closed"' in answer.content.decode()
    incident.refresh_from_db()
    assert (incident.state, incident.root_cause, str(incident.postmortem_by)) == (
        "postmortem",
        "No alert on the disk.",
        "night-desk",
    )
    press(night, incident, "closed", seen=seen(incident))
    incident.refresh_from_db()
    assert incident.state == "closed"
    assert "Read it" in words(night.get(address(incident)[:-11] + "change/"))


@pytest.mark.parametrize(("text", "cause"), [("", "A cause"), ("A text", " ")])
def test_both_are_wanted_and_nothing_typed_is_lost(night: Client, text: str, cause: str) -> None:
    incident = resolved()
    answer = night.post(address(incident), {"text": text, "root_cause": cause})
    assert answer.status_code == 400
    assert (text or cause) in answer.content.decode()
    incident.refresh_from_db()
    assert incident.postmortem == ""


def test_a_live_one_is_resolved_first(night: Client) -> None:
    incident = declared()
    assert "Resolve it first" in words(night.get(address(incident)))
    answer = night.post(address(incident), {"text": "A text", "root_cause": "A cause"})
    assert answer.status_code == 409
    assert "A text" in answer.content.decode()
    incident.refresh_from_db()
    assert incident.postmortem_at is None


def test_what_a_colleague_saved_meanwhile_is_not_overwritten(night: Client) -> None:
    incident = resolved()
    old = seen(incident)
    incidents.write_postmortem(incident, "Theirs", root_cause="Theirs", by=somebody("day-desk"), now=timezone.now())
    answer = night.post(address(incident), {"text": "Mine", "root_cause": "Mine", "seen": old})
    assert answer.status_code == 409
    assert "Postmortem was changed (day-desk," in words(answer)
    assert "Mine" in answer.content.decode()
    incident.refresh_from_db()
    assert incident.postmortem == "Theirs"


def test_readers_read_it_and_cannot_save(night: Client) -> None:
    incident = incidents.write_postmortem(resolved(), "Written", root_cause="Known", by=somebody("day-desk"), now=timezone.now())
    reader = browser("reader", "view_incident")
    answer = reader.get(address(incident))
    assert "Written" in words(answer)
    assert "<textarea" not in answer.content.decode()
    assert reader.post(address(incident), {"text": "x", "root_cause": "x"}).status_code == 403


def test_the_moments_of_a_draft_can_be_read(night: Client) -> None:
    incident = resolved()
    text = words(night.get(address(incident)))
    assert f"Impact began {incident.impact_started_at:%d %b %Y, %H:%M} UTC" in text
    assert "[number]" not in text
