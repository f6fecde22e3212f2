"""The list and the page of incidents: what stands on them, who may see it, and what is fetched again."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from operations import incidents
from operations.models import Incident, OnCallContact, Timer
from tests.operations.on_duty import LIST, MINUTE, at_night, browser, declared, page_of, somebody, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def night() -> Client:
    return at_night()


def ended(title: str, **fields: object) -> Incident:
    return incidents.move(declared(title, **fields), "resolved", by=None, now=timezone.now())  # type: ignore[arg-type]


# The list


def test_without_any_incident_the_list_says_how_to_declare_one(night: Client) -> None:
    text = words(night.get(LIST))
    assert "No incident is live." in text
    assert "Declare an incident" in text
    assert "Nothing has ended yet" in text


def test_live_ones_stand_apart_with_what_is_due_next_and_who_has_it(night: Client) -> None:
    first = declared("Answers are late", minutes_ago=4.5)
    second = declared("Search is slow", severity=1)
    incidents.acknowledge(second, by=somebody("day-desk"), now=timezone.now())
    ended("Disk was full")
    text = words(night.get(LIST))
    live, past = text.split(" Over ", 1)
    assert live.index(f"INC-{second.number} 1 Critical") < live.index(f"INC-{first.number} 2 High")
    assert "At risk Acknowledge: in less than a minute" in live
    assert "Good Settle the severity: in 9 minutes" in live
    assert "Nobody has it" in live
    assert "day-desk has it" in live
    assert "Disk was full" in past
    assert "Search is slow" not in past


def test_a_target_that_was_missed_is_said_in_minutes(night: Client) -> None:
    declared(minutes_ago=12.5)
    assert "Breached Acknowledge: 7 minutes late" in words(night.get(f"{LIST}?part=live"))


def test_the_part_that_refreshes_itself_is_only_that_part(night: Client) -> None:
    declared()
    answer = night.get(f"{LIST}?part=live")
    assert "<ol" in answer.content.decode()
    assert "<html" not in answer.content.decode()


@pytest.mark.parametrize("typed", ["INC-{0}", "inc {0}", "{0}", "zebra"])
def test_a_search_finds_past_and_live_ones_by_number_or_title(night: Client, typed: str) -> None:
    found, other = declared("A zebra crossed the line"), ended("Disk was full")
    text = words(night.get(LIST, {"q": typed.format(found.number)})).split(" Found ", 1)[1]
    assert "A zebra crossed the line" in text
    assert other.title not in text


def test_filters_show_counts_and_months(night: Client) -> None:
    ended("One", severity=3)
    ended("Two", severity=3)
    old = ended("Three", severity=4)
    Incident.objects.filter(pk=old.pk).update(declared_at=timezone.now() - timedelta(days=400))
    text = words(night.get(LIST))
    assert "3 Medium (2)" in text
    assert "4 Low (1)" in text
    assert "Resolved (3)" in text
    month = f"{timezone.now():%Y-%m}"
    past = words(night.get(LIST, {"month": month})).split(" Over ", 1)[1]
    assert ("One" in past, "Three" in past) == (True, False)
    assert night.get(LIST, {"month": "never"}).status_code == 200


def test_nothing_can_be_deleted_and_the_stock_forms_are_gone(night: Client) -> None:
    client = Client()
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    incident = declared()
    assert client.post(f"{LIST}{incident.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(LIST, {"action": "delete_selected", "_selected_action": [str(incident.pk)]}).status_code in (200, 302)
    assert Incident.objects.filter(pk=incident.pk).exists()


def test_the_list_stays_cheap_with_many_incidents(night: Client) -> None:
    for number in range(12):
        ended(f"Past {number}")
        declared(f"Live {number}")
    with CaptureQueriesContext(connection) as queries:
        night.get(LIST)
    assert len(queries) <= 24


# The page


def test_the_page_says_what_since_when_who_and_what_is_due(night: Client) -> None:
    incident = declared(minutes_ago=18, affected="about 10 % of messages", impact_started_at=timezone.now() - 65 * MINUTE)
    incidents.acknowledge(incident, by=somebody("day-desk"), now=timezone.now() - 15 * MINUTE)
    incidents.set_severity(incident, 2, by=somebody("lead"), now=timezone.now() - 4 * MINUTE)
    text = words(night.get(page_of(incident)))
    assert f"INC-{incident.number} 2 High Investigating" in text
    assert "Impact began 1 hour ago" in text or "Impact began 1 hour" in text
    assert "day-desk 15" in text
    assert "Commander nobody" in text
    assert "about 10 % of messages" in text
    assert re.search(r"Name a commander 3 minutes late Breached", text)
    assert re.search(r"Begin to mitigate in 1 minute At risk", text)
    assert re.search(r"Acknowledge done in time, \d\d:\d\d Good", text)
    assert re.search(r"Settle the severity done, 3 minutes late, \d\d:\d\d Breached", text) or "4 minutes late" in text


@pytest.mark.parametrize(
    ("steps", "button"),
    [
        ((), "Acknowledge"),
        (("acknowledge",), "Begin mitigation"),
        (("acknowledge", "mitigate"), "Cause found"),
        (("acknowledge", "mitigate", "identified"), "Mitigated, watch it"),
        (("acknowledge", "mitigate", "identified", "monitoring"), "Resolve"),
        (("acknowledge", "mitigate", "identified", "monitoring", "resolved"), "Write the postmortem"),
        (("acknowledge", "resolved", "postmortem"), "Close"),
    ],
)
def test_one_button_is_the_next_step(night: Client, steps: tuple[str, ...], button: str) -> None:
    incident, by, now = declared(), somebody("lead"), timezone.now()
    for step in steps:
        if step == "acknowledge":
            incidents.acknowledge(incident, by=by, now=now)
        elif step == "mitigate":
            incidents.begin_mitigation(incident, "Restarting", by=by, now=now)
        elif step == "postmortem":
            incidents.write_postmortem(incident, "It was full.", root_cause="A full disk.", by=by, now=now)
        else:
            incidents.move(incident, step, by=by, now=now)
    html = night.get(page_of(incident)).content.decode()
    found = re.findall(r'class="button default"[^>]*id="step-[^>]*>([^<]+)<', html)
    assert found == [button]


def test_what_is_over_for_good_has_no_next_step(night: Client) -> None:
    incident = incidents.move(declared(), "cancelled", by=None, now=timezone.now())
    text = words(night.get(page_of(incident)))
    assert "Next step" not in text
    assert "Open it again" in text
    assert "Nothing is due any more." in text


def test_a_part_is_drawn_again_only_when_something_changed(night: Client) -> None:
    incident = declared()
    with time_machine.travel(timezone.now(), tick=False):  # the page says the time
        mark = night.get(page_of(incident), {"part": "now"})["ETag"]
        assert night.get(page_of(incident), {"part": "now"}, headers={"If-None-Match": mark}).status_code == 304
    incidents.acknowledge(incident, by=somebody("day-desk"), now=timezone.now())
    again = night.get(page_of(incident), {"part": "now"}, headers={"If-None-Match": mark})
    assert (again.status_code, "day-desk" in words(again)) == (200, True)
    assert "<html" not in again.content.decode()


def test_a_breach_changes_the_part_although_no_row_changed(night: Client) -> None:
    incident = declared(minutes_ago=1)
    mark = night.get(page_of(incident), {"part": "now"})["ETag"]
    Timer.objects.filter(incident=incident, kind="acknowledge").update(due_at=timezone.now() - MINUTE / 60)
    again = night.get(page_of(incident), {"part": "now"}, headers={"If-None-Match": mark})
    assert again.status_code == 200
    assert 'data-breach="acknowledge-' in again.content.decode()


def test_forms_stand_outside_the_parts_that_refresh_themselves(night: Client) -> None:
    incident = declared()
    for part in ("now", "story"):
        html = night.get(page_of(incident), {"part": part}).content.decode()
        assert re.findall(r"<textarea|<select|<input(?! type=\"hidden\")", html) == []


def test_the_timeline_is_latest_first_readable_and_can_be_narrowed(night: Client) -> None:
    incident, by = declared(), somebody("lead")
    now = timezone.now()
    incidents.update(incident, "The queue grows.", by=by, now=now, affected="20 %")
    incidents.note(incident, "The graph of the queue is in the channel.", by=by, now=now + MINUTE)
    incidents.set_severity(incident, 1, by=by, now=now + 2 * MINUTE, why="Everybody is affected.")
    story = words(night.get(page_of(incident), {"part": "story"}))
    assert story.index("Severity: 2 High became → 1 Critical") < story.index("Note The graph") < story.index("Update The queue")
    assert "Everybody is affected. lead," in story
    notes = words(night.get(page_of(incident), {"part": "story", "show": "notes"}))
    assert ("The graph" in notes, "The queue grows." in notes) == (True, False)
    updates = words(night.get(page_of(incident), {"part": "story", "show": "updates"}))
    assert ("The graph" in updates, "The queue grows." in updates) == (False, True)


def test_typed_words_of_staff_are_never_markup(night: Client) -> None:
    incident = declared("<b>late</b>", details="<script>alert(1)</script>")
    incidents.note(incident, "<img src=x>", by=None, now=timezone.now())
    html = night.get(page_of(incident)).content.decode()
    assert not re.search(r"<script>alert|<img src=x|<b>late", html)


def test_a_runbook_is_a_link_only_when_it_is_an_address(night: Client) -> None:
    assert 'href="https://example.org/r"' in night.get(page_of(declared(runbook="https://example.org/r"))).content.decode()
    assert 'href="javascript' not in night.get(page_of(declared(runbook="javascript:alert(1)"))).content.decode()


def test_nobody_on_call_is_said_until_there_is_somebody(night: Client) -> None:
    incident = declared()
    assert "Nobody is on call" in words(night.get(page_of(incident)))
    assert "Nobody is on call" in words(night.get(LIST))
    OnCallContact.objects.create(position=1, name="Night desk", email="night@example.org")
    assert "Nobody is on call" not in words(night.get(page_of(incident)))
    assert "Nobody is on call" not in words(night.get(LIST))


def test_readers_see_the_page_and_no_button() -> None:
    reader, incident = browser("reader", "view_incident"), declared()
    answer = reader.get(page_of(incident))
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "/step/" not in html
    assert "Declare an incident" not in html


def test_who_may_not_see_incidents_sees_none_of_it() -> None:
    clinician, incident = browser("clinician"), declared()
    for address in (LIST, f"{LIST}?part=live", page_of(incident), f"{page_of(incident)}?part=now", f"{LIST}add/"):
        assert clinician.get(address).status_code == 403
    assert clinician.get(f"{page_of(incident)[:-7]}postmortem/").status_code == 403
    home = words(clinician.get("/admin/"))
    assert "Answers are late" not in home


def test_an_incident_that_is_not_there_is_not_found(night: Client) -> None:
    assert night.get(f"{LIST}{uuid4()}/change/").status_code == 404
    assert night.get(f"{LIST}none/change/").status_code == 404


def test_the_page_stays_cheap_with_a_long_timeline(night: Client) -> None:
    incident, by = declared(), somebody("lead")
    for number in range(40):
        incidents.update(incident, f"Update {number}", by=by, now=timezone.now())
    with CaptureQueriesContext(connection) as queries:
        night.get(page_of(incident))
    assert len(queries) <= 30
    with time_machine.travel(timezone.now(), tick=False):
        mark = night.get(page_of(incident), {"part": "now"})["ETag"]
        with CaptureQueriesContext(connection) as queries:
            night.get(page_of(incident), {"part": "now"}, headers={"If-None-Match": mark})
    assert len(queries) <= 10
