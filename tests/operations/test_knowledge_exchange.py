"""The tables of the knowledge base change places: nobody waits for long, a kill leaves nothing half done, the rest still fits."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from conversations.models import Citation, InboundMessage
from knowledge import embedding_indexes
from knowledge.models import Document, EmbeddingIndex, Import
from operations import databases, knowledge_exchange, knowledge_tables, postgres, restore_upkeep, restores, smoke
from operations.journal import Journal
from operations.models import Restore
from operations.operator import Operator
from tests import factories
from tests.fixtures import Post
from tests.operations.knowledge_back import COUGH, FEVER, a_dump, cited, confirmed, found, prepared

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake_embed", "own_restores")]


@pytest.mark.usefixtures("short")
def test_somebody_who_keeps_the_tables_busy_is_not_cut_off(people: tuple[User, User], monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange stands aside again and again, and says so when that does not end."""
    factories.a_document("Fever", FEVER)
    restore = confirmed(a_dump(), people)
    monkeypatch.setattr(knowledge_exchange, "TRIES", 2)
    monkeypatch.setattr(knowledge_exchange, "LOCK_TIMEOUT", "100ms")
    with databases.connect(postgres.live().database) as reader, reader.transaction():
        reader.execute("SELECT 1 FROM knowledge_chunk")
        restore = restores.put_in_place(restore, healthy=smoke.well)
        assert reader.execute("SELECT count(*) FROM knowledge_chunk").fetchone() == (1,)
    assert (restore.status, restore.problem) == ("failed", knowledge_exchange.BUSY)
    assert found("fever") == ["Fever"]
    assert restore_upkeep.take_down(now=timezone.now()) == [restores.incoming(restore)]


@pytest.mark.parametrize("live", [pytest.param(True, marks=pytest.mark.matrix), False])
@pytest.mark.usefixtures("short")
def test_a_vacuum_is_waited_for_and_no_search_with_it(people: tuple[User, User], live: bool) -> None:
    factories.a_document("Fever", FEVER)
    restore = confirmed(a_dump(), people)
    schema = "public" if live else restore.new_database
    held, seconds = threading.Event(), 6.0

    def vacuum() -> None:
        with databases.connect(postgres.live().database) as one, one.transaction():
            one.execute(f"LOCK TABLE {schema}.knowledge_chunk IN SHARE UPDATE EXCLUSIVE MODE")
            held.set()
            time.sleep(seconds)

    holder = threading.Thread(target=vacuum)
    holder.start()
    assert held.wait(10)
    restore = restores.put_in_place(restore, healthy=smoke.well)
    holder.join()
    assert (restore.status, restore.problem) == ("done", "")
    line = Journal(restore.pk).done("exchange")
    assert line is not None
    assert line.facts["locked_ms"] < seconds * 1000


