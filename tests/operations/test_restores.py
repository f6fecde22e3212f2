"""Restores on the real server: two people, nothing live touched before it is confirmed, what must not go back kept, undone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from conversations.models import Contact, InboundMessage, OutboundMessage
from knowledge.models import Document
from operations import backups, carrying, databases, incidents, postgres, restores, verification, wal
from operations.journal import Journal
from operations.models import Backup, Incident, Restore
from tests import factories
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _own_folders(environment: ChangeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    environment(keys=tmp_path / "keys")
    monkeypatch.setattr(backups, "folder", lambda: tmp_path / "backups")
    monkeypatch.setattr("operations.journal.folder", lambda: tmp_path / "restores")
    name = f"wal-{time.time_ns()}"
    monkeypatch.setattr(wal, "folder", lambda: postgres.home().make(name))
    yield
    connection.close()
    wal.drop_slot()
    with databases.maintenance() as one:
        left = [row[0] for row in one.execute("SELECT datname FROM pg_database WHERE datname ~ '^jeevo_(restore|before)_'")]
    for each in left:
        databases.drop(each)
    for path in wal.folder().iterdir():
        path.unlink()
    wal.folder().rmdir()


@pytest.fixture
def people() -> tuple[User, User]:
    return factories.staff("meera"), factories.staff("ravi")


def caught_up() -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        state = wal.receiving()
        if state is not None and state.caught_up:
            return
        time.sleep(0.05)
    raise AssertionError("the receiver did not catch up")


def a_dump() -> Backup:
    backup = backups.take("dump", now=timezone.now())
    verification.verify(backup, now=timezone.now())
    backup.refresh_from_db()
    return backup


def test_what_was_deleted_comes_back_what_happened_since_stays_and_it_can_be_undone(people: tuple[User, User]) -> None:
    meera, ravi = people
    person = factories.a_contact(last_inbound_at=timezone.now() - 2 * MINUTE)
    factories.an_inbound(person, "Before.", wamid="before", received_at=timezone.now() - 5 * MINUTE)
    factories.an_outbound(person, status="queued", created_at=timezone.now() - 5 * MINUTE)
    document = Document.objects.create(title="Fever", origin="starter", slug="fever", text="x")
    with wal.received():
        caught_up()
        backups.take("full", now=timezone.now())
        time.sleep(0.3)
        instant = timezone.now()
        time.sleep(0.3)
        Document.objects.all().delete()
        InboundMessage.objects.all().delete()
        OutboundMessage.objects.update(status="sent")
        incident, _ = incidents.declare("A document is gone", severity=2, now=timezone.now())
        factories.an_inbound(person, "Since.", wamid="since", received_at=timezone.now())
        User.objects.filter(pk=ravi.pk).update(is_active=False)
        caught_up()
        restore = restores.request(instant=instant, reason="Deleted by mistake.", by=meera, now=timezone.now())
        ravi.is_active = True
        restores.approve(restore, by=ravi, now=timezone.now())
        restore = restores.prepare(restore)
    assert restore.status == "ready", restore.problem
    assert restore.losses["knowledge_document"] == {"now": 0, "then": 1}
    assert not Document.objects.exists()  # nothing live was touched
    with pytest.raises(restores.NotNow, match="name that was typed"):
        restores.confirm(restore, typed="jeevo_wrong", by=meera, now=timezone.now())
    restore = restores.confirm(restore, typed=postgres.live().database, by=meera, now=timezone.now())
    restore = restores.put_in_place(restore, healthy=lambda: Document.objects.filter(pk=document.pk).exists())
    assert restore.status == "done", restore.problem
    assert Document.objects.get().pk == document.pk
    assert {each.text for each in InboundMessage.objects.all()} == {"Before.", "Since."}
    assert Incident.objects.get().pk == incident.pk
    assert incident.timeline.count() == 1
    assert not User.objects.get(pk=ravi.pk).is_active
    # It was sent since; nobody gets it twice.
    assert set(OutboundMessage.objects.values_list("status", flat=True)) == {"failed"}
    assert [line.step for line in Journal(restore.pk).read() if line.state == "done"] == [
        "preflight", "safety", "lift", "migrate", "exchange",
    ]  # fmt: skip

    factories.an_inbound(Contact.objects.get(), "After the restore.", wamid="after", received_at=timezone.now())
    restore = restores.undo(restore, by=ravi, now=timezone.now(), healthy=lambda: True)
    assert restore.status == "undone"
    assert not Document.objects.exists()
    assert {each.text for each in InboundMessage.objects.all()} == {"Since.", "After the restore."}
    with pytest.raises(restores.NotNow, match="undone already"):
        restores.undo(restore, by=ravi, now=timezone.now(), healthy=lambda: True)


def test_a_service_that_is_not_well_afterwards_gets_its_database_back(people: tuple[User, User]) -> None:
    meera, ravi = people
    backup = a_dump()
    Document.objects.create(title="New", origin="starter", slug="new", text="x")
    restore = restores.request(backup=backup, reason="A test.", by=meera, now=timezone.now())
    restores.approve(restore, by=ravi, now=timezone.now())
    restore = restores.prepare(restore)
    assert restore.status == "ready", restore.problem
    restore = restores.confirm(restore, typed=postgres.live().database, by=meera, now=timezone.now())
    restore = restores.put_in_place(restore, healthy=lambda: False)
    assert (restore.status, restore.problem[:24]) == ("failed", "The service was not well")
    assert Document.objects.get().title == "New"


def test_a_message_id_that_was_seen_stays_seen_when_the_words_are_left_behind(people: tuple[User, User]) -> None:
    meera, ravi = people
    backup = a_dump()
    factories.an_inbound(factories.a_contact(), "Since.", wamid="since", received_at=timezone.now())
    restore = restores.request(backup=backup, reason="A test.", by=meera, now=timezone.now(), carry_messages=False)
    restores.approve(restore, by=ravi, now=timezone.now())
    restore = restores.prepare(restore)
    restores.confirm(restore, typed=postgres.live().database, by=meera, now=timezone.now())
    restores.put_in_place(restore, healthy=lambda: True)
    left = InboundMessage.objects.get()
    assert (left.status, left.reason, left.text) == ("ignored", carrying.BEFORE_THE_RESTORE, None)


def test_two_people_look_at_a_restore_or_the_glass_is_broken(people: tuple[User, User]) -> None:
    meera, ravi = people
    now = timezone.now()
    restore = restores.request(instant=now - MINUTE, reason="A test.", by=meera, now=now)
    with pytest.raises(restores.NotNow, match="Somebody else"):
        restores.approve(restore, by=meera, now=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Restore.objects.filter(pk=restore.pk).update(approved_by=meera, approved_at=now)
    with pytest.raises(restores.NotNow, match="Another restore is under way"):
        restores.request(instant=now - MINUTE, reason="Again.", by=ravi, now=now)
    with pytest.raises(restores.NotNow, match="longer than 30 minutes"):
        restores.approve(restore, by=ravi, now=now + 31 * MINUTE)
    again = restores.request(instant=now - MINUTE, reason="A test.", by=meera, now=now)
    assert restores.approve(again, by=meera, now=now, break_glass=True).break_glass
    with pytest.raises(restores.NotNow, match="has not come yet"):
        restores.request(instant=now + MINUTE, reason="A test.", by=meera, now=now)


def test_what_cannot_be_restored_is_said_before_anything_is_made(people: tuple[User, User]) -> None:
    meera, ravi = people
    backup = a_dump()
    path = backups.folder() / str(backup.pk) / backups.MANIFEST
    path.write_text(path.read_text().replace('"operations": "0', '"operations": "9'))
    restore = restores.request(backup=backup, reason="A test.", by=meera, now=timezone.now())
    restores.approve(restore, by=ravi, now=timezone.now())
    restore = restores.prepare(restore)
    assert restore.status == "failed"
    assert restore.problem.startswith("It was made by a newer release (operations 9")
    assert restore.new_database == ""
