"""The one settings file: what must hold in every place it runs, and what only a live service turns on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from tests.deploy_check import live_variables

ROOT = Path(__file__).resolve().parent.parent.parent


def values(names: list[str], **variables: str) -> dict[str, Any]:
    """Settings as another process reads them under these variables."""
    code = (
        "import json, sys\nfrom django.conf import settings\n"
        f"print(json.dumps({{name: getattr(settings, name) for name in {names!r}}}, default=str))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "jeevo.settings"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    names = [
        "DEBUG",
        "LIVE",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "SECURE_PROXY_SSL_HEADER",
        "STORAGES",
        "DATABASES",
        "BROKER_URL",
        "CACHE_URL",
        "WHITENOISE_USE_FINDERS",
    ]
    return values(names, **live_variables(tmp_path_factory.mktemp("live")))


def test_debug_is_off_everywhere(live: dict[str, Any]) -> None:
    assert settings.DEBUG is False
    assert live["DEBUG"] is False


def test_a_live_service_speaks_https_only(live: dict[str, Any]) -> None:
    assert live["LIVE"] is True
    assert [live[name] for name in ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT")] == [True] * 3
    assert live["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert live["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]
    assert live["CSRF_TRUSTED_ORIGINS"] == ["https://jeevo.example"]


def test_a_live_service_serves_hashed_files_only(live: dict[str, Any]) -> None:
    assert "Manifest" in live["STORAGES"]["staticfiles"]["BACKEND"]
    assert live["WHITENOISE_USE_FINDERS"] is False


def test_own_servers_are_used_as_named(live: dict[str, Any]) -> None:
    assert live["DATABASES"]["default"]["HOST"] == "127.0.0.1"
    assert live["DATABASES"]["default"]["NAME"] == "jeevo"
    assert live["BROKER_URL"] == "redis://127.0.0.1:1/0"
    assert live["CACHE_URL"] == "redis://127.0.0.1:1/1"


def test_the_sandbox_works_without_https() -> None:
    assert settings.SESSION_COOKIE_SECURE is False
    assert settings.SECURE_SSL_REDIRECT is False


def test_questions_never_travel_inside_the_sql_text() -> None:
    assert settings.DATABASES["default"]["OPTIONS"]["server_side_binding"] is True


@pytest.mark.django_db
def test_a_question_shows_in_the_list_of_statements_only_as_a_placeholder() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT query, %s::text FROM pg_stat_activity WHERE pid = pg_backend_pid()", ["my leg is swollen"])
        ((query, _),) = cursor.fetchall()
    assert "$1" in query
    assert "swollen" not in query


def test_broker_and_cache_are_separate_databases() -> None:
    broker, cached = urlsplit(settings.BROKER_URL), urlsplit(str(settings.CACHES["default"]["LOCATION"]))
    assert broker.netloc == cached.netloc
    assert (broker.path, cached.path) == ("/0", "/1")


def test_every_key_of_the_cache_ends_by_itself() -> None:
    cache.set("tests:ttl", 1)
    ttl = cache.ttl("tests:ttl")  # type: ignore[attr-defined]
    cache.delete("tests:ttl")
    assert 0 < ttl <= settings.CACHES["default"]["TIMEOUT"]


def test_a_lost_worker_gives_its_task_back() -> None:
    assert current_app.conf.task_acks_late is True
    assert current_app.conf.task_reject_on_worker_lost is True
    assert current_app.conf.worker_prefetch_multiplier == 1


def test_every_publisher_gives_up_on_a_dead_broker_soon() -> None:
    """A broker that takes the connection and never answers was measured to hang a publish for over a minute."""
    options = current_app.conf.broker_transport_options
    assert options["socket_timeout"] <= 3
    assert options["socket_connect_timeout"] <= 3


@pytest.mark.parametrize(
    ("task", "lane"),
    [
        ("conversations.answer", "answers"),
        ("knowledge.index_due", "indexing"),
        ("operations.anything", "operations"),
    ],
)
def test_each_app_has_a_lane_of_its_own(task: str, lane: str) -> None:
    assert current_app.amqp.router.route({}, task)["queue"].name == lane


def test_only_the_web_process_has_a_pool_of_connections() -> None:
    pooled = values(["DATABASES"], JEEVO_PROCESS="web")["DATABASES"]["default"]
    plain = values(["DATABASES"], JEEVO_PROCESS="answers")["DATABASES"]["default"]
    assert pooled["OPTIONS"]["pool"]["timeout"] <= 3
    assert pooled["CONN_MAX_AGE"] == 0
    assert "pool" not in plain["OPTIONS"]
    assert plain["CONN_MAX_AGE"] is None


def test_without_services_the_settings_still_load_and_say_so(tmp_path: Path) -> None:
    """manage.py then says how to start them, instead of a traceback."""
    folders = {"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys")}
    assert values(["SERVICES_FOUND"], **folders) == {"SERVICES_FOUND": False}


def test_a_command_without_services_names_the_remedy(tmp_path: Path) -> None:
    folders = {"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys")}
    done = subprocess.run(
        [sys.executable, "manage.py", "showmigrations"],
        cwd=ROOT,
        env=os.environ | folders,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "make run" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_variable_ends_a_command_with_its_name_and_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=os.environ | {"WEB_PORT": "eighty"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "WEB_PORT" in done.stderr
    assert "eighty" not in done.stderr
    assert "Traceback" not in done.stderr


def test_pages_may_load_nothing_from_elsewhere() -> None:
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert directives["default-src"] == ["'none'"]
    assert {source for sources in directives.values() for source in sources} <= {"'self'", "'none'", "data:"}
