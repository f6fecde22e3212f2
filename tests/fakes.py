"""What stands where other people's servers stand: a Graph API over real HTTP, and vectors without a model."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from knowledge.models import DIMENSIONS
from knowledge.passages import Vectors

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What one call gets. `hang`: the call is taken and no answer comes until the server is stopped."""

    status: int = 200
    body: bytes | None = None
    hang: bool = False


def refusal(code: int, *, status: int = 400) -> Reply:
    return Reply(status, json.dumps({"error": {"message": "refused", "code": code}}).encode())


HANG = Reply(hang=True)
FAULT = Reply(500, b'{"error": {"message": "fault"}}')
HTML = Reply(200, b"<html>we are down</html>")
WITHOUT_ID = Reply(200, b'{"messaging_product": "whatsapp", "messages": []}')


@dataclass
class Call:
    path: str
    body: Json
    token: str


@dataclass
class Graph:
    """A Graph API that takes every message, but for what `script` says of the next ones, or `always` of all."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    script: list[Reply] = field(default_factory=list)
    always: Reply | None = None
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, call: Call) -> Reply:
        """Record a call and say what it gets. Read receipts are taken and never scripted."""
        with self.lock:
            self.calls.append(call)
            if "status" in call.body:
                return Reply(200, b'{"success": true}')
            reply = self.script.pop(0) if self.script else self.always or Reply()
            answer = json.dumps({"messages": [{"id": f"wamid.OUT{len(self.calls):06d}"}]}).encode()
            return Reply(reply.status, reply.body or answer, reply.hang)

    @property
    def messages(self) -> list[Json]:
        """The messages that reached us, in order, whatever they were answered."""
        return [call.body for call in list(self.calls) if "status" not in call.body]

    @property
    def receipts(self) -> list[Json]:
        return [call.body for call in list(self.calls) if "status" in call.body]

    @property
    def words(self) -> list[str]:
        return [spoken(body) for body in self.messages]


def spoken(body: Json) -> str:
    """The words of a Graph message, plain or with buttons."""
    text: str = body["text"]["body"] if body["type"] == "text" else body["interactive"]["body"]["text"]
    return text


@contextmanager
def serving() -> Iterator[Graph]:
    graph = Graph()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = graph.take(Call(self.path, body, self.headers.get("Authorization", "")))
            if reply.hang:
                graph.released.wait(30)
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body or b"")))
            self.end_headers()
            self.wfile.write(reply.body or b"")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    graph.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield graph
    finally:
        graph.released.set()
        server.shutdown()
        server.server_close()


def embed(texts: list[str], *, model: str | None = None) -> Vectors:
    """Unit vectors from the words alone: texts that share words lie near each other."""
    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    vectors = np.stack([_vector(text) for text in texts])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def _vector(text: str) -> Vectors:
    vector = np.full(DIMENSIONS, 1e-3, dtype=np.float32)
    for word in text.casefold().split():
        place = int.from_bytes(hashlib.sha256(word.strip(".,?!()[]").encode()).digest()[:4], "big") % DIMENSIONS
        vector[place] += 1
    return vector
