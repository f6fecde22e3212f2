"""Programs that call the API with a token, and a worker that is at hand while the API waits.

A test that needs them names the plugin: `pytest_plugins = ("tests.callers",)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from conversations import trials as asking
from knowledge import api_trials, trials

ASKS = ("view_document", "view_answer")


class Caller(Client):
    """Sends its token with everything, and JSON."""

    def __init__(self, user: User) -> None:
        super().__init__(headers={"Authorization": f"Token {Token.objects.get_or_create(user=user)[0].key}"})
        self.user = user

    def send(self, path: str, body: Any, **more: Any) -> HttpResponse:
        answer: Any = self.post(path, data=body, content_type=more.pop("content_type", "application/json"), **more)
        said: HttpResponse = answer
        return said


MakeCaller = Callable[..., Caller]


@pytest.fixture
def a_caller(db: None) -> Iterator[MakeCaller]:
    """`a_caller("name", may=ASKS)`: an account that is no staff, with these permissions."""
    cache.clear()

    def make(name: str = "program", *, may: tuple[str, ...] = ASKS) -> Caller:
        user = User.objects.create(username=name)
        user.user_permissions.set(Permission.objects.filter(codename__in=may))
        return Caller(user)

    yield make
    cache.clear()


@pytest.fixture
def caller(a_caller: MakeCaller) -> Caller:
    return a_caller()


@pytest.fixture
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two seconds are over at once."""
    monkeypatch.setattr(api_trials, "SECONDS", 0)


@pytest.fixture
def worker(fake_embed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the API pauses, everything that waits is done."""

    def work(seconds: float) -> None:
        for key in trials.waiting(now=timezone.now()):
            asking.run(key, now=timezone.now())

    monkeypatch.setattr(api_trials, "pause", work)
