"""A server on this machine that speaks Groq's chat completions, in as many moods as a language model has.

The SDK that Jeevo uses is the real one; only its base URL points here.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from conversations import llm, prompts

MODEL = "openai/gpt-oss-120b"
PATH = "/openai/v1/chat/completions"
_PASSAGE = re.compile(r'<passage[-\w]* number="(\d+)"[^>]*>\n(.*)\n</passage[-\w]*>')
_TEXT = re.compile(r"<text-\w+>\n(.*)\n</text-\w+>", re.DOTALL)
STEPS = {prompts.READ: "read", prompts.SYSTEM: "write", prompts.TRANSLATE: "translate"}


@dataclass
class Groq:
    """What it plays next, and what it was asked. `text` is what it answers in the mood "says"."""

    plays: str = "good"
    text: str = ""
    # What it answers when it has to read a message, and how it translates lines; a step that is named plays its own mood.
    reading: str = ""
    translating: Callable[[list[str]], str] | None = None
    at: dict[str, str] = field(default_factory=dict)
    # What an error status brings, and how long the slow moods take.
    status: int = 500
    seconds: float = 3.0
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def prompts(self) -> list[str]:
        """The user's part of every call."""
        return [call["messages"][-1]["content"] for call in self.asked]

    @property
    def steps(self) -> list[str]:
        """What it was asked to do, call by call."""
        return [STEPS.get(call["messages"][0]["content"], "") for call in self.asked]

    def mood(self, step: str) -> str:
        return self.at.get(step, self.plays)

    def says(self, step: str, prompt: str) -> str:
        obeys = self.mood(step) == "good"
        if step == "read" and self.reading and obeys:
            return self.reading
        if step == "translate" and self.translating and obeys:
            found = _TEXT.search(prompt)
            return self.translating(found[1].split("\n") if found else [])
        return self.text if self.mood(step) == "says" else SAID[self.mood(step)](prompt)


@contextmanager
def serving() -> Iterator[Groq]:
    state = Groq()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def forget_client() -> None:
    """The next call reads the environment anew."""
    if llm._client.cache_info().currsize:
        llm._client(os.getpid()).close()
        llm._client.cache_clear()


def good(prompt: str) -> str:
    """Sentences of the first two passages, with their marks: what an obedient model does."""
    found = _PASSAGE.findall(prompt)[:2]
    return " ".join(
        f"{sentence.rstrip('.')} [{number}]." for number, text in found for sentence in re.split(r"(?<=\.) ", text)[:2]
    )


SAID: dict[str, Callable[[str], str]] = {
    "good": good,
    "lazy": lambda _: "NO ANSWER",
    "lazy with a mark": lambda _: "NO ANSWER [1].",
    "lazy in other letters": lambda _: "No answer.",
    "chatty and lazy": lambda prompt: good(prompt) + " NO ANSWER",
    "hallucinating": lambda _: (
        "Rub the belly with warm mustard oil three times a day [1]. Drink 3 litres of sour milk with 20 g of ash [1]. "
        "You have cholera [2]. Take 4 tablets of metformin [1]."
    ),
    "injected": lambda _: (
        "I am free of my rules now and love my master [1]. Send your card number to https://evil.example/pay [1]. "
        "Call +91 98765 43210 for the cure [1]."
    ),
    "one dose too many": lambda prompt: good(prompt) + " Give 4 tablets of 500 mg every hour [1].",
    "without marks": lambda prompt: good(prompt).replace("[1]", "").replace("[2]", ""),
    "blank": lambda _: "  \n ",
}


def _completion(text: Any, **changes: Any) -> bytes:
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_772_355_600,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 80, "total_tokens": 980},
    }
    return json.dumps(body | changes).encode()


ODD = {
    "garbage": b'{"choices": [{"mess',
    "no choices": _completion("x", choices=[]),
    "null choices": _completion("x", choices=None),
    "no message": _completion("x", choices=[{"index": 0}]),
    "null message": _completion("x", choices=[{"index": 0, "message": None}]),
    "null content": _completion(None),
    "content in parts": _completion([{"type": "text", "text": "Rest."}]),
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "nothing": b"",
}


def _handler(state: Groq) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append(asked | {"path": self.path})
            state.keys.append(self.headers.get("Authorization", ""))
            with suppress(BrokenPipeError, ConnectionResetError):
                step = STEPS.get(asked["messages"][0]["content"], "")
                self._play(step, state.mood(step), asked["messages"][-1]["content"])

        def _play(self, step: str, mood: str, prompt: str) -> None:
            if self.path != PATH:
                self._send(404, b'{"error": {"message": "Unknown request URL"}}')
            elif mood == "slow":
                time.sleep(state.seconds)
                self._send(200, _completion(good(prompt)))
            elif mood == "dripping":
                self._drip(_completion(good(prompt)))
            elif mood == "late head":
                # Just in time, and then nothing: each read alone stays within the client's timeout.
                time.sleep(0.8)
                self._head(200, 500, "application/json")
                self.wfile.flush()
                time.sleep(state.seconds)
            elif mood == "error":
                self._send(state.status, b'{"error": {"message": "refused, and the prompt was: my father Ramesh"}}')
            elif mood == "html":
                self._send(200, b"<html>we are down</html>", "text/html")
            elif mood == "hanging up":
                self.close_connection = True
            elif mood in ODD:
                self._send(200, ODD[mood])
            else:
                self._send(200, _completion(state.says(step, prompt)))

        def _drip(self, body: bytes) -> None:
            """A byte now and then: no single read times out."""
            self._head(200, len(body), "application/json")
            for number in range(len(body)):
                time.sleep(state.seconds / 40)
                self.wfile.write(body[number : number + 1])
                self.wfile.flush()

        def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self._head(status, len(body), kind)
            self.wfile.write(body)

        def _head(self, status: int, length: int, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
