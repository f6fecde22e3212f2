"""/metrics: who may read it, the guide's names, figures true to the rows, what it tells while a part is away, and
nothing of a person in it."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from conversations import answering, dispatch
from conversations.models import Answer, Handover, InboundMessage
from jeevo import measures
from jeevo.environment import Offsite
from knowledge.models import Document
from operations import wal
from operations.models import Backup, Drill, Heartbeat, OffsiteState, Protection
from tests import factories, fakes
from tests.fixtures import ChangeEnvironment, Post

# The figures of rows are read over a connection of their own, which sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = {"Authorization": "Bearer a-token"}


@pytest.fixture(autouse=True)
def _token(environment: ChangeEnvironment) -> None:
    environment(metrics_token="a-token")


def scrape(client: Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = client.get("/metrics", headers=TOKEN).content.decode()
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(client: Client, name: str, **labels: str) -> float | None:
    return scrape(client).get((name, frozenset(labels.items())))


# Who may read it


@pytest.mark.parametrize("address", ["/metrics", "/metrics/"])
def test_prometheus_reads_it_with_the_token(client: Client, address: str) -> None:
    answer = client.get(address, headers=TOKEN)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer ", "Basic a-token", "a-token"])
def test_nobody_else_reads_it(client: Client, header: str | None) -> None:
    answer = client.get("/metrics", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.content.decode().startswith("Metrics need the bearer token")


def test_an_empty_token_opens_nothing(client: Client, environment: ChangeEnvironment) -> None:
    environment(metrics_token="")
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


def test_staff_need_the_permission(client: Client) -> None:
    asha = User.objects.create(username="asha", is_staff=True)
    client.force_login(asha)
    assert client.get("/metrics").status_code == 403
    asha.user_permissions.add(Permission.objects.get(codename="view_machine"))
    assert client.get("/metrics").status_code == 200


def test_staff_who_owe_a_second_factor_do_not_read_it(client: Client, environment: ChangeEnvironment) -> None:
    environment(second_factor="everybody")
    client.force_login(User.objects.create(username="asha", is_staff=True, is_superuser=True))
    assert client.get("/metrics").status_code == 401
    environment(second_factor="off")
    assert client.get("/metrics").status_code == 200


def test_it_is_not_sent_to_https_on_the_private_network(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/metrics", headers=TOKEN).status_code == 200
    assert client.get("/admin/", headers=TOKEN).status_code == 301


# What it tells


def test_the_names_of_the_guide_are_there(client: Client) -> None:
    measures.medical_queries.labels("extractive").inc(0)
    names = {name for name, _ in scrape(client)}
    assert {
        "medical_queries_total",
        "validation_errors_total",
        "query_duration_seconds_bucket",
        "vector_search_duration_seconds_bucket",
        "active_connections",
        "vector_db_chunks",
    } <= names


def test_the_queue_and_the_people_who_wait_are_true_to_the_rows(client: Client) -> None:
    now, person = timezone.now(), factories.a_contact()
    factories.an_inbound(None, status="received", received_at=now - timedelta(seconds=90))
    factories.an_inbound(person, status="waiting", received_at=now - timedelta(seconds=30))
    factories.an_inbound(person, status="answered", received_at=now - timedelta(days=3))
    factories.an_outbound(person, status="failed", failed_at=now - timedelta(hours=2))
    factories.an_outbound(person, status="failed", failed_at=now - timedelta(hours=30))
    Handover.objects.create(contact=person, reason="asked", opened_at=now)
    assert value(client, "queue_messages", status="received") == 1
    assert value(client, "queue_messages", status="waiting") == 1
    assert value(client, "queue_messages", status="processing") == 0
    assert 90 <= (value(client, "queue_oldest_seconds") or 0) < 100
    assert value(client, "outbound_messages", status="failed") == 1
    assert value(client, "handovers_waiting") == 1


def test_knowledge_and_watcher_are_told_by_age(client: Client) -> None:
    assert value(client, "knowledge_age_seconds") is None  # not known is not zero
    assert value(client, "watcher_heartbeat_age_seconds") is None
    then = timezone.now() - timedelta(days=8)
    document = Document.objects.create(title="Fever", text="x", status="in_review", indexed_at=then)
    factories.some_chunks(document, [("", "Drink.")])
    Heartbeat.objects.create(name="watcher", at=timezone.now() - timedelta(seconds=40), every_seconds=5)
    assert (value(client, "knowledge_age_seconds") or 0) == pytest.approx(8 * 86400, abs=60)
    assert (value(client, "watcher_heartbeat_age_seconds") or 0) == pytest.approx(40, abs=10)
    assert value(client, "vector_db_chunks") == 1


def test_backups_and_drills_are_told_by_age_and_what_is_not_known_is_not_told(client: Client) -> None:
    names = {name for name, _ in scrape(client)}
    figures = {"backup_last_verified_age_seconds", "backup_exposure_seconds", "drill_last_rto_seconds", "drill_age_seconds"}
    assert not names & figures
    now = timezone.now()
    then = now - timedelta(hours=3)
    times = {"requested_at": then, "started_at": then, "taken_at": then, "verified_at": then}
    base = Backup.objects.create(kind="full", status="verified", **times)
    when = {"requested_at": then, "started_at": then, "ended_at": then, "instant": then}
    Drill.objects.create(cause="weekly", status="passed", base=base, rto_seconds=41.5, **when)
    Protection.objects.create(tier="A", safe_at=now - timedelta(seconds=70), noted_at=now)
    assert value(client, "backup_last_verified_age_seconds") == pytest.approx(10800, abs=30)
    assert value(client, "drill_age_seconds") == pytest.approx(10800, abs=30)
    assert value(client, "drill_last_rto_seconds") == 41.5
    assert value(client, "backup_exposure_seconds") == pytest.approx(70, abs=30)
    Protection.objects.update(noted_at=now - timedelta(minutes=2))
    assert value(client, "backup_exposure_seconds") is None, "nobody has looked since"
    Protection.objects.update(tier="C")
    assert value(client, "backup_exposure_seconds") is None
    Backup.objects.create(kind="dump", status="taken", requested_at=then, started_at=then, taken_at=then)
    assert value(client, "backup_exposure_seconds") == pytest.approx(10800, abs=30)


def test_what_lies_outside_is_told_where_copies_go_outside(client: Client, settings: Settings, tmp_path: Path) -> None:
    OffsiteState.objects.create(name="log", good_at=timezone.now() - timedelta(seconds=40))
    now = timezone.now()
    Backup.objects.create(kind="dump", status="taken", requested_at=now, started_at=now, taken_at=now)
    assert value(client, "offsite_exposure_seconds") is None
    settings.STORAGES = settings.STORAGES | {"offsite": Offsite(tmp_path.as_uri()).storage}
    assert value(client, "offsite_exposure_seconds") == pytest.approx(40, abs=30)
    assert value(client, "offsite_backups_waiting") == 1


def test_the_log_that_waits_for_its_receiver_is_told(client: Client) -> None:
    assert value(client, "wal_behind_bytes") is None
    wal.ensure_slot()
    try:
        assert (value(client, "wal_behind_bytes") or 0) >= 0
        assert value(client, "wal_behind_bytes") is not None
    finally:
        wal.drop_slot()


def test_shares_lie_between_nothing_and_all(client: Client) -> None:
    told = scrape(client)
    shares = {name: share for (name, _), share in told.items() if name.endswith("_used_ratio")}
    assert set(shares) == {
        "database_connections_used_ratio",
        "machine_memory_used_ratio",
        "machine_cpu_used_ratio",
        "machine_disk_used_ratio",
    }
    assert all(0 <= share <= 1 for share in shares.values())


def test_with_the_database_away_it_tells_what_it_has(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = connection.get_connection_params()
    away = usual | {"host": "127.0.0.1", "port": 1}
    monkeypatch.setattr(DatabaseWrapper, "get_connection_params", lambda _: dict(away))
    told = scrape(client)
    assert told[("database_up", frozenset())] == 0
    assert told[("redis_up", frozenset())] == 1
    assert ("database_query_duration_seconds_count", frozenset()) in told
    assert ("active_connections", frozenset()) not in told


def test_with_redis_away_the_rest_is_told_in_time(client: Client, settings: Settings) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:1/1"
    started = time.monotonic()
    told = scrape(client)
    assert time.monotonic() - started < 10
    assert told[("redis_up", frozenset())] == 0
    assert told[("database_up", frozenset())] == 1


# A message on its way


def test_a_message_is_measured_from_webhook_to_answer_and_nothing_of_the_person_shows(
    client: Client, post: Post, graph: fakes.Graph, quick: None, fake_embed: None
) -> None:
    factories.a_document("Fever", "## What to do\n\nDrink plenty of water when you have a fever.")
    before = scrape(client)
    post(factories.envelope(messages=[factories.text_message("How do I treat a fever? I am Asha from Pune")]))
    now = timezone.now()
    dispatch.attach_received(now=now, send_now=lambda key: None)
    for key in answering.waiting_contacts(now=now + timedelta(seconds=1)):
        answering.answer_contact(key)
    after = scrape(client)

    def grew(name: str, **labels: str) -> float:
        key: Any = (name, frozenset(labels.items()))
        return after.get(key, 0.0) - before.get(key, 0.0)

    kind = Answer.objects.get().kind
    assert InboundMessage.objects.get().status == "answered"
    assert grew("webhook_duration_seconds_count", status="2xx") == 1
    assert grew("triage_levels_total", level="routine") == 1
    assert grew("medical_queries_total", kind=kind) == 1
    assert grew("query_duration_seconds_count") == 1
    assert grew("vector_search_duration_seconds_count") == 1
    assert grew("vector_db_duration_seconds_count") == 1
    assert grew("call_duration_seconds_count", service="graph", outcome="answered") >= 1
    assert grew("operations_total", kind="request") == 1  # scrapes are not the service's work
    assert grew("database_query_duration_seconds_count") > 10
    text = client.get("/metrics", headers=TOKEN).content.decode()
    for secret in (factories.ASHA, factories.ASHA[2:], "Asha", "Pune", "fever", str(Answer.objects.get().contact_id)):
        assert secret not in text
