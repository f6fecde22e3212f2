"""A load generator that costs little: raw keep-alive connections, bodies made and signed beforehand."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

NUMBER = "200000000000000"


@dataclass(frozen=True)
class Request:
    body: bytes
    headers: dict[str, str]


def message(secret: str, phone: str, wamid: str, text: str) -> Request:
    inner = {"from": phone, "id": wamid, "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}}
    return _signed(secret, {"contacts": [{"wa_id": phone, "profile": {"name": "Load"}}], "messages": [inner]})


def spoken(phone: str, text: str) -> Request:
    """A person writes in the sandbox, which signs and posts the webhook."""
    return Request(json.dumps({"from": phone, "text": text}).encode(), {"Content-Type": "application/json"})


def status(secret: str, wamid: str) -> Request:
    inner = {"id": wamid, "status": "delivered", "timestamp": str(int(time.time())), "recipient_id": "910000000000"}
    return _signed(secret, {"statuses": [inner]})


def _signed(secret: str, value: dict[str, object]) -> Request:
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER}, **value}
    envelope = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}
    body = json.dumps(envelope).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Request(body, {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"})


def as_fast_as_possible(address: str, requests: Sequence[Request], *, connections: int) -> float:
    """Requests per second; every answer must be 200."""
    shares = [requests[start::connections] for start in range(connections)]
    started = time.monotonic()
    _in_threads([lambda share=share: _post_all(address, share) for share in shares])  # type: ignore[misc]
    return len(requests) / (time.monotonic() - started)


def at_a_rate(address: str, requests: Sequence[Request], *, per_second: float, connections: int) -> list[float]:
    """Seconds each request took, counted from the moment it was due, so that a stall is not hidden by the waiting."""
    started, took = time.monotonic() + 0.2, [0.0] * len(requests)

    def work(first: int) -> None:
        connection, path = _connect(address)
        for position in range(first, len(requests), connections):
            due = started + position / per_second
            time.sleep(max(0.0, due - time.monotonic()))
            _post(connection, path, requests[position])
            took[position] = time.monotonic() - due

    _in_threads([lambda first=first: work(first) for first in range(connections)])  # type: ignore[misc]
    return took


def _post_all(address: str, requests: Sequence[Request]) -> None:
    connection, path = _connect(address)
    for each in requests:
        _post(connection, path, each)


def _connect(address: str) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(address)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30), parts.path


def _post(connection: http.client.HTTPConnection, path: str, request: Request) -> None:
    connection.request("POST", path, body=request.body, headers=request.headers)
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise AssertionError(f"{path} answered {response.status}")


def _in_threads(work: Sequence[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def run(each: Callable[[], None]) -> None:
        try:
            each()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
