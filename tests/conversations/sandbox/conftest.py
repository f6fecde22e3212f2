"""A sandbox with its network, what it posts to, and a caller of its Graph API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from conversations.sandbox import server
from conversations.sandbox.network import Network
from tests.conversations.sandbox.sides import ACCOUNT, NUMBER, SECRET, TOKEN, Graph, Post, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.posts.append(Post(body, self.headers["X-Hub-Signature-256"], self.client_address[1], time.monotonic()))
            if made.meet:
                made.meet.wait(timeout=8)
            self.send_response(made.answers.pop(0) if made.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    made.url = f"http://127.0.0.1:{http.server_port}/webhook/whatsapp/"
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    http.shutdown()
    http.server_close()


@pytest.fixture
def open_network(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[..., Network]]:
    made: list[Network] = []

    def make(**options: Any) -> Network:
        quick: dict[str, Any] = {"status_wait": (0.001, 0.005), "backoff": (0.05, 1.0)}
        path = tmp_path / "sandbox.sqlite3"
        made.append(Network(path, receiver.url, SECRET, TOKEN, NUMBER, business_account_id=ACCOUNT, **quick | options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def network(open_network: Callable[..., Network]) -> Network:
    return open_network()


@pytest.fixture(scope="package")
def served() -> Iterator[tuple[server.Sandbox, str]]:
    """One for all tests, because making it looks through every static file; each test sets its network."""
    sandbox = server.Sandbox(cast(Network, None))
    http = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler, allow_reuse_address=False)
    http.daemon_threads = True
    http.set_app(sandbox)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield sandbox, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.fixture
def graph(network: Network, served: tuple[server.Sandbox, str]) -> Iterator[Graph]:
    sandbox, url = served
    sandbox.network = network
    made = Graph(url)
    yield made
    made.client.close()
