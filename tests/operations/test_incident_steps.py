"""What is pressed and typed on the page of an incident, two people at once, and forms that are older than the incident."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from operations import incidents
from operations.models import Delivery, FollowUp, Incident, Notice, Subscriber
from tests.operations.on_duty import at_night, browser, declared, page_of, press, running, somebody, step_of, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def night() -> Client:
    return at_night()


@pytest.fixture
def clinic() -> Subscriber:
    return Subscriber.objects.create(name="clinic", channel="email", address="clinic@example.org", least_severity=4)


def seen(incident: Incident) -> str:
    return str(incident.timeline.order_by("-at", "-id")[0].pk)


def update(**values: Any) -> dict[str, Any]:
    return {f"update-{name}": value for name, value in ({"text": "The queue shrinks."} | values).items()}


def test_an_incident_goes_from_button_to_button(night: Client) -> None:
    incident, desk = declared(), User.objects.get(username="night-desk")
    assert "You have it." in words(press(night, incident, "acknowledge"))
    for name, says in (
        ("begin_mitigation", "Mitigation has begun."),
        ("identified", "It is identified now."),
        ("monitoring", "It is monitoring now."),
        ("resolved", "It is resolved now."),
    ):
        assert says in words(press(night, incident, name, seen=seen(incident)))
    incident.refresh_from_db()
    assert (incident.state, incident.acknowledged_by) == ("resolved", desk)
    assert running(incident) == set()
    assert set(incident.timeline.exclude(kind="declared").values_list("by", flat=True)) == {desk.pk}


def test_the_second_of_two_people_gets_a_sentence_and_not_an_error(night: Client) -> None:
    incident = declared()
    press(browser("day-desk", "view_incident", "run_incident"), incident, "acknowledge", seen=seen(incident))
    answer = press(night, incident, "acknowledge")
    assert answer.status_code == 200
    assert "ay-desk acknowledged it already" in words(answer)
    incident.refresh_from_db()
    assert str(incident.acknowledged_by) == "day-desk"


def test_a_press_on_an_old_page_is_refused_with_what_changed(night: Client) -> None:
    incident = incidents.acknowledge(declared(), by=somebody("lead"), now=timezone.now())
    old = seen(incident)
    incidents.move(incident, "monitoring", by=somebody("day-desk"), now=timezone.now())
    text = words(press(night, incident, "resolved", seen=old))
    assert "Nothing was done, because the incident moved on meanwhile" in text
    assert "State is “Monitoring” now, was “Investigating” (day-desk," in text
    incident.refresh_from_db()
    assert incident.state == "monitoring"


def test_pressing_twice_does_it_once(night: Client) -> None:
    incident = incidents.acknowledge(declared(), by=somebody("lead"), now=timezone.now())
    old = seen(incident)
    press(night, incident, "identified", seen=old)
    press(night, incident, "identified", seen=old)
    assert incident.timeline.filter(field="state", new="Identified").count() == 1


@pytest.mark.parametrize(("public", "told"), [(True, ["monitoring", "resolved", "reopened"]), (False, [])])
def test_subscribers_hear_of_the_steps_of_a_public_one(night: Client, clinic: Subscriber, public: bool, told: list[str]) -> None:
    incident = incidents.acknowledge(declared(public=public), by=somebody("lead"), now=timezone.now())
    for name in ("monitoring", "resolved", "investigating"):
        press(night, incident, name, seen=seen(incident))
    assert list(Notice.objects.order_by("created_at").values_list("event", flat=True)) == told
    assert Delivery.objects.count() == len(told)


def test_a_part_is_taken_and_given(night: Client) -> None:
    incident, lead = declared(), somebody("lead")
    assert "Commander: night-desk." in words(press(night, incident, "take", role="commander", seen=seen(incident)))
    assert "commander" not in running(incident)
    values = {"role-role": "scribe", "role-person": lead.pk}
    assert "Scribe: lead." in words(press(night, incident, "role", seen=seen(incident), **values))
    values = {"role-role": "commander", "role-person": ""}
    assert "Commander: nobody." in words(press(night, incident, "role", seen=seen(incident), **values))
    incident.refresh_from_db()
    assert (incident.commander, incident.scribe) == (None, lead)


def test_a_part_that_somebody_else_just_took_is_not_taken_from_them(night: Client) -> None:
    incident, lead = declared(), somebody("lead")
    old = seen(incident)
    incidents.assign(incident, "commander", lead, by=lead, now=timezone.now())
    assert "moved on meanwhile: Commander is “lead” now" in words(press(night, incident, "take", role="commander", seen=old))
    incident.refresh_from_db()
    assert incident.commander == lead


@pytest.mark.parametrize("values", [{"role-role": "king", "role-person": ""}, {"role-role": "scribe", "role-person": "999999"}])
def test_a_part_or_person_that_there_is_not_is_refused(night: Client, values: dict[str, str]) -> None:
    assert press(night, declared(), "role", **values).status_code == 400
    assert "There is no such part." in words(press(night, declared(), "take", role="king"))


def test_only_active_staff_can_be_given_a_part(night: Client) -> None:
    gone, stranger = somebody("gone"), User.objects.create(username="stranger")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    for person in (gone, stranger):
        answer = press(night, declared(), "role", **{"role-role": "scribe", "role-person": person.pk})
        assert answer.status_code == 400


def test_an_update_settles_the_interval_and_tells_subscribers_if_asked(night: Client, clinic: Subscriber) -> None:
    incident = declared(minutes_ago=10)
    text = words(press(night, incident, "update", seen=seen(incident), **update(affected="10 %", eta="03:00 UTC")))
    assert "Your update is in the timeline." in text
    assert not Notice.objects.exists()
    press(night, incident, "update", seen=seen(incident), **update(tell="on", affected="5 %"))
    notice = Notice.objects.get()
    assert "Affected: 5 %" in notice.body
    assert "The queue shrinks." in notice.body
    assert notice.deliveries.get().recipient == "clinic"
    assert "clinic by e-mail: Queued" in words(night.get(page_of(incident), {"part": "story"}))
    reader = words(browser("reader", "view_incident").get(page_of(incident), {"part": "story"}))
    assert ("1 Queued" in reader, "clinic" in reader) == (True, False)


def test_a_public_incident_has_the_box_ticked_and_says_how_many(night: Client, clinic: Subscriber) -> None:
    box = 'name="update-tell" id="id_update-tell"'
    public = night.get(page_of(declared(public=True))).content.decode()
    assert f"{box} checked" in public
    assert "Also tell subscribers (1 address)" in public
    assert f"{box} checked" not in night.get(page_of(declared())).content.decode()


def test_a_preview_shows_what_would_be_sent_and_saves_nothing(night: Client, clinic: Subscriber) -> None:
    incident = declared()
    answer = press(night, incident, "update", preview="yes", **update(affected="5 %", tell="on"))
    text = words(answer)
    assert "Investigating" not in text.split("This is what subscribers would read")[0]
    assert "Affected: 5 % Current action: not known yet" in text
    assert "The queue shrinks.</textarea>" in answer.content.decode()
    incident.refresh_from_db()
    assert (incident.affected, incident.timeline.count(), Notice.objects.count()) == ("", 1, 0)


def test_an_empty_update_is_refused_where_it_stands_and_nothing_typed_is_lost(night: Client) -> None:
    incident = declared()
    answer = press(night, incident, "update", **update(text=" ", affected="a third of people"))
    assert answer.status_code == 400
    assert "Write something under “What is going on”." in words(answer)
    assert "a third of people" in answer.content.decode()
    assert incident.timeline.count() == 1


def test_an_old_form_does_not_put_back_what_somebody_else_changed(night: Client) -> None:
    incident, lead = declared(affected="10 %"), somebody("lead")
    old = seen(incident)
    incidents.update(incident, "It grows.", by=lead, now=timezone.now(), affected="40 %")
    answer = press(night, incident, "update", seen=old, **update(affected="10 %"))
    assert answer.status_code == 409
    assert "Who is affected is “40 %” now, was “10 %” (lead," in words(answer)
    assert "The queue shrinks.</textarea>" in answer.content.decode()
    incident.refresh_from_db()
    assert incident.affected == "40 %"
    # The page that came back knows what changed, so that the second try is taken.
    again = press(night, incident, "update", seen=seen(incident), **update(affected="10 %"))
    assert again.status_code == 200
    incident.refresh_from_db()
    assert incident.affected == "10 %"


def test_a_note_of_somebody_else_does_not_hold_an_update_back(night: Client) -> None:
    incident = declared()
    old = seen(incident)
    incidents.note(incident, "Seen in the log.", by=somebody("lead"), now=timezone.now())
    assert press(night, incident, "update", seen=old, **update()).status_code == 200
    assert incident.timeline.filter(kind="update").count() == 1


def test_a_note_is_kept(night: Client) -> None:
    incident = declared()
    press(night, incident, "note", **{"note-text": "Restarted at 02:10."})
    assert incident.timeline.get(kind="note").text == "Restarted at 02:10."


def test_the_severity_is_settled_with_a_reason(night: Client) -> None:
    incident = declared(severity=3)
    text = words(press(night, incident, "severity", **{"severity-severity": "1", "severity-why": "Nobody is served."}))
    assert "The severity is 1 Critical." in text
    entry = incident.timeline.get(field="severity")
    assert (entry.old, entry.new, entry.text) == ("3 Medium", "1 Critical", "Nobody is served.")
    assert "severity" not in running(incident)
    assert press(night, incident, "severity", **{"severity-severity": "5"}).status_code == 400


def test_fields_are_edited_and_only_what_differs_is_an_entry(night: Client) -> None:
    incident = declared(details="Old")
    began = f"{incident.impact_started_at:%Y-%m-%dT%H:%M}"
    values = {"title": incident.title, "impact_started_at": began, "runbook": "docs/runbooks/queue.md", "details": "Old"}
    press(night, incident, "edit", seen=seen(incident), **{f"edit-{name}": value for name, value in values.items()})
    assert list(incident.timeline.filter(kind="changed").values_list("field", "new")) == [("runbook", "docs/runbooks/queue.md")]
    values["impact_started_at"] = "2020-01-01T00:00"
    press(night, incident, "edit", seen=seen(incident), **{f"edit-{name}": value for name, value in values.items()})
    incident.refresh_from_db()
    assert incident.impact_started_at.year == 2020


def test_impact_cannot_begin_tomorrow(night: Client) -> None:
    incident = declared()
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    answer = press(night, incident, "edit", **{"edit-title": "x", "edit-impact_started_at": tomorrow})
    assert answer.status_code == 400
    assert "cannot begin in the future" in words(answer)


def test_a_twin_is_marked_by_its_number(night: Client) -> None:
    first, second = declared("Answers are late"), declared("Replies come late")
    assert "no incident of that number" in words(press(night, second, "duplicate", **{"duplicate-number": "INC-9999"}))
    assert press(night, second, "duplicate", **{"duplicate-number": f"INC-{second.number}"}).status_code == 409
    press(night, second, "duplicate", **{"duplicate-number": f"inc-{first.number}"})
    second.refresh_from_db()
    assert (second.state, second.duplicate_of) == ("duplicate", first)
    assert f"The same as INC-{first.number}" in words(night.get(page_of(second)))


def test_a_false_alarm_is_cancelled_with_a_sentence_and_can_be_opened_again(night: Client) -> None:
    incident = declared()
    assert press(night, incident, "cancel", **{"cancel-why": ""}).status_code == 400
    press(night, incident, "cancel", **{"cancel-why": "It was a test."})
    incident.refresh_from_db()
    assert incident.state == "cancelled"
    press(night, incident, "triage", seen=seen(incident))
    incident.refresh_from_db()
    assert (incident.state, "acknowledge" in running(incident)) == ("triage", True)


def test_a_follow_up_has_an_owner_a_day_and_a_done_button(night: Client) -> None:
    incident, lead = declared(), somebody("lead")
    values = {"text": "Alert on the queue", "kind": "detective", "owner": lead.pk, "due_on": "2020-02-01"}
    press(night, incident, "follow_up", **{f"follow_up-{name}": value for name, value in values.items()})
    item = FollowUp.objects.get()
    assert (item.owner, str(item.due_on)) == (lead, "2020-02-01")
    assert "Overdue" in words(night.get(page_of(incident), {"part": "story"}))
    night.post(f"/admin/operations/followup/{item.pk}/done/")
    item.refresh_from_db()
    assert str(item.done_by) == "night-desk"
    assert "Overdue" not in words(night.get(page_of(incident), {"part": "story"}))


@pytest.mark.parametrize("name", ["acknowledge", "take", "role", "update", "note", "severity", "edit", "cancel", "duplicate"])
def test_no_step_is_taken_without_the_permission_or_by_a_link(night: Client, name: str) -> None:
    incident = declared()
    assert browser("reader", "view_incident").post(step_of(incident, name)).status_code == 403
    assert night.get(step_of(incident, name)).status_code == 405
    assert incident.timeline.count() == 1


def test_no_step_is_taken_without_the_token_of_the_page() -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(somebody("night-desk", "view_incident", "run_incident"))
    incident = declared()
    assert strict.post(step_of(incident, "acknowledge")).status_code == 403
    incident.refresh_from_db()
    assert incident.acknowledged_by is None


def test_a_step_that_there_is_not_is_not_found(night: Client) -> None:
    assert night.post(step_of(declared(), "explode")).status_code == 404


@pytest.mark.parametrize("name", ["update", "note", "edit", "follow_up"])
def test_words_that_no_database_takes_are_refused_kindly(night: Client, name: str) -> None:
    answer = press(night, declared(), name, **{f"{name}-text": "a\x00b", f"{name}-title": "a\x00b"})
    assert answer.status_code == 400
