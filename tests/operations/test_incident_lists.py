"""Follow-ups by due date with a button when they are done, contacts on call, and the short address of an incident."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from operations import incidents
from operations.models import FollowUp, OnCallContact
from tests.operations.on_duty import at_night, browser, declared, page_of, somebody, words

pytestmark = pytest.mark.django_db
FOLLOW_UPS, CONTACTS = "/admin/operations/followup/", "/admin/operations/oncallcontact/"


@pytest.fixture
def night() -> Client:
    return at_night()


def follow_up(text: str, *, owner: User, days: int, done: bool = False) -> FollowUp:
    now = timezone.now()
    due = now.date() + timedelta(days=days)
    item = incidents.follow_up(declared(text), text, kind="preventive", owner=owner, due_on=due, by=owner, now=now)
    if done:
        incidents.finish_follow_up(item, by=owner, now=now)
    return item


def test_open_ones_come_by_due_date_with_overdue_ones_marked(night: Client) -> None:
    lead = somebody("lead")
    follow_up("Later", owner=lead, days=20)
    follow_up("Finished", owner=lead, days=-9, done=True)
    follow_up("Late", owner=lead, days=-3)
    text = words(night.get(FOLLOW_UPS))
    assert text.index("Late INC-") < text.index("Later INC-") < text.index("Finished INC-")
    assert text.count("Overdue") == 2  # the mark and the filter
    only = words(night.get(FOLLOW_UPS, {"done": "overdue"}))
    assert ("Late INC-" in only, "Later INC-" in only, "Finished INC-" in only) == (True, False, False)


def test_mine_are_found_and_finished_from_the_list(night: Client) -> None:
    mine = follow_up("Mine", owner=User.objects.get(username="night-desk"), days=2)
    follow_up("Of the lead", owner=somebody("lead"), days=1)
    answer = night.get(FOLLOW_UPS, {"mine": "yes"})
    assert ("Mine INC-" in words(answer), "Of the lead INC-" in words(answer)) == (True, False)
    done = f"{FOLLOW_UPS}{mine.pk}/done/"
    assert f'formaction="{done}"' in answer.content.decode()
    back = night.post(done, {"back": "list"})
    assert back["Location"] == FOLLOW_UPS
    mine.refresh_from_db()
    assert str(mine.done_by) == "night-desk"
    assert mine.incident.timeline.filter(kind="follow_up", new="done").count() == 1


def test_the_owner_may_finish_it_and_another_reader_may_not() -> None:
    owner = somebody("owner", "view_followup", "view_incident")
    item = follow_up("Theirs", owner=owner, days=2)
    done = f"{FOLLOW_UPS}{item.pk}/done/"
    reader = browser("reader", "view_followup", "view_incident")
    assert "formaction" not in reader.get(FOLLOW_UPS).content.decode()
    assert reader.post(done).status_code == 403
    client = Client()
    client.force_login(owner)
    assert client.get(done).status_code == 405
    assert client.post(done).status_code == 302
    item.refresh_from_db()
    assert item.done_by == owner


def test_follow_ups_are_neither_typed_in_nor_deleted_here(night: Client) -> None:
    item = follow_up("Keep me", owner=somebody("lead"), days=1)
    night.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    assert night.get(f"{FOLLOW_UPS}add/").status_code == 403
    assert night.post(f"{FOLLOW_UPS}{item.pk}/delete/", {"post": "yes"}).status_code == 403


def test_nobody_on_call_is_a_warning_until_somebody_is_added() -> None:
    client = browser("lead", "view_oncallcontact", "add_oncallcontact", "change_oncallcontact", "view_incident")
    assert "Nobody is on call" in words(client.get(CONTACTS))
    values = {"position": "1", "name": "Night desk", "email": "", "webhook": "", "active": "on"}
    refused = client.post(f"{CONTACTS}add/", values)
    assert "Give an e-mail address or a webhook, or nobody can be told." in words(refused)
    client.post(f"{CONTACTS}add/", values | {"email": "night@example.org", "webhook": "https://example.org/call"})
    text = words(client.get(CONTACTS))
    assert "Night desk 1 e-mail and webhook" in text
    assert "Nobody is on call. " not in text


def test_only_active_staff_can_be_a_contact(night: Client) -> None:
    User.objects.create(username="stranger")
    somebody("lead")
    night.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    html = night.get(f"{CONTACTS}add/").content.decode()
    assert (">lead<" in html, ">stranger<" in html) == (True, False)


def test_contacts_are_told_in_their_order() -> None:
    for place in (2, 1):
        OnCallContact.objects.create(position=place, name=f"Desk {place}", email="desk@example.org")
    text = words(at_night().get(CONTACTS))
    assert text.index("Desk 1") < text.index("Desk 2")


def test_the_number_in_an_e_mail_leads_to_the_page(night: Client) -> None:
    incident = declared()
    short = f"/admin/operations/incidents/{incident.number}/"
    assert night.get(short)["Location"] == page_of(incident)
    assert night.get("/admin/operations/incidents/999999/").status_code == 404
    assert browser("clinician").get(short).status_code == 403
    assert Client().get(short)["Location"].startswith("/admin/login/")
