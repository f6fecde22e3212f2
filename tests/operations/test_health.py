"""Health: the guide's JSON, 503 when a part does not answer, and an answer in time even when a part hangs."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from knowledge.models import Chunk, Document
from operations import drains, health, wal
from operations.models import Backup, Checkpoint, Heartbeat, Protection
from tests import factories
from tests.fixtures import ChangeEnvironment

# The checks use connections of their own, which see only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def heartbeat(request: pytest.FixtureRequest) -> Heartbeat:
    request.getfixturevalue("transactional_db")
    return Heartbeat.objects.create(name="watcher", at=timezone.now(), every_seconds=5)


def a_chunk() -> Chunk:
    document = Document.objects.create(
        title="Fever", origin="starter", slug="fever", status="in_review", text="x", indexed_at=timezone.now()
    )
    factories.some_chunks(document, [("", "Drink.")])
    return document.chunks.get()


def point_database(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    usual = connection.get_connection_params()
    # On the class: the checks run in threads, and each thread has a connection object of its own.
    monkeypatch.setattr(DatabaseWrapper, "get_connection_params", lambda _: {**usual, **changes})


@pytest.mark.parametrize("address", ["/health", "/health/"])
def test_the_guides_json_with_and_without_the_slash_and_no_redirect(client: Client, address: str) -> None:
    a_chunk()
    answer = client.get(address)
    body = answer.json()
    assert answer.status_code == 200
    assert body["status"] == "healthy"
    assert set(body) == {"status", "version", "timestamp", "components"}
    assert body["version"] == health.version()
    parts = body["components"]
    assert parts["database"]["status"] == "connected"
    assert 0 < parts["database"]["active_connections"] <= parts["database"]["pool_size"]
    assert parts["redis"]["status"] == "connected"
    assert parts["redis"]["memory_used_mb"] > 0
    assert (parts["rag_system"]["status"], parts["rag_system"]["chunks_loaded"]) == ("active", 1)
    assert parts["rag_system"]["last_update"].endswith("Z")
    assert parts["queue"]["oldest_waiting_seconds"] == 0
    assert "no-cache" in answer["Cache-Control"]


def test_live_touches_nothing_outside(client: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/1"

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("live asked something outside")

    monkeypatch.setattr(connection, "cursor", refuse)
    monkeypatch.setattr(psycopg, "connect", refuse)
    for address in ("/health/live", "/health/live/"):
        answer = client.get(address)
        assert (answer.status_code, answer.content) == (200, b"ok")


def test_an_empty_knowledge_base_is_degraded_and_still_serves(client: Client) -> None:
    answer = client.get("/health/")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["components"]["rag_system"]["status"] == "empty"


def test_passages_that_are_not_served_do_not_count(client: Client, environment: ChangeEnvironment) -> None:
    a_chunk()
    environment(serve_starter_content=False)
    assert client.get("/health/").json()["components"]["rag_system"]["chunks_loaded"] == 0


def test_the_oldest_waiting_message_is_told_in_seconds(client: Client) -> None:
    a_chunk()
    now = timezone.now()
    factories.an_inbound(factories.a_contact(), status="waiting", received_at=now - timedelta(seconds=40))
    waited = client.get("/health/").json()["components"]["queue"]["oldest_waiting_seconds"]
    assert 40 <= waited < 60
    factories.an_inbound(None, status="received", received_at=now - timedelta(seconds=400))
    body = client.get("/health/").json()
    assert (body["status"], body["components"]["queue"]["status"]) == ("degraded", "late")


def test_a_new_service_has_no_backup_and_is_well(client: Client) -> None:
    a_chunk()
    body = client.get("/health/").json()
    assert body["status"] == "healthy"
    assert body["components"]["backup"] == {"status": "none", "last_verified_seconds": None}
    assert body["components"]["wal"] == {"status": "none", "behind_bytes": None}


def test_a_backup_that_is_late_is_degraded_and_never_503(client: Client) -> None:
    a_chunk()
    now = timezone.now()
    then = now - timedelta(hours=26, minutes=1)
    times = {"requested_at": then, "started_at": then, "taken_at": then, "verified_at": then}
    backup = Backup.objects.create(kind="full", status="verified", **times)
    assert client.get("/health/").json()["components"]["backup"]["status"] == "verified", "it was stopped meanwhile"
    Checkpoint.objects.create(at=then, tables={})
    answer = client.get("/health/")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["components"]["backup"]["status"] == "late"
    Backup.objects.filter(pk=backup.pk).update(verified_at=now)
    assert client.get("/health/").json()["status"] == "healthy"


def test_a_log_that_is_not_received_is_away_and_after_five_minutes_late(client: Client) -> None:
    a_chunk()
    wal.ensure_slot()
    try:
        now = timezone.now()
        row = Protection.objects.create(tier="A", noted_at=now, safe_at=now - timedelta(seconds=200))
        body = client.get("/health/").json()
        assert (body["status"], body["components"]["wal"]["status"]) == ("healthy", "away")
        assert body["components"]["wal"]["behind_bytes"] >= 0
        Protection.objects.filter(pk=row.pk).update(safe_at=now - timedelta(seconds=301))
        answer = client.get("/health/")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["components"]["wal"]["status"] == "late"
    finally:
        wal.drop_slot()


def test_tables_that_are_not_there_between_two_releases_take_nothing_down(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_chunk()
    monkeypatch.setattr(health, "_BACKUP", health._BACKUP.replace("operations_checkpoint", "operations_not_there"))
    answer = client.get("/health/")
    assert (answer.status_code, answer.json()["components"]["backup"]) == (200, {"status": "unknown"})


def test_a_database_that_refuses_is_503_with_a_plain_sentence(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    point_database(monkeypatch, host="127.0.0.1", port=1, password="hunter2")
    answer = client.get("/health/")
    body = answer.json()
    assert answer.status_code == 503
    assert body["status"] == "unhealthy"
    assert body["components"]["database"] == {
        "status": "unreachable",
        "problem": "The database did not answer.",
    }
    assert body["components"]["redis"]["status"] == "connected"
    assert "hunter2" not in answer.content.decode()
    assert "127.0.0.1" not in answer.content.decode()


def test_redis_that_refuses_is_503_and_the_database_is_still_told(client: Client, settings: Settings) -> None:
    settings.CACHE_URL = "redis://:hunter2@127.0.0.1:1/1"
    answer = client.get("/health/")
    assert answer.status_code == 503
    assert answer.json()["components"]["redis"]["status"] == "unreachable"
    assert answer.json()["components"]["database"]["status"] == "connected"
    assert "hunter2" not in answer.content.decode()


def asked_three_times(client: Client) -> tuple[Any, float]:
    """The last answer, and the seconds of the quickest: a busy machine may stop one of them for a while."""
    took = []
    for _ in range(3):
        started = time.monotonic()
        answer = client.get("/health/")
        took.append(time.monotonic() - started)
    return answer, min(took)


def test_a_database_that_hangs_is_answered_within_three_seconds(
    client: Client, monkeypatch: pytest.MonkeyPatch, silent_port: int
) -> None:
    point_database(monkeypatch, host="127.0.0.1", port=silent_port)
    answer, seconds = asked_three_times(client)
    assert seconds < 3
    assert answer.status_code == 503
    assert answer.json()["components"]["redis"]["status"] == "connected"


def test_redis_that_hangs_is_answered_within_three_seconds(client: Client, settings: Settings, silent_port: int) -> None:
    settings.CACHE_URL = f"redis://127.0.0.1:{silent_port}/1"
    answer, seconds = asked_three_times(client)
    assert seconds < 3
    assert answer.json()["components"]["redis"]["status"] == "unreachable"


def test_ten_questions_to_a_hanging_database_use_two_threads_and_each_gets_its_answer_in_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_chunk()
    release = threading.Event()
    monkeypatch.setattr(health, "ask", lambda *_: release.wait(20))
    started = time.monotonic()
    askers = [threading.Thread(target=lambda: Client().get("/health/")) for _ in range(10)]
    for each in askers:
        each.start()
    time.sleep(1)
    hung = [thread for thread in threading.enumerate() if thread.name.startswith("health-database")]
    for each in askers:
        each.join()
    release.set()
    assert time.monotonic() - started < 15
    assert len(hung) <= 2


def test_no_word_and_no_number_of_a_patient_is_in_it(client: Client) -> None:
    factories.an_inbound(factories.a_contact("919876543210"), "my knee aches", status="waiting", received_at=timezone.now())
    text = client.get("/health/").content.decode()
    for secret in ("919876543210", "knee", "······"):
        assert secret not in text


# The watcher


def test_a_watcher_that_lives_is_told_with_the_age_of_its_heartbeat(client: Client) -> None:
    told = client.get("/health/").json()["components"]["watcher"]
    assert told["status"] == "alive"
    assert 0 <= told["last_seen_seconds"] < 15


def test_a_watcher_that_is_silent_for_three_intervals_is_503(
    client: Client, heartbeat: Heartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_chunk()
    monkeypatch.setattr(health, "STARTED", time.monotonic() - 61)
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=5))
    assert client.get("/health/").status_code == 200
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=16))
    answer = client.get("/health/")
    assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
    assert answer.json()["components"]["watcher"]["status"] == "silent"


@pytest.mark.parametrize("rows", [0, 1])
def test_after_a_start_the_watcher_has_a_minute(client: Client, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    a_chunk()
    Heartbeat.objects.update(at=timezone.now() - timedelta(hours=3))
    if not rows:
        Heartbeat.objects.all().delete()
    monkeypatch.setattr(health, "STARTED", time.monotonic() - 50)
    answer = client.get("/health/")
    assert (answer.status_code, answer.json()["components"]["watcher"]["status"]) == (200, "starting")
    monkeypatch.setattr(health, "STARTED", time.monotonic() - 70)
    assert client.get("/health/").status_code == 503


# Who sees the parts


def live_with(settings: Settings, environment: ChangeEnvironment, token: str) -> None:
    settings.LIVE = True
    environment(health_token=token)


def test_a_stranger_sees_whether_it_is_well_and_no_parts(
    client: Client, settings: Settings, environment: ChangeEnvironment
) -> None:
    live_with(settings, environment, "a-token")
    assert set(client.get("/health/").json()) == {"status", "version", "timestamp"}
    wrong = client.get("/health/", headers={"Authorization": "Bearer another"})
    assert "components" not in wrong.json()


def test_the_token_opens_the_parts(client: Client, settings: Settings, environment: ChangeEnvironment) -> None:
    live_with(settings, environment, "a-token")
    answer = client.get("/health/", headers={"Authorization": "Bearer a-token"})
    assert set(answer.json()["components"]) == {*("database", "redis", "rag_system", "queue", "watcher"), "backup", "wal"}


def test_a_token_in_the_sandbox_closes_it_to_strangers(client: Client, environment: ChangeEnvironment) -> None:
    assert "components" in client.get("/health/").json()
    environment(health_token="a-token")
    assert "components" not in client.get("/health/").json()


@pytest.mark.parametrize(("is_staff", "sees"), [(True, True), (False, False)])
def test_staff_see_the_parts_without_a_token(
    client: Client, settings: Settings, environment: ChangeEnvironment, is_staff: bool, sees: bool
) -> None:
    live_with(settings, environment, "")
    assert "components" not in client.get("/health/").json()
    client.force_login(User.objects.create(username="asha", is_staff=is_staff))
    assert ("components" in client.get("/health/").json()) is sees


def test_while_the_database_is_away_only_the_token_opens_the_parts(
    client: Client, settings: Settings, environment: ChangeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_with(settings, environment, "a-token")
    client.force_login(User.objects.create(username="asha", is_staff=True))
    point_database(monkeypatch, host="127.0.0.1", port=1)
    assert set(client.get("/health/").json()) == {"status", "version", "timestamp"}
    told = client.get("/health/", headers={"Authorization": "Bearer a-token"})
    assert told.json()["components"]["database"]["status"] == "unreachable"


# For the load balancer


@pytest.mark.parametrize("address", ["/health/ready", "/health/ready/"])
def test_it_is_ready_while_the_database_answers(client: Client, address: str) -> None:
    Heartbeat.objects.all().delete()
    answer = client.get(address)
    assert (answer.status_code, answer.content) == (200, b"ready")


def test_it_is_not_ready_without_its_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    point_database(monkeypatch, host="127.0.0.1", port=1)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.content) == (503, b"The database did not answer.")


@pytest.mark.django_db(transaction=True)
def test_a_service_that_is_drained_takes_no_more_requests(client: Client) -> None:
    list(drains.drain(patience=0, stop=False, reason="New disk"))
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.content) == (503, b"The service is being drained.")
