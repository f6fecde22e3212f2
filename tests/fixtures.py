"""Fixtures for every folder of tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from conversations import answering, whatsapp
from jeevo import embedded
from knowledge import embeddings
from tests import factories, fakes

PATH = "/webhook/whatsapp/"


class ChangeEnvironment(Protocol):
    def __call__(self, **changes: Any) -> None: ...


class Post(Protocol):
    def __call__(self, body: Any, *, sign: str | None = None, **headers: str) -> HttpResponse: ...


def settle() -> None:
    """Wait until the read receipts that are under way have gone."""
    if answering._pool.cache_info().currsize:
        answering._pool(os.getpid()).shutdown(wait=True)
        answering._pool.cache_clear()


def forget_client() -> None:
    """The next call to Graph reads the environment anew."""
    settle()
    if whatsapp._client.cache_info().currsize:
        whatsapp._client(os.getpid()).close()
        whatsapp._client.cache_clear()


def database_url() -> str:
    """The database of the tests, for a process that reads its own settings."""
    at = connection.settings_dict
    return f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


@pytest.fixture(scope="session", autouse=True)
def _no_cluster_stays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run as root, a stack keeps its servers' folder outside its own, where pytest would not remove it."""
    yield
    for pointer in tmp_path_factory.getbasetemp().rglob(embedded.POINTER):
        home = Path(pointer.read_text().strip())
        if home.parent == embedded.SHARED:
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def environment(settings: Settings) -> ChangeEnvironment:
    """`environment(burst_seconds=0)`; a dict changes part of `whatsapp` or `groq`: `environment(whatsapp={"token": "x"})`."""

    def change(**changes: Any) -> None:
        now = settings.ENVIRONMENT
        parts = {name: replace(getattr(now, name), **new) if isinstance(new, dict) else new for name, new in changes.items()}
        settings.ENVIRONMENT = replace(now, **parts)
        forget_client()

    return change


@pytest.fixture
def post(client: Client) -> Post:
    """Post a body to the webhook, signed as WhatsApp signs it. `sign` replaces the signature; "" leaves it out."""

    def send(body: Any, *, sign: str | None = None, **headers: str) -> HttpResponse:
        raw = body if isinstance(body, bytes) else factories.dumped(body)
        sign = factories.signature(raw) if sign is None else sign
        signed = {"X-Hub-Signature-256": sign} if sign else {}
        answer: Any = client.post(PATH, data=raw, content_type="application/json", headers=signed | headers)
        said: HttpResponse = answer
        return said

    return send


@pytest.fixture
def graph(environment: ChangeEnvironment) -> Iterator[fakes.Graph]:
    """A Graph API on this machine that Jeevo's client is connected to."""
    with fakes.serving() as server:
        environment(whatsapp={"graph_url": server.url})
        cache.clear()
        yield server
        forget_client()
        cache.clear()


@pytest.fixture
def fake_embed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "embed", fakes.embed)


@pytest.fixture
def quick(environment: ChangeEnvironment) -> None:
    """No burst wait."""
    environment(burst_seconds=0)


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection to the broker fails the test."""

    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a connection to the broker was opened")

    monkeypatch.setattr("kombu.connection.Connection._establish_connection", refuse)
    monkeypatch.setattr("celery.app.base.Celery.send_task", refuse)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graph has a third of a second to answer."""
    monkeypatch.setattr(whatsapp, "TIMEOUT", httpx.Timeout(1.5))
    forget_client()
