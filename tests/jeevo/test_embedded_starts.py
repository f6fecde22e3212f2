"""The embedded servers started again: after a kill, a stop, an interruption, on a port that is taken, or by two at once."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import time
from pathlib import Path

import psycopg
import pytest
import redis

from jeevo import embedded, embedded_postgres, embedded_programs, embedded_valkey
from jeevo.embedded import EmbeddedError
from jeevo.embedded_host import Home
from tests.jeevo.place import AS_ROOT, Place, ask, found, port_of, servers_of, wait_until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_both_killed_and_started_again_keep_rows_keys_and_ports(made: Place) -> None:
    before = made.start()
    with psycopg.connect(before.database_url, autocommit=True) as connection:
        connection.execute("create table kept (word text)")
        connection.execute("insert into kept values ('fever')")
    broker = redis.Redis.from_url(before.redis_url)
    broker.set("kept", "fever")
    time.sleep(1.1)  # its file is written once a second
    for pid in made.pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: made.find() is None)
    assert made.start() == before
    assert ask(before, "select word from kept") == "fever"
    assert redis.Redis.from_url(before.redis_url).get("kept") == b"fever"


def test_each_can_be_stopped_and_started_alone_on_its_port(made: Place) -> None:
    services = made.start()
    embedded.stop_valkey(made.data)
    assert made.find() is None
    assert ask(services, "select 1") == 1
    assert embedded.start_valkey(made.data, made.keys, report=made.said.append) == services.redis_url
    embedded.stop_postgres(made.data)
    assert embedded.start_postgres(made.data, made.keys, report=made.said.append) == services.database_url
    assert made.find() == services


def test_what_died_is_started_again_and_what_was_stopped_is_not(made: Place) -> None:
    services = made.start()
    postgres, _ = made.pids()
    embedded.stop_valkey(made.data)
    os.kill(postgres, signal.SIGKILL)
    wait_until(lambda: not embedded_programs.alive(postgres))
    embedded.restart_fallen(made.data, made.keys, report=made.said.append)
    assert ask(services, "select 1") == 1
    assert not (made.data / "valkey" / "valkey.pid").exists()
    assert [line for line in made.said if "so far" not in line] == ["PostgreSQL ended unexpectedly; it is started again."]


def test_a_pid_file_whose_number_is_now_another_programs_is_no_obstacle(made: Place) -> None:
    made.start()
    embedded.stop(made.data)
    # Valkey's own account, alive: PostgreSQL by itself would refuse to start.
    other = embedded_programs.launch(Home(made.data, *account()), ["/bin/sleep", "60"], log=made.data / "sleep.log")
    try:
        (made.data / "postgres" / "postmaster.pid").write_text(f"{other}\n{made.data / 'postgres'}\n")
        (made.data / "valkey" / "valkey.pid").write_text(f"{other}\n")
        assert made.find() is None
        assert ask(made.start(), "select 1") == 1
        assert embedded_programs.alive(other)
    finally:
        embedded_programs.end(other, (signal.SIGKILL, 5))


def account() -> tuple[int | None, int | None]:
    entry = pwd.getpwnam("nobody")
    return (entry.pw_uid, entry.pw_gid) if AS_ROOT else (None, None)


def test_a_taken_port_is_left_to_its_owner_and_the_new_one_remembered(made: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        taken = first.getsockname()[1], second.getsockname()[1]
        monkeypatch.setattr(embedded_postgres, "PREFERRED_PORT", taken[0])
        monkeypatch.setattr(embedded_valkey, "PREFERRED_PORT", taken[1])
        before = made.start()
    assert port_of(before.database_url) != taken[0]
    assert port_of(before.redis_url) != taken[1]
    embedded.stop(made.data)
    assert made.start() == before


def test_a_remembered_port_taken_by_a_stranger_is_given_up(made: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "PREFERRED_PORT", free_port())
    monkeypatch.setattr(embedded_valkey, "PREFERRED_PORT", free_port())
    before = made.start()
    embedded.stop(made.data)
    with (
        socket.create_server(("127.0.0.1", port_of(before.database_url))),
        socket.create_server(("127.0.0.1", port_of(before.redis_url))),
    ):
        after = made.start()
        assert port_of(after.database_url) != port_of(before.database_url)
        assert port_of(after.redis_url) != port_of(before.redis_url)
        assert made.find() == after


def test_two_starters_at_once_get_the_same_pair(place: Place) -> None:
    starters = [place.run("print(embedded.start(data, keys, report=lambda line: None))") for _ in range(2)]
    answers = {starter.communicate(timeout=120)[0] for starter in starters}
    assert answers == {f"{place.find()}\n"}


def test_the_servers_survive_their_starter_and_hold_nothing_of_it_open(place: Place) -> None:
    starter = place.run("import time; embedded.start(data, keys, report=print); print('up', flush=True); time.sleep(60)")
    assert starter.stdout is not None
    while "up" not in starter.stdout.readline():
        pass
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate(timeout=60)  # returns only when nobody else holds its output
    assert found(place)


def test_an_interrupted_first_start_leaves_nothing_running_and_the_next_one_works(place: Place) -> None:
    starter = place.run("embedded.start(data, keys, report=print)")
    wait_until((place.data / "postgres.new" / "base").exists)
    os.killpg(starter.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in starter.communicate(timeout=60)[0]
    wait_until(lambda: servers_of(place) == [])
    assert not (place.data / "postgres").exists()
    assert not list(place.data.glob("*.pwfile"))
    assert ask(place.start(), "select 1") == 1


def test_a_long_recovery_is_waited_for_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_programs, "REPORT_SECONDS", 0.1)
    said: list[str] = []
    pid = embedded_programs.launch(Home(tmp_path), ["/bin/sleep", "60"], log=tmp_path / "log")
    ready = embedded_programs.settle(
        pid,
        is_ready=lambda: bool(said),
        report=said.append,
        tell=lambda: "It recovers.",
        patience=60,
        undo=((signal.SIGKILL, 5),),
    )
    assert ready
    assert said[0].startswith("It recovers. (")
    with pytest.raises(EmbeddedError, match="goes on: start again later"):
        embedded_programs.settle(
            pid,
            is_ready=lambda: False,
            report=said.append,
            tell=lambda: "It recovers.",
            patience=0.1,
            undo=(),
        )
    embedded_programs.end(pid, (signal.SIGKILL, 5))
