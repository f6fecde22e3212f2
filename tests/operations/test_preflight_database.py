"""The start-up checklist of the database: away, slow, of another form or release, and with rows that cannot be read."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.utils import timezone
from pytest_django import Settings

from knowledge.models import Document
from operations.models import Heartbeat
from operations.preflight import database, report, rows
from operations.preflight.run import run
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.preflight_lines import named

# Its connection is one of its own, which sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


def point_database(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    usual = connection.get_connection_params()
    # On the class: the looks run in threads, and each thread has a connection object of its own.
    monkeypatch.setattr(DatabaseWrapper, "get_connection_params", lambda _: {**usual, **changes})


# ---- the database


def test_a_database_that_refuses_is_said_and_the_rest_is_still_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    point_database(monkeypatch, host="127.0.0.1", port=1, password="hunter2")
    found = run()
    line = named(found.lines, "Database")
    assert (line.state, line.said) == ("breached", "It does not answer.")
    assert named(found.lines, "Valkey").state == "good"
    assert "hunter2" not in report.text(found)
    assert "127.0.0.1" not in report.text(found)


def test_a_database_that_hangs_is_said_within_ten_seconds(monkeypatch: pytest.MonkeyPatch, silent_port: int) -> None:
    point_database(monkeypatch, host="127.0.0.1", port=silent_port)
    started = time.monotonic()
    found = run()
    assert time.monotonic() - started < 10
    assert named(found.lines, "Database").state == "breached"


def test_a_wrong_password_a_missing_database_and_a_missing_account_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    for changes in ({"password": "wrong"}, {"dbname": "nowhere"}):
        with monkeypatch.context() as changed:
            point_database(changed, **changes)
            said += [line.said for line in database.lines(starting=True) if line.name == "Database"]
    assert said == ["It refuses the account or its password.", "The database or the account does not exist."]


def test_a_question_that_takes_too_long_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_SERVER", "SELECT pg_sleep(20)")
    (line,) = [line for line in database.lines(starting=True) if line.name == "Database"]
    assert (line.state, line.said) == ("breached", "It answers too slowly: a simple question took two seconds.")


def test_the_server_is_described() -> None:
    found = list(database.lines(starting=False))
    assert named(found, "Database").said.startswith("PostgreSQL 18")
    assert named(found, "pgvector").state == "good"
    assert named(found, "Database's form").said == "UTF-8, with checksums, in UTC."
    assert named(found, "Clocks").state == "good"
    assert named(found, "Tools of PostgreSQL").state == "good"


@pytest.mark.parametrize(("version", "state"), [("0.8.5", "good"), ("0.8.4", "good"), ("0.8.3", "at_risk"), (None, "breached")])
def test_an_old_pgvector_is_a_risk_and_none_is_the_end(version: str | None, state: str) -> None:
    assert database.vector(version).state == state


def test_a_standby_takes_no_writes() -> None:
    assert database.version(18, "18.4", standby=True).state == "breached"
    assert database.version(15, "15.6", standby=False).state == "at_risk"


def test_a_database_of_another_encoding_cannot_be_used_and_another_zone_can() -> None:
    told = {"encoding": "UTF8", "checksums": "on", "zone": "UTC"}
    assert database.shape(told | {"encoding": "LATIN1"}).state == "breached"
    line = database.shape(told | {"checksums": "off", "zone": "Asia/Kolkata"})
    assert line.state == "at_risk"
    assert "no checksums" in line.said
    assert "Asia/Kolkata" in line.said


def test_connections_must_suffice_for_every_process_together() -> None:
    assert database.connections(limit=97, used=10, needed=30).state == "good"
    assert database.connections(limit=97, used=10, needed=90).state == "at_risk"
    assert database.connections(limit=97, used=90, needed=30).state == "at_risk"
    assert database.connections(limit=20, used=3, needed=30).state == "breached"


def test_what_the_processes_need_grows_with_their_number(environment: ChangeEnvironment) -> None:
    before = database.needed()
    environment(web_threads=settings.ENVIRONMENT.web_threads + 10, answer_workers=settings.ENVIRONMENT.answer_workers + 5)
    assert database.needed() == before + 10 * database.WEB_PROCESSES + 5


def test_clocks_that_differ_are_said() -> None:
    assert database.clocks(1000.5, before=1000, after=1001).state == "good"
    line = database.clocks(1090, before=1000, after=1001)
    assert (line.state, "89 seconds" in line.said) == ("at_risk", True)
    assert database.clocks(900, before=1000, after=1001).state == "at_risk"


# ---- what is in it


def test_a_missing_migration_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'conversations' AND name = '0004_request_id'")
    try:
        found = list(database.lines(starting=True))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO django_migrations (app, name, applied) VALUES ('conversations', '0004_request_id', now())"
            )
    line = named(found, "Tables")
    assert line.state == "breached"
    assert line.said == "1 change of this release is missing: conversations 0004_request_id."
    assert named(found, "Rows").state == "unknown"


def test_tables_of_a_newer_release_are_a_risk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('operations', '0999_later', now())")
    try:
        line = named(database.lines(starting=True), "Tables")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = '0999_later'")
    assert line.state == "at_risk"
    assert "operations 0999_later" in line.said


def test_an_empty_database_is_told_to_prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The template that databases are made from has the extension and no table."""
    point_database(monkeypatch, dbname="template1")
    line = named(database.lines(starting=True), "Tables")
    assert (line.state, line.said) == ("breached", "The database is empty.")


