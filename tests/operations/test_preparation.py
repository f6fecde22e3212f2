"""What is made before the processes start: once, by one of them, and safe to repeat."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections

from knowledge.models import Document
from operations import preparation
from tests.fixtures import ChangeEnvironment


@pytest.fixture(autouse=True)
def _keys_of_its_own(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(keys=tmp_path / "keys")


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.BROKER_URL)
    yield client
    client.delete("tests:preparation")
    client.close()


@pytest.fixture
def said() -> list[str]:
    return []


def password_file() -> Path:
    path: Path = settings.ENVIRONMENT.keys / "admin_password"
    return path


@pytest.mark.django_db
def test_preparing_twice_changes_nothing_the_second_time(said: list[str]) -> None:
    preparation.prepare(say=said.append)
    before = list(User.objects.values()), list(Document.objects.order_by("pk").values())
    said.clear()
    preparation.prepare(say=said.append)
    assert (list(User.objects.values()), list(Document.objects.order_by("pk").values())) == before
    assert said[-1].startswith("Starter articles: 0 new, 0 changed")
    assert "The account admin was made." not in said


@pytest.mark.django_db
def test_the_starter_articles_are_registered(said: list[str]) -> None:
    preparation.prepare(say=said.append)
    assert Document.objects.filter(origin="starter").count() >= 40


@pytest.mark.django_db
def test_a_service_without_starter_content_gets_none(environment: ChangeEnvironment, said: list[str]) -> None:
    environment(serve_starter_content=False)
    preparation.prepare(say=said.append)
    assert not Document.objects.exists()


@pytest.mark.django_db
def test_the_first_account_can_log_in_with_the_password_of_the_file(said: list[str]) -> None:
    preparation.first_account(say=said.append)
    admin = User.objects.get(username="admin")
    assert admin.is_superuser
    assert admin.check_password(password_file().read_text().strip())
    assert said == ["The account admin was made."]


@pytest.mark.django_db
def test_the_password_is_for_the_owner_only_and_never_said(said: list[str]) -> None:
    preparation.first_account(say=said.append)
    password = password_file().read_text().strip()
    assert stat.S_IMODE(password_file().stat().st_mode) == 0o600
    assert len(password) >= 12
    assert not [line for line in said if password in line]


@pytest.mark.django_db
def test_a_database_made_anew_takes_the_password_that_is_known(said: list[str]) -> None:
    preparation.first_account(say=said.append)
    password = password_file().read_text()
    User.objects.all().delete()
    preparation.first_account(say=said.append)
    assert password_file().read_text() == password
    assert User.objects.get().check_password(password.strip())


@pytest.mark.django_db
def test_where_an_administrator_exists_no_account_is_made(said: list[str]) -> None:
    User.objects.create_superuser("meera", password="a long enough password")
    preparation.first_account(say=said.append)
    assert User.objects.get().username == "meera"
    assert not password_file().exists()


@pytest.mark.django_db
def test_a_live_service_makes_its_own_account(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setattr(settings, "LIVE", True)
    preparation.first_account(say=said.append)
    assert not User.objects.exists()
    assert not password_file().exists()


@pytest.mark.django_db
def test_the_cache_is_cleared_and_the_broker_is_not(broker: redis.Redis, said: list[str]) -> None:
    cache.set("tests:preparation", 1)
    broker.set("tests:preparation", "a task that waits")
    preparation.prepare(say=said.append)
    assert cache.get("tests:preparation") is None
    assert broker.get("tests:preparation") == b"a task that waits"


@pytest.mark.django_db
def test_the_command_says_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("prepare")
    assert "Tables are up to date." in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_of_two_starters_one_waits_for_the_other() -> None:
    events: list[str] = []
    inside = threading.Event()

    def first() -> None:
        with preparation.migration_lock():
            inside.set()
            time.sleep(0.4)
            events.append("first done")
        connections.close_all()

    def second() -> None:
        inside.wait(5)
        with preparation.migration_lock():
            events.append("second begins")
        connections.close_all()

    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert events == ["first done", "second begins"]


def locks_held() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        (count,) = cursor.fetchone()
    return int(count)


@pytest.mark.django_db(transaction=True)
def test_a_starter_that_fails_lets_the_next_one_in() -> None:
    with suppress(RuntimeError), preparation.migration_lock():
        assert locks_held() == 1
        raise RuntimeError("the migration failed")
    assert locks_held() == 0


@pytest.mark.django_db(transaction=True)
def test_a_long_migration_is_not_cut_off() -> None:
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            (value,) = cursor.fetchone()
        return str(value)

    before = limit()
    with preparation.migration_lock():
        assert limit() == "0"
    assert before != "0"
    connection.close()  # the limit is the connection's
    assert limit() == before