@pytest.mark.usefixtures("short", "no_broker")
def test_the_webhook_takes_messages_while_the_tables_are_locked(
    people: tuple[User, User], post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.a_document("Fever", FEVER)
    restore = confirmed(a_dump(), people)
    real, taken = knowledge_tables.say_what_it_fits, []

    def in_the_middle(one: knowledge_tables.Connection, schema: str, *, said: str) -> None:
        real(one, schema, said=said)
        locked = one.execute("SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'").fetchone()
        assert locked is not None
        assert locked[0] > len(knowledge_tables.tables())
        answer = post(factories.envelope(messages=[factories.text_message("Somebody fainted.", wamid="meanwhile")]))
        taken.append((answer.status_code, InboundMessage.objects.count()))

    monkeypatch.setattr(knowledge_tables, "say_what_it_fits", in_the_middle)
    restore = restores.put_in_place(restore, healthy=smoke.well)
    assert (restore.status, taken) == ("done", [(200, 1)])


class Killed(BaseException):
    """As a process that ends without another word."""


@pytest.mark.parametrize(
    "place", [pytest.param("before", marks=pytest.mark.matrix), "between", pytest.param("after", marks=pytest.mark.matrix)]
)
@pytest.mark.usefixtures("short")
def test_a_kill_at_the_exchange_goes_on_where_it_stood(
    people: tuple[User, User], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = factories.a_document("Fever", FEVER)
    citation = cited(document)
    restore = confirmed(a_dump(), people)
    Document.objects.update(title="Changed")
    real = knowledge_exchange.exchange

    def exchange(**names: str) -> dict[str, object]:
        if place == "before":
            raise Killed
        facts = real(**names)
        if place == "between":
            raise Killed
        return facts

    def settled() -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(knowledge_exchange, "exchange", exchange)
        patched.setattr(knowledge_exchange, "settle", settled)
        with pytest.raises(Killed):
            restores.put_in_place(restore, healthy=smoke.well)
    connection.close()
    assert Document.objects.get().title == ("Changed" if place == "before" else "Fever")
    operator = Operator()
    operator.mend()
    operator.work()
    restore.refresh_from_db()
    assert (restore.status, Document.objects.get().title) == ("done", "Fever")
    assert Citation.objects.get(pk=citation.pk).document == document
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")
        assert cursor.fetchone() == (0,), "every foreign key was looked at"


@pytest.mark.matrix
@pytest.mark.usefixtures("short")
def test_a_kill_while_the_tables_are_laid_beside_goes_on_from_the_restored_database(
    people: tuple[User, User], monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.a_document("Fever", FEVER)
    backup = a_dump()
    real = postgres.run

    def run(program: str, *words: str, **more: object) -> None:
        if program == "pg_restore" and any(word.endswith("/knowledge") for word in words):
            raise Killed
        real(program, *words, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(postgres, "run", run)
        with pytest.raises(Killed):
            prepared(backup, people)
    Operator().work()
    restore = Restore.objects.get()
    assert (restore.status, restore.problem) == ("ready", "")
    assert restore.losses == {}


@pytest.mark.matrix
@pytest.mark.usefixtures("short")
def test_a_service_that_is_not_well_gets_its_knowledge_base_back(people: tuple[User, User]) -> None:
    document = factories.a_document("Fever", FEVER)
    backup = a_dump()
    since = factories.a_document("Cough", COUGH)
    citation = cited(since)
    Document.objects.filter(pk=document.pk).update(title="Changed")
    restore = restores.put_in_place(confirmed(backup, people), healthy=lambda: False)
    assert (restore.status, restore.problem) == (
        "failed",
        "The service was not well with the restored knowledge base, so the one before was put back.",
    )
    assert set(Document.objects.values_list("title", flat=True)) == {"Changed", "Cough"}
    assert Citation.objects.get(pk=citation.pk).document == since


@pytest.mark.usefixtures("short")
def test_what_the_tables_fit_no_more_is_refused(people: tuple[User, User]) -> None:
    """A release came between the look and the exchange."""
    factories.a_document("Fever", FEVER)
    restore = confirmed(a_dump(), people)
    with databases.connect(postgres.live().database) as one:
        knowledge_tables.say_what_it_fits(one, restore.new_database, said="0001_initial")
    restore = restores.put_in_place(restore, healthy=smoke.well)
    assert (restore.status, restore.problem) == ("failed", knowledge_exchange.OTHER_RELEASE)


@pytest.mark.usefixtures("short")
def test_who_writes_to_the_knowledge_base_is_waited_for(people: tuple[User, User]) -> None:
    meera, _ = people
    factories.a_document("Fever", FEVER)
    backup = a_dump()
    batch = Import.objects.create(label="A folder", status="running")
    restore = prepared(backup, people)
    assert restore.status == "ready", restore.problem
    live = postgres.live().database
    with pytest.raises(restores.NotNow, match="Documents are being imported"):
        restores.confirm(restore, typed=live, by=meera, now=timezone.now())
    Import.objects.filter(pk=batch.pk).update(status="finished")
    building = EmbeddingIndex.objects.create(model="another", dimensions=0)
    with pytest.raises(restores.NotNow, match="The search index is being built anew"):
        restores.confirm(restore, typed=live, by=meera, now=timezone.now())
    building.delete()
    restore = restores.confirm(restore, typed=live, by=meera, now=timezone.now())
    # It begins in the moment between.
    Import.objects.filter(pk=batch.pk).update(status="running")
    restore = restores.put_in_place(restore, healthy=smoke.well)
    assert restore.status == "failed"
    assert restore.problem.startswith("Documents are being imported")
    assert Import.objects.get(pk=batch.pk).status == "running"


def test_only_accounts_and_known_columns_hang_on_the_knowledge_base() -> None:
    """A new foreign key that leads elsewhere has to be thought of before it can go back."""
    with databases.connect(postgres.live().database) as one:
        keys = knowledge_tables.crossing(one)
    ours = knowledge_tables.tables()
    assert {key.parent for key in keys if key.table in ours} == {"auth_user"}
    links = {(link.table, link.column, link.kept) for link in knowledge_tables.links()}
    assert {(key.table, key.column) for key in keys if key.table not in ours} == {link[:2] for link in links}
    assert links == {
        ("conversations_citation", "document_id", True),
        ("knowledge_trial", "document_id", False),
        ("knowledge_unansweredquestion", "document_id", True),
        ("knowledge_unansweredquestion", "nearest_id", True),
    }


def newest_of_history(document: Document) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(history_id) FROM knowledge_historicaldocument WHERE id = %s", [document.pk])
        return int(cursor.fetchone()[0])


@pytest.mark.usefixtures("short")
def test_a_key_is_not_given_twice(people: tuple[User, User]) -> None:
    factories.a_document("Fever", FEVER)
    backup = a_dump()
    last = newest_of_history(factories.a_document("Cough", COUGH))
    restores.put_in_place(confirmed(backup, people), healthy=smoke.well)
    assert newest_of_history(factories.a_document("Rash", "A rash itches.")) > last


@pytest.mark.usefixtures("short")
def test_the_live_tables_are_found_by_name_while_others_of_that_name_lie_beside(people: tuple[User, User]) -> None:
    factories.a_document("Fever", FEVER)
    prepared(a_dump(), people)
    index = embedding_indexes.active()
    embedding_indexes.drop_vector_index(index)
    assert not embedding_indexes.has_vector_index(index)
    with pytest.raises(psycopg.errors.UndefinedTable), databases.connect(postgres.live().database) as one:
        one.execute(f"SELECT '{embedding_indexes.vector_index_name(index)}'::regclass")
    embedding_indexes.create_vector_index(index)
    assert embedding_indexes.has_vector_index(index)
