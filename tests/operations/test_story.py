"""The timeline in words, and what happened after a form was made."""

from __future__ import annotations

import pytest
from django.utils import timezone

from operations import incidents, story
from operations.models import TimelineEntry
from tests import factories
from tests.operations.on_duty import MINUTE, declared

pytestmark = pytest.mark.django_db
NOW = timezone.now()
LATER = NOW + 48 * 60 * MINUTE


def test_a_change_says_what_it_was_and_what_it_became() -> None:
    incident = incidents.change(declared(), by=factories.staff("lead"), now=LATER, public=True)
    line = story.lines(incident)[0]
    assert (line.heading, line.old, line.new, line.who) == ("Public", "no", "yes", "lead")


def test_what_did_not_change_shows_no_arrow() -> None:
    incident = incidents.set_severity(declared(severity=2), 2, by=factories.staff("lead"), now=LATER)
    line = story.lines(incident)[0]
    assert (line.heading, line.old, line.new, line.text) == ("Severity", "", "", "Severity confirmed.")


def test_jeevo_itself_is_named_as_the_author() -> None:
    assert [line.who for line in story.lines(declared())] == ["Jeevo"]


@pytest.mark.parametrize("kind", TimelineEntry.Kind.values)
def test_every_kind_has_a_heading_people_can_read(kind: str) -> None:
    entry = TimelineEntry(kind=kind, at=NOW, field="severity" if kind == "changed" else "")
    assert story.line(entry).heading[0].isupper()


def test_every_field_that_a_form_changes_has_a_name() -> None:
    assert {*incidents.FIELDS, *incidents.ROLES, "state", "severity"} <= set(story.FIELDS)


def test_only_newer_changes_of_the_named_fields_count() -> None:
    incident, by = declared(), factories.staff("lead")
    incidents.change(incident, by=by, now=LATER, affected="10 %")
    seen = str(incident.timeline.latest("at").pk)
    assert story.since(incident, seen, ("affected", "eta")) == []
    incidents.change(incident, by=by, now=LATER + MINUTE, eta="03:00")
    incidents.change(incident, by=by, now=LATER + MINUTE, affected="20 %", action="Restarting")
    assert [(line.heading, line.new) for line in story.since(incident, seen, ("affected", "action"))] == [
        ("Who is affected", "20 %"),
        ("What is being done", "Restarting"),
    ]


def test_a_target_that_comes_due_is_no_change_of_the_field_it_is_named_after() -> None:
    incident = declared()
    seen = str(incident.timeline.get().pk)
    incidents.write(incident, TimelineEntry.Kind.DUE, "late", by=None, now=LATER + MINUTE, field="severity", new="breached")
    assert story.since(incident, seen, ("severity",)) == []


@pytest.mark.parametrize("seen", ["", "nonsense", factories.NOBODYS_KEY])
def test_a_form_of_unknown_age_is_not_held_back(seen: str) -> None:
    incident = incidents.change(declared(), by=factories.staff("lead"), now=NOW, eta="03:00")
    assert story.since(incident, seen, ("eta",)) == []