def test_keys_that_open_nothing_any_more_are_the_end(settings: Settings) -> None:
    factories.an_inbound(factories.a_contact(), "my knee aches")
    assert named(database.lines(starting=True), "FIELD_KEYS").state == "good"
    settings.FIELD_KEYS = (Fernet.generate_key().decode(),)
    line = named(database.lines(starting=True), "FIELD_KEYS")
    assert line.state == "breached"
    assert "knee" not in line.said


def test_a_key_that_opens_only_the_newest_words_is_found_out(settings: Settings) -> None:
    person = factories.a_contact()
    factories.an_inbound(person, "old words")
    settings.FIELD_KEYS = (Fernet.generate_key().decode(),)
    factories.an_inbound(person, "new words")
    assert named(database.lines(starting=True), "FIELD_KEYS").state == "breached"


def test_without_passages_every_question_is_declined() -> None:
    assert named(database.lines(starting=True), "Knowledge").state == "at_risk"
    new = Document.objects.create(title="Cough", origin="starter", slug="cough", status="uploaded", text="x")
    line = named(database.lines(starting=True), "Knowledge")
    assert (line.state, line.said.startswith("1 document is about to be indexed")) == ("unknown", True)
    new.delete()
    factories.a_document("Fever", "Drink plenty of water and rest.")
    assert named(database.lines(starting=True), "Knowledge").state == "good"


def test_another_model_than_that_of_the_index_is_said(environment: ChangeEnvironment) -> None:
    factories.a_document("Fever", "Drink plenty of water and rest.")
    assert named(database.lines(starting=True), "Search by meaning").state == "good"
    environment(embedding_model="another-model")
    line = named(database.lines(starting=True), "Search by meaning")
    assert line.state == "at_risk"
    assert "another-model" in line.said


def test_a_vector_index_that_is_gone_is_said() -> None:
    factories.a_document("Fever", "Drink plenty of water and rest.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE 'chunk_embedding_%%' AND relkind = 'i'")
        names = [name for (name,) in cursor.fetchall()]
        for name in names:
            cursor.execute(f"ALTER INDEX {name} RENAME TO aside_{name}")
    try:
        line = named(database.lines(starting=True), "Search by meaning")
    finally:
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(f"ALTER INDEX aside_{name} RENAME TO {name}")
    assert (line.state, "no whole index" in line.said) == ("at_risk", True)


def test_the_watcher_is_alive_late_or_never_seen() -> None:
    now = datetime.now(UTC)
    assert rows.watcher(None, now=now).state == "unknown"
    Heartbeat.objects.create(name="watcher", at=timezone.now(), every_seconds=5)
    assert named(database.lines(starting=False), "Watcher").state == "good"
    assert rows.watcher((now - timedelta(seconds=20), 5), now=now).state == "at_risk"
    assert rows.watcher((now - timedelta(hours=3), 5), now=now).state == "breached"
