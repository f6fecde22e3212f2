"""Both sides of the sandbox: who takes what it posts, who calls its Graph API, and a person who writes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from conversations.sandbox.network import Network

SECRET, TOKEN, NUMBER, ACCOUNT = "app-secret", "sandbox-token", "200000000000000", "100000000000000"
ASHA = "910000010001"


@dataclass
class Post:
    body: bytes
    signature: str
    connection: int
    at: float

    @property
    def value(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)["entry"][0]["changes"][0]["value"]
        return value


@dataclass
class Receiver:
    """Stands where Jeevo's webhook stands. `answers` are the next status codes; then 200.

    With `meet`, no post is answered before as many are there at the same time.
    """

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    meet: threading.Barrier | None = None

    def statuses(self) -> list[str]:
        return [each["status"] for post in list(self.posts) for each in post.value.get("statuses", [])]

    def messages(self) -> list[dict[str, Any]]:
        return [each for post in list(self.posts) for each in post.value.get("messages", [])]


class Graph:
    """A caller of the sandbox's Graph API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30, trust_env=False)

    def post(self, body: Any, *, number: str = NUMBER, **options: Any) -> httpx.Response:
        return self.client.post(f"/v26.0/{number}/messages", json=body, **options)

    def send(self, text: str = "Drink water.", to: str = ASHA, **more: Any) -> httpx.Response:
        return self.post({"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}} | more)


def until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def wrote(network: Network, receiver: Receiver, text: str = "hello", phone: str = ASHA) -> str:
    """A message of a person that Jeevo has taken, so that the 24-hour window is open."""
    before = len(receiver.messages())
    wamid = network.text(phone, text)
    until(lambda: len(receiver.messages()) > before and network.store.counts()["webhooks_waiting"] == 0)
    return wamid


def error(response: httpx.Response) -> tuple[int, int]:
    body = response.json()["error"]
    assert {"message", "type", "code", "fbtrace_id"} <= set(body)
    return response.status_code, body["code"]


def interactive(text: str = "An answer", buttons: list[tuple[str, str]] | None = None) -> dict[str, Any]:
    replies = [{"type": "reply", "reply": {"id": key, "title": title}} for key, title in buttons or [("a", "A")]]
    part = {"type": "button", "body": {"text": text}, "action": {"buttons": replies}}
    return {"messaging_product": "whatsapp", "to": ASHA, "type": "interactive", "interactive": part}
