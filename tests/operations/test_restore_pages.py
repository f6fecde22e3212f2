"""The pages of a restore: two people, nothing confirmed that was not seen, and progress that needs no database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import postgres, preparation, restorable, restore_progress, roles
from operations.journal import Journal
from operations.models import Incident, Protection, Restore
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import PASSWORD, code, enrolled, person, wait
from tests.operations.test_backup_pages import a_backup

pytestmark = pytest.mark.django_db
ADD, LIST = reverse("admin:operations_restore_add"), reverse("admin:operations_restore_changelist")
MINUTE = timedelta(minutes=1)
LOSSES = {
    "knowledge_document": {"now": 4, "then": 5},
    "conversations_inboundmessage": {"now": 10, "then": 7},
    "knowledge_chunk": {"now": 9, "then": 3},
    "operations_incident": {"now": 2, "then": 0},
}


@pytest.fixture(autouse=True)
def _own_folder(environment: ChangeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(second_factor="off")
    monkeypatch.setattr("operations.journal.folder", lambda: tmp_path / "restores")
    monkeypatch.setattr(restorable, "earliest", lambda: timezone.now() - 60 * MINUTE)
    preparation.make_roles()


@pytest.fixture
def meera() -> User:
    return person("meera", roles.OPERATOR)


@pytest.fixture
def ravi() -> User:
    return person("ravi", roles.OPERATOR)


def a_client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def a_restore(by: User, status: str = "requested", **fields: Any) -> Restore:
    now = timezone.now()
    given = {"instant": now - 5 * MINUTE, "reason": "A mistake.", "requested_by": by, "requested_at": now}
    return Restore.objects.create(status=status, **(given | fields))


def ready(by: User, approver: User) -> Restore:
    now = timezone.now()
    return a_restore(by, "ready", approved_by=approver, approved_at=now, losses=LOSSES, new_database="jeevo_restore_x")


def at(name: str, restore: Restore) -> str:
    return reverse(f"admin:operations_restore_{name}", args=[restore.pk])


def said(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status
    return answer.content.decode()


# Asking


def test_without_a_backup_the_page_leads_to_the_first_one(meera: User) -> None:
    assert "There is no backup yet" in said(a_client(meera), ADD)


def test_an_instant_is_asked_for_and_nothing_begins_before_somebody_approves(meera: User) -> None:
    a_backup()
    client = a_client(meera)
    assert "Nothing changes now" in said(client, ADD)
    Incident.objects.create(
        number=12,
        title="Gone",
        severity=2,
        impact_started_at=timezone.now(),
        detected_at=timezone.now(),
        declared_at=timezone.now(),
    )
    instant = timezone.now().replace(microsecond=0) - 5 * MINUTE
    typed = {
        "instant": f"{instant:%Y-%m-%dT%H:%M:%S}",
        "reason": "Deleted by mistake.",
        "incident": "inc-12",
        "carry_messages": "on",
    }
    answer = client.post(ADD, typed)
    restore = Restore.objects.get()
    assert answer["Location"] == at("change", restore)
    assert (restore.instant, restore.incident, restore.status) == (instant, "INC-12", "requested")
    assert restore.requested_by == meera
    assert LogEntry.objects.get().change_message == "Asked for."
    page = said(client, at("change", restore))
    assert "It waits for a second person" in page
    assert "You asked for it, so somebody else has to look at it." in page


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (5, "This instant has not come yet."),
        (-120, "The earliest instant that can be restored is"),
        (None, "Choose one of the two"),
    ],
)
def test_an_instant_that_cannot_be_had_is_refused(meera: User, minutes: int | None, told: str) -> None:
    a_backup()
    instant = f"{timezone.now() + minutes * MINUTE:%Y-%m-%dT%H:%M:%S}" if minutes is not None else ""
    answer = a_client(meera).post(ADD, {"instant": instant, "reason": "A test."})
    assert answer.status_code == 400
    assert told in answer.content.decode()
    assert not Restore.objects.exists()


@pytest.mark.parametrize(
    ("reasons", "told"),
    [([], "is being looked at"), (["Our account may not read the log."], "chosen: Our account may not read the log. A backup")],
)
def test_where_no_instant_can_be_chosen_the_page_says_why(
    meera: User, reasons: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_backup()
    monkeypatch.setattr(restorable, "earliest", lambda: None)
    Protection.objects.create(reasons=reasons)
    assert told in said(a_client(meera), ADD)


def test_the_instant_that_is_offered_can_be_had(meera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    a_backup()
    first = timezone.now().replace(microsecond=500_000) - timedelta(seconds=20)
    monkeypatch.setattr(restorable, "earliest", lambda: first)
    client = a_client(meera)
    offered = said(client, ADD).partition('type="datetime-local"')[2].partition('value="')[2][:19]
    client.post(ADD, {"instant": offered, "reason": "A test."})
    asked = Restore.objects.get().instant
    assert asked is not None
    assert asked >= first


def test_a_backup_is_asked_for_from_its_own_page(meera: User) -> None:
    backup = a_backup("dump")
    client = a_client(meera)
    assert f'value="{backup.pk}" selected' in said(client, f"{ADD}?backup={backup.pk}")
    client.post(ADD, {"backup": str(backup.pk), "reason": "A test."})
    restore = Restore.objects.get()
    assert (restore.backup, restore.carry_messages) == (backup, False)
    answer = client.post(ADD, {"backup": str(backup.pk), "reason": "Again."})
    assert "Another restore is under way" in answer.content.decode()


def test_who_may_only_look_finds_no_button_and_no_form(meera: User) -> None:
    restore = a_restore(meera)
    client = a_client(person("asha", roles.INCIDENT_STAFF))
    page = said(client, at("change", restore))
    assert "approve" not in page.split("<main")[1].lower().split("approval")[0]
    for name in ("approve", "confirm", "undo"):
        assert client.get(at(name, restore)).status_code == 403
    assert client.post(at("cancel", restore)).status_code == 403
    assert client.get(ADD).status_code == 403
    assert "A mistake." in said(client, LIST)


# Approving


def test_another_person_approves(meera: User, ravi: User) -> None:
    restore = a_restore(meera)
    client = a_client(ravi)
    assert "Approving changes nothing that is live" in said(client, at("approve", restore))
    client.post(at("approve", restore), {"seen": "requested"})
    restore.refresh_from_db()
    assert (restore.status, restore.approved_by, restore.break_glass) == ("approved", ravi, False)
    assert not Incident.objects.exists()


def test_one_person_alone_is_told_and_an_incident_is_opened(meera: User) -> None:
    restore = a_restore(meera)
    client = a_client(meera)
    assert "You asked for this yourself." in said(client, at("approve", restore))
    answer = client.post(at("approve", restore), {"seen": "requested"})
    assert "Somebody else has to approve it" in answer.content.decode()
    client.post(at("approve", restore), {"seen": "requested", "alone": "yes"})
    restore.refresh_from_db()
    assert (restore.status, restore.break_glass) == ("approved", True)
    assert Incident.objects.get().severity == 2


def test_a_form_from_before_is_refused(meera: User, ravi: User) -> None:
    restore = a_restore(meera, "cancelled")
    answer = a_client(ravi).post(at("approve", restore), {"seen": "requested"}, follow=True)
    assert "has moved on since you opened the page" in answer.content.decode()
    again = ready(meera, ravi)
    a_client(meera).post(at("confirm", again), {"seen": "requested", "typed": "x"})
    again.refresh_from_db()
    assert (restore.status, again.status) == ("cancelled", "ready")


def test_with_a_second_factor_a_fresh_code_is_asked_for(meera: User, ravi: User, environment: ChangeEnvironment) -> None:
    restore = a_restore(meera)
    device, _ = enrolled(ravi)
    client = a_client(ravi)
    session = client.session
    session["otp_device_id"] = device.persistent_id
    session.save()
    environment(second_factor="operators")
    for typed in ("", PASSWORD, "000000"):
        answer = client.post(at("approve", restore), {"seen": "requested", "confirmation": typed})
        assert answer.status_code == 400
        wait(device)
    restore.refresh_from_db()
    assert restore.status == "requested"
    client.post(at("approve", restore), {"seen": "requested", "confirmation": code(device.key)})
    restore.refresh_from_db()
    assert restore.status == "approved"


# Putting in place


def test_what_would_change_is_shown_with_the_four_tables_that_matter_first(meera: User, ravi: User) -> None:
    page = said(a_client(meera), at("change", ready(meera, ravi)))
    order = ["Messages from people", "Messages to people", "Documents", "Handovers to a person", "Chunks", "1 table stays"]
    places = [page.index(each) for each in order]
    assert places == sorted(places)
    assert "1 comes back" in page
    assert "3 more now; what came since is carried over" in page
    assert "6 are lost" in page


def test_the_name_of_the_database_is_typed_before_it_is_put_in_place(meera: User, ravi: User) -> None:
    restore = ready(meera, ravi)
    client = a_client(meera)
    name = str(postgres.live().database)
    assert f"Type <strong>{name}</strong>" in said(client, at("confirm", restore))
    answer = client.post(at("confirm", restore), {"seen": "ready", "typed": "jeevo_wrong"})
    assert "not the name of the database; nothing was changed" in answer.content.decode()
    answer = client.post(at("confirm", restore), {"seen": "ready", "typed": f" {name} "})
    restore.refresh_from_db()
    assert (restore.status, restore.confirmed_by) == ("swapping", meera)
    assert answer["Location"].startswith("/restores/")


def test_one_that_is_ready_can_be_cancelled(meera: User, ravi: User) -> None:
    restore = ready(meera, ravi)
    answer = a_client(ravi).post(at("cancel", restore), follow=True)
    restore.refresh_from_db()
    assert restore.status == "cancelled"
    assert "Nothing that is live was changed." in answer.content.decode()
    again = a_client(ravi).post(at("cancel", restore), follow=True).content.decode()
    assert "This does not fit any more: cancelled." in again


def test_an_undo_whose_week_is_over_is_not_offered(meera: User, ravi: User) -> None:
    now = timezone.now()
    people = {"confirmed_by": meera, "confirmed_at": now, "approved_by": ravi, "approved_at": now}
    live = postgres.live().database
    old = a_restore(meera, "done", swapped_at=now - timedelta(days=8), ended_at=now, old_database=live, **people)
    assert "Undo this restore" not in said(a_client(meera), at("change", old))
    Restore.objects.filter(pk=old.pk).update(swapped_at=now - timedelta(days=6))
    page = said(a_client(meera), at("change", old))
    assert "Undo this restore" in page
    assert "What was live before is kept until" in page
    assert "What was live before the restore becomes live again" in said(a_client(meera), at("undo", old))
    a_client(meera).post(at("undo", old), {"seen": "done", "typed": str(live)})
    old.refresh_from_db()
    assert (old.status, old.undo_by) == ("undoing", meera)


def test_a_failed_one_says_why_and_that_nothing_was_changed(meera: User) -> None:
    restore = a_restore(meera, "failed", problem="1 piece of the log is missing.", ended_at=timezone.now())
    page = said(a_client(meera), at("change", restore))
    assert "1 piece of the log is missing. The live service is as it was before." in page
    assert "1 piece of the log is missing." in said(a_client(meera), LIST)


# The knowledge base alone

OF_KNOWLEDGE = {
    "knowledge_document": {"now": 4, "then": 4, "back": 1, "lost": 1, "changed": 2},
    "knowledge_chunk": {"now": 9, "then": 8, "back": 0, "lost": 1, "changed": 0},
    "conversations_citation": {"unlinked": 3, "linked": 1},
}


def test_the_knowledge_base_alone_is_asked_for_and_approved_as_that(meera: User, ravi: User) -> None:
    backup = a_backup("dump")
    client = a_client(meera)
    page = said(client, ADD)
    assert "People, messages and incidents are not touched." in page
    assert 'value="everything" id="id_scope_0" checked' in page
    client.post(ADD, {"scope": "knowledge", "backup": str(backup.pk), "reason": "A bad import."})
    restore = Restore.objects.get()
    assert (restore.scope, restore.carry_messages) == ("knowledge", True)
    page = said(client, at("change", restore))
    assert "<h1>Restore the knowledge base to the" in page
    assert "Messages since" not in page
    assert "asks for the knowledge base alone as it was in the" in said(a_client(ravi), at("approve", restore))
    assert "the knowledge base alone" in said(client, LIST)
    assert at("change", restore) in said(client, f"{LIST}?scope__exact=knowledge")
    assert at("change", restore) not in said(client, f"{LIST}?scope__exact=everything")


def test_something_else_is_no_choice(meera: User) -> None:
    answer = a_client(meera).post(ADD, {"scope": "people", "backup": str(a_backup("dump").pk), "reason": "A test."})
    assert answer.status_code == 400
    assert not Restore.objects.exists()


def test_of_the_knowledge_base_every_row_was_compared_and_links_are_told(meera: User, ravi: User) -> None:
    restore = ready(meera, ravi)
    Restore.objects.filter(pk=restore.pk).update(scope="knowledge", losses=OF_KNOWLEDGE)
    page = said(a_client(meera), at("confirm", restore))
    assert "people are answered all along" in page
    assert '1 comes back</span>, <span class="lost">1 is lost</span>, 2 go back to what they were' in page
    assert "3 citations of answers will not lead to a document any more; the words stay." in page
    assert "1 citation of an answer will lead to a document again." in page
    assert "Messages from people" not in page


def test_how_long_a_search_waited_is_told(meera: User) -> None:
    restore = a_restore(meera, "swapping", scope="knowledge", confirmed_by=meera, confirmed_at=timezone.now())
    a_journal(restore.pk, ("beside", "begun"), ("beside", "done"), ("exchange", "begun"))
    Journal(restore.pk).write("exchange", "done", now=timezone.now(), locked_ms=41)
    assert "a search waited for 0.04 s at most" in said(a_client(meera), at("change", restore))
    story = restore_progress.story(restore.pk)
    assert story.steps[-1].said == "Exchange the tables of the knowledge base"
    a_journal(restore.pk, ("undo asked", "done"), ("undo", "begun"), ("undo", "done"), ("undo back", "begun"), ("end", "undone"))
    story = restore_progress.story(restore.pk)
    assert [step.said for step in story.steps[-3:]] == [
        "Asked to undo it",
        "Exchange the tables back",
        "Put back the knowledge base from before, because the service was not well",
    ]
    assert story.headline == "The knowledge base from before is live again"


# Progress


def a_journal(key: Any, *lines: tuple[str, str]) -> None:
    for step, state in lines:
        Journal(key).write(step, state, now=timezone.now())


def test_progress_is_told_step_by_step(meera: User) -> None:
    restore = a_restore(meera, "preparing")
    a_journal(restore.pk, ("preflight", "begun"), ("preflight", "done"), ("safety", "begun"))
    story = restore_progress.story(restore.pk, expect=restore_progress.PREPARING)
    assert [step.state for step in story.steps] == ["done", "now", "waits", "waits", "waits", "waits"]
    assert story.headline == "Back up what is live now, and restore that backup to check it"
    page = said(a_client(meera), at("change", restore) + "?part=state")
    assert "restore that backup to check it: now" in page


def test_a_step_that_was_begun_twice_is_told_and_a_broken_journal_is_not_believed(meera: User, tmp_path: Path) -> None:
    restore = a_restore(meera, "failed")
    lines = (("exchange", "begun"), ("exchange", "done"), ("health", "begun"), ("exchange back", "begun"))
    a_journal(restore.pk, *lines, ("exchange back", "done"), ("end", "failed"))
    story = restore_progress.story(restore.pk)
    assert [step.state for step in story.steps] == ["done", "failed", "done"]
    assert (story.end, story.headline) == ("failed", "It was not restored")
    path = Journal(restore.pk).path
    path.write_bytes(path.read_bytes().replace(b"health", b"wealth"))
    assert "not what was written" in restore_progress.story(restore.pk).broken
