"""What several tests of operations stand on: backups of their own, a server that says nothing, and an operator who is asked
for a second factor."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection

from operations import (
    backups,
    contents,
    databases,
    knowledge_exchange,
    knowledge_tables,
    postgres,
    preparation,
    restored_copy,
    roles,
    wal,
)
from tests import factories
from tests.fixtures import ChangeEnvironment
from tests.operations.accounts import person


@pytest.fixture
def own_backups(environment: ChangeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Backups, keys and the received log of this test alone; the slot goes with it. Scratch servers stay where their account
    may go."""
    environment(keys=tmp_path / "keys")
    monkeypatch.setattr(backups, "folder", lambda: tmp_path / "backups")
    name = f"wal-{time.time_ns()}"
    monkeypatch.setattr(wal, "folder", lambda: postgres.home().make(name))
    yield
    wal.drop_slot()
    for each in wal.folder().iterdir():
        each.unlink()
    wal.folder().rmdir()


@pytest.fixture
def own_restores(own_backups: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restores of this test alone; what they lay beside what is live goes with it."""
    monkeypatch.setattr("operations.journal.folder", lambda: tmp_path / "restores")
    monkeypatch.setattr(knowledge_exchange, "PAUSE_SECONDS", 0.05)
    yield
    connection.close()
    for name in databases.names(*contents.BESIDE):
        databases.drop(name)
    for name in knowledge_tables.names(*contents.BESIDE):
        knowledge_tables.drop(name)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the two steps of a restore that take longest, which have their own tests."""
    monkeypatch.setattr(restored_copy, "safety", dict)
    monkeypatch.setattr(restored_copy, "migrate", lambda name: {})


@pytest.fixture
def people() -> tuple[User, User]:
    return factories.staff("meera"), factories.staff("ravi")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    taken.append(server.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        for each in taken:
            each.close()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


@pytest.fixture
def asked_of_operators(environment: ChangeEnvironment) -> None:
    """The roles are made, and whoever has that of an operator needs a second factor."""
    environment(second_factor="operators")
    preparation.make_roles()


@pytest.fixture
def operator(asked_of_operators: None) -> User:
    return person("asha", roles.OPERATOR)
