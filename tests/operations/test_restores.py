"""Restores on the real server: two people, nothing live touched before it is confirmed, what must not go back kept, undone."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from conversations.models import Contact, InboundMessage, OutboundMessage
from knowledge.models import Document
from operations import (
    backups,
    carrying,
    databases,
    incidents,
    postgres,
    restore_upkeep,
    restored_copy,
    restores,
    smoke,
    verification,
    wal,
)
from operations.journal import Journal
from operations.models import Backup, Incident, Restore, Rollup
from operations.operator import Operator
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_restores")]
MINUTE = timedelta(minutes=1)


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
    Rollup.objects.create(period="hour", name="answers", at=timezone.now() - timedelta(hours=9))
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
        Rollup.objects.create(period="minute", name="answers", at=timezone.now())
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
    assert set(Rollup.objects.values_list("period", flat=True)) == {"hour", "minute"}
    assert not User.objects.get(pk=ravi.pk).is_active
    # It was sent since; nobody gets it twice.
    assert set(OutboundMessage.objects.values_list("status", flat=True)) == {"sent"}
    assert [line.step for line in Journal(restore.pk).read() if line.state == "done"] == [
        "preflight", "safety", "lift", "migrate", "erase", "ready", "confirmed", "carry", "exchange", "health", "end",
    ]  # fmt: skip

    factories.an_inbound(Contact.objects.get(), "After the restore.", wamid="after", received_at=timezone.now())
    with pytest.raises(restores.NotNow, match="name that was typed"):
        restores.ask_undo(restore, typed="another", by=ravi, now=timezone.now())
    restore = restores.ask_undo(restore, typed=postgres.live().database, by=ravi, now=timezone.now())
    restore = restores.undo(restore, healthy=lambda: True)
    assert (restore.status, restore.undo_by) == ("undone", ravi)
    assert not Document.objects.exists()
    assert {each.text for each in InboundMessage.objects.all()} == {"Since.", "After the restore."}
    with pytest.raises(restores.NotNow, match="undone already"):
        restores.ask_undo(restore, typed=postgres.live().database, by=ravi, now=timezone.now())
    told = ["Asked for.", "Approved.", "Confirmed: it is put in place.", "Asked to undo it."]
    assert list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True)) == told


@pytest.mark.matrix
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


@pytest.mark.matrix
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


def test_what_was_answered_after_the_instant_is_not_answered_again(people: tuple[User, User]) -> None:
    meera, ravi = people
    long_ago = timezone.now() - timedelta(minutes=30)
    person = factories.a_contact(last_inbound_at=long_ago)
    answered = factories.an_inbound(person, "Open at the instant.", wamid="a", received_at=long_ago)
    waiting = factories.an_inbound(person, "Open in both.", wamid="b", received_at=long_ago)
    sent, held = (factories.an_outbound(person, status="queued", created_at=long_ago) for _ in range(2))
    backup = a_dump()
    answer = factories.an_answer(person)
    InboundMessage.objects.filter(pk=answered.pk).update(status="answered", answer=answer)
    OutboundMessage.objects.filter(pk=sent.pk).update(status="delivered")
    restore = restores.request(backup=backup, reason="A test.", by=meera, now=timezone.now())
    restores.approve(restore, by=ravi, now=timezone.now())
    restore = restores.prepare(restore)
    restores.confirm(restore, typed=postgres.live().database, by=meera, now=timezone.now())
    restores.put_in_place(restore, healthy=lambda: True)
    assert dict(InboundMessage.objects.values_list("pk", "status")) == {answered.pk: "answered", waiting.pk: "waiting"}
    assert InboundMessage.objects.get(pk=answered.pk).answer_id == answer.pk
    assert dict(OutboundMessage.objects.values_list("pk", "status")) == {sent.pk: "delivered", held.pk: "failed"}


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
    assert Incident.objects.get().severity == 2
    with pytest.raises(restores.NotNow, match="has not come yet"):
        restores.request(instant=now + MINUTE, reason="A test.", by=meera, now=now)


def test_settings_and_files_are_no_database_to_go_back_to(people: tuple[User, User]) -> None:
    now = timezone.now()
    backup = Backup.objects.create(kind="configuration", status="taken", requested_at=now, started_at=now, taken_at=now)
    with pytest.raises(restores.NotNow, match="no database"):
        restores.request(backup=backup, reason="A test.", by=people[0], now=now)


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


def confirmed(backup: Backup, people: tuple[User, User]) -> Restore:
    """Made beside the live database, looked at, and about to be put in place."""
    meera, ravi = people
    restore = restores.request(backup=backup, reason="A test.", by=meera, now=timezone.now())
    restores.approve(restore, by=ravi, now=timezone.now())
    restore = restores.prepare(restore)
    assert restore.status == "ready", restore.problem
    return restores.confirm(restore, typed=postgres.live().database, by=meera, now=timezone.now())


class Killed(BaseException):
    """As a process that ends without another word."""


@pytest.mark.matrix
def test_one_that_was_killed_while_nobody_was_let_in_goes_on_and_ends_well(
    people: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    Document.objects.create(title="Old", origin="starter", slug="old", text="x")
    restore = confirmed(a_dump(), people)
    Document.objects.update(title="New")
    real = databases.exchange

    def exchange(**names: str) -> None:
        # A kill runs no `finally`: the door stays shut.
        with databases.maintenance() as one:
            databases._close(one, names["live"], allowed=False)
        raise Killed

    monkeypatch.setattr(databases, "exchange", exchange)
    with pytest.raises(Killed):
        restores.put_in_place(restore, healthy=lambda: True)
    connection.close()
    monkeypatch.setattr(databases, "exchange", real)
    operator = Operator()
    operator.mend()
    left = restore_upkeep.due()
    assert left == restore
    assert Document.objects.get().title == "New"
    operator.work()
    restore.refresh_from_db()
    assert (restore.status, Document.objects.get().title) == ("done", "Old")


@pytest.mark.matrix
def test_one_that_was_killed_on_the_way_back_ends_with_the_database_from_before(
    people: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    Document.objects.create(title="Old", origin="starter", slug="old", text="x")
    restore = confirmed(a_dump(), people)
    Document.objects.update(title="New")

    def killed() -> bool:
        Journal(restore.pk).write("exchange back", "begun", now=timezone.now())
        raise Killed

    with pytest.raises(Killed):
        restores.put_in_place(restore, healthy=killed)
    connection.close()
    assert Document.objects.get().title == "Old"
    restore = restores.put_in_place(restore, healthy=lambda: True)
    assert (restore.status, Document.objects.get().title) == ("failed", "New")
    assert restore_upkeep.take_down(now=timezone.now()) == [restores.incoming(restore)]


def test_what_nobody_went_on_with_expires_and_what_is_over_is_taken_down(people: tuple[User, User]) -> None:
    meera, ravi = people
    now = timezone.now()
    restore = restores.request(instant=now - MINUTE, reason="A test.", by=meera, now=now)
    assert restore_upkeep.expire(now=now + 29 * MINUTE) == 0
    assert restore_upkeep.expire(now=now + 31 * MINUTE) == 1
    done = {"status": "done", "confirmed_by": meera, "confirmed_at": now, "swapped_at": now, "ended_at": now}
    Restore.objects.filter(pk=restore.pk).update(old_database=restores.outgoing(restore), **done)
    databases.create(restores.outgoing(restore))
    databases.create("jeevo_restore_of_nobody")
    try:
        assert restore_upkeep.take_down(now=now + timedelta(days=6)) == []
        assert restore_upkeep.take_down(now=now + timedelta(days=8)) == [restores.outgoing(restore)]
        assert databases.names("jeevo_restore_", "jeevo_before_") == ["jeevo_restore_of_nobody"]
    finally:
        databases.drop("jeevo_restore_of_nobody")
    restore.refresh_from_db()
    assert restore.old_database == ""


@pytest.mark.matrix
def test_one_that_is_cancelled_while_it_is_prepared_ends_at_its_next_step(
    people: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    meera, ravi = people
    restore = restores.request(backup=a_dump(), reason="A test.", by=meera, now=timezone.now())
    restores.approve(restore, by=ravi, now=timezone.now())

    def safety() -> dict[str, object]:
        restores.cancel(Restore.objects.get(), by=ravi, now=timezone.now())
        return {}

    monkeypatch.setattr(restored_copy, "safety", safety)
    with pytest.raises(restores.NotNow, match="cancelled"):
        restores.prepare(restore)
    restore.refresh_from_db()
    assert restore.status == "cancelled"
    assert Journal(restore.pk).done("cancelled")
    assert not databases.exists(restores.incoming(restore))


def test_the_service_is_looked_at_through_its_own_parts(people: tuple[User, User]) -> None:
    assert smoke.first_trouble() == ""
    assert smoke.well(patience=0)
    User.objects.update(is_active=False)
    assert smoke.first_trouble() == "accounts"
    assert not smoke.well(patience=0)


def test_the_operators_process_prepares_what_was_approved_and_goes_on_after_a_kill(
    people: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    meera, ravi = people
    restore = restores.request(backup=a_dump(), reason="A test.", by=meera, now=timezone.now())
    operator = Operator()
    operator.work()
    restore.refresh_from_db()
    assert restore.status == "requested"  # nobody has approved it
    restores.approve(restore, by=ravi, now=timezone.now())

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(restored_copy, "lift", killed)
        with pytest.raises(Killed):
            operator.work()
    kept = Backup.objects.count()
    Operator().work()
    restore.refresh_from_db()
    assert restore.status == "ready", restore.problem
    assert Backup.objects.count() == kept, "the safety backup was taken once"
    Operator().work()
    restore.refresh_from_db()
    assert restore.status == "ready"  # and waits for a person
