"""The knowledge base alone goes back: documents with their vectors, found by a search, while people and their messages stay."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.utils import timezone

from conversations.models import Citation, InboundMessage
from knowledge import embedding_indexes, embeddings
from knowledge.models import Chunk, Document, GoldenQuestion, Import, Trial, UnansweredQuestion
from operations import (
    backups,
    contents,
    databases,
    knowledge_tables,
    postgres,
    restore_upkeep,
    restored_copy,
    restores,
    smoke,
    verification,
    wal,
)
from operations.journal import Journal
from operations.models import Backup, Restore
from tests import factories
from tests.operations.knowledge_back import COUGH, FEVER, a_dump, cited, confirmed, found, prepared
from tests.operations.test_restores import caught_up

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_embed", "own_restores")]


def undone(restore: Restore, *, by: User) -> Restore:
    restore = restores.ask_undo(restore, typed=postgres.live().database, by=by, now=timezone.now())
    return restores.undo(restore, healthy=smoke.well)


def hashes() -> contents.Counts:
    with databases.connect(postgres.live().database) as one:
        counted = contents.counted(one, deep=True)
    # The time at which the words were counted is set anew, so that processes forget what they remember of them.
    return {name: value for name, value in counted.items() if name != "knowledge_embeddingindex"}


def outside(counted: contents.Counts) -> contents.Counts:
    ours = {"conversations_answer", "conversations_contact", "conversations_inboundmessage", "auth_user", "django_session"}
    return {name: value for name, value in counted.items() if name in ours}


def test_documents_are_back_and_found_while_messages_stay_and_it_can_be_undone(people: tuple[User, User]) -> None:
    meera, ravi = people
    fever, cough = factories.a_document("Fever", FEVER), factories.a_document("Cough", COUGH)
    GoldenQuestion.objects.create(text="What helps a fever?", document=fever, created_by=meera)
    of_fever, of_cough = cited(fever), cited(cough)
    backup = a_dump()
    # A mistake, and a day's work since.
    Document.objects.filter(pk=fever.pk).delete()
    Chunk.objects.filter(document=cough).update(text="Honey is poison.", embedding=embeddings.embed(["poison"])[0])
    flu = factories.a_document("Flu", "Flu comes with a fever.")
    of_flu = cited(flu)
    question = UnansweredQuestion.objects.create(text="Why?", language="en", score=0.1, answer_key=flu.pk, nearest=flu)
    trial = Trial.objects.create(kind="search", asked={}, document=flu, requested_by=meera)
    factories.an_inbound(None, "Since.", wamid="since", received_at=timezone.now())

    restore = prepared(backup, people)
    assert (restore.status, restore.problem) == ("ready", "")
    assert restore.losses["knowledge_document"] == {"now": 2, "then": 2, "back": 1, "lost": 1, "changed": 0}
    assert restore.losses["knowledge_chunk"]["changed"] == 1
    assert restore.losses["conversations_citation"] == {"unlinked": 1, "linked": 1}
    assert not [name for name in restore.losses if not name.startswith(("knowledge_", "conversations_citation"))]
    assert found("fever") == ["Flu", "Cough"], "nothing live was touched"
    before = hashes()
    restore = restores.confirm(restore, typed=postgres.live().database, by=meera, now=timezone.now())
    restore = restores.put_in_place(restore, healthy=smoke.well)

    assert (restore.status, restore.problem) == ("done", "")
    assert found("Drink water when you have a fever")[0] == "Fever"
    assert Chunk.objects.get(document=cough).text == COUGH
    assert embedding_indexes.has_vector_index(embedding_indexes.active())
    assert GoldenQuestion.objects.get().document == fever
    links = dict(Citation.objects.values_list("pk", "document_id"))
    assert links == {of_fever.pk: fever.pk, of_cough.pk: cough.pk, of_flu.pk: None}
    assert InboundMessage.objects.get().text == "Since."
    assert (UnansweredQuestion.objects.get().text, UnansweredQuestion.objects.get().nearest) == ("Why?", None)
    assert not Trial.objects.filter(pk=trial.pk).exists(), "it tried a document that is not there"
    assert outside(hashes()) == outside(before)
    with pytest.raises(IntegrityError):
        Citation.objects.filter(pk=of_flu.pk).update(document_id=flu.pk)
    lines = {line.step: line for line in Journal(restore.pk).read() if line.state == "done"}
    assert list(lines) == [
        "preflight", "safety", "lift", "migrate", "erase", "beside", "ready", "confirmed", "exchange", "health", "end",
    ]  # fmt: skip
    begun = Journal(restore.pk).begun("beside")
    assert begun is not None
    assert datetime.fromisoformat(lines["beside"].at) - datetime.fromisoformat(begun.at) > timedelta(seconds=0.1)
    assert 0 <= lines["exchange"].facts["locked_ms"] < 5_000
    assert databases.names(*contents.BESIDE) == []

    made_since = factories.a_document("Rash", "A rash itches.")
    assert made_since.pk not in (fever.pk, cough.pk, flu.pk)
    assert undone(restore, by=ravi).status == "undone"
    assert found("fever") == ["Flu", "Cough"]
    assert dict(Citation.objects.values_list("pk", "document_id")) == {
        of_fever.pk: None,
        of_cough.pk: cough.pk,
        of_flu.pk: flu.pk,
    }
    assert UnansweredQuestion.objects.get(pk=question.pk).nearest == flu
    after = hashes()
    assert [table for table in knowledge_tables.tables() if table in after and after[table] != before[table]] == []


@pytest.mark.matrix
def test_the_knowledge_base_goes_back_to_an_instant(people: tuple[User, User]) -> None:
    meera, ravi = people
    document = factories.a_document("Fever", FEVER)
    with wal.received():
        caught_up()
        backups.take("full", now=timezone.now())
        time.sleep(0.3)
        instant = timezone.now()
        time.sleep(0.3)
        Document.objects.all().delete()
        caught_up()
        restore = restores.request(instant=instant, reason="A test.", by=meera, now=timezone.now(), scope="knowledge")
        restores.approve(restore, by=ravi, now=timezone.now())
        restore = restores.prepare(restore)
    restore = restores.confirm(restore, typed=postgres.live().database, by=meera, now=timezone.now())
    restore = restores.put_in_place(restore, healthy=smoke.well)
    assert (restore.status, restore.problem) == ("done", "")
    assert found("fever") == ["Fever"]
    assert Document.objects.get() == document


@pytest.mark.usefixtures("short")
def test_tables_that_are_not_those_of_this_release_are_refused(
    people: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.a_document("Fever", FEVER)
    backup = a_dump()

    def migrate(name: str) -> dict[str, object]:
        with databases.connect(name) as one:
            one.execute("ALTER TABLE knowledge_chunk ADD COLUMN extra text")
        return {}

    monkeypatch.setattr(restored_copy, "migrate", migrate)
    restore = prepared(backup, people)
    assert restore.status == "failed"
    assert restore.problem == "The table knowledge_chunk was another one then than it is now."


@pytest.mark.usefixtures("short")
def test_what_was_under_way_then_does_not_go_on_by_itself_and_who_was_deleted_is_named(people: tuple[User, User]) -> None:
    meera, _ = people
    nisha = factories.staff("nisha")
    now = timezone.now()
    reviewed = {"reviewed_by": nisha, "reviewed_at": now, "status": "published", "origin": "upload"}
    Document.objects.filter(pk=factories.a_document("Fever", FEVER).pk).update(**reviewed)
    batch = Import.objects.create(label="A folder", status="running")
    batch.items.create(position=0, name="one.pdf", status="waiting")
    backup = a_dump()
    Document.objects.all().delete()
    batch.delete()
    nisha.delete()
    User.objects.create(username="nisha", is_staff=True)
    restore = restores.put_in_place(confirmed(backup, people), healthy=smoke.well)
    assert (restore.status, restore.problem) == ("done", "")
    document = Document.objects.get()
    back = User.objects.get(is_active=False)
    assert document.reviewed_by == back
    assert (back.username, back.is_active, back.is_staff, back.has_usable_password()) == (f"nisha-{back.pk}", False, False, False)
    assert [(each.status, each.items.get().status) for each in Import.objects.all()] == [("cancelled", "cancelled")]


def test_one_restore_at_a_time_whatever_it_brings_back(people: tuple[User, User]) -> None:
    meera, ravi = people
    now = timezone.now()
    restores.request(instant=now, reason="A test.", by=meera, now=now)
    with pytest.raises(restores.NotNow, match="Another restore is under way"):
        restores.request(instant=now, reason="Another.", by=ravi, now=now, scope="knowledge")


@pytest.mark.usefixtures("short")
def test_what_was_kept_for_a_week_is_taken_down_and_is_in_no_backup(people: tuple[User, User]) -> None:
    factories.a_document("Fever", FEVER)
    restore = restores.put_in_place(confirmed(a_dump(), people), healthy=smoke.well)
    assert knowledge_tables.names(*contents.BESIDE) == [restores.outgoing(restore)]
    verification.verify(backups.take("dump", now=timezone.now()), now=timezone.now())
    databases.create("jeevo_restore_look")
    manifest_of = backups.read_manifest(Backup.objects.order_by("-requested_at")[0].pk)
    verification.load_dump(
        Backup.objects.order_by("-requested_at")[0], manifest_of, server=restored_copy.beside("jeevo_restore_look")
    )
    with databases.connect("jeevo_restore_look") as one:
        assert not knowledge_tables.is_in(one, restores.outgoing(restore))
    databases.drop("jeevo_restore_look")
    now = timezone.now()
    assert restore_upkeep.take_down(now=now + timedelta(days=6)) == []
    assert restore_upkeep.take_down(now=now + timedelta(days=8)) == [restores.outgoing(restore)]
    restore.refresh_from_db()
    assert restores.may_undo(restore, now=now).startswith("What was there before is no longer kept")
    assert found("fever") == ["Fever"]
