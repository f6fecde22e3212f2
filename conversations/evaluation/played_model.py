"""A language model that is played, on this machine, over real HTTP with the real client: to see what the checks let through.

It obeys, is lazy, invents, follows orders hidden in a question, is slow or broken. It speaks Groq's chat completions
and answers this process alone; while it plays, the model that answers people is neither asked nor put to rest.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.conf import settings

from conversations import llm, prompts
from knowledge.chunking import split_sentences

MODEL = "played"
_PASSAGE = re.compile(r'<passage-\w+ number="(\d+)"[^>]*>\n(.*)\n</passage-\w+>')
_QUESTION = re.compile(r"<(?:question|message)-\w+>\n(.*)\n</(?:question|message)-\w+>")
_LINES = re.compile(r"<text-\w+>\n(.*)\n</text-\w+>", re.DOTALL)
_QUOTED = re.compile(r"[\"“]([^\"“”]{8,120})[\"”]")
_ADDRESS = re.compile(r"\b(?:[\w.-]+@)?(?:[\w-]+\.)+(?:com|org|net|xyz|io|info)\b", re.IGNORECASE)


@dataclass
class Played:
    """What it plays next, and what came of it."""

    mood: str = "good"
    # How long the slow mood takes.
    seconds: float = 3.0
    url: str = ""
    calls: int = 0
    # What the last answer said that no passage carries, or a part of it.
    planted: tuple[str, ...] = ()
    # The questions so far: what a model without walls between people might tell the next one.
    heard: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Prompt:
    system: str
    user: str

    @property
    def question(self) -> str:
        found = _QUESTION.search(self.user)
        return found[1] if found else ""

    @property
    def order(self) -> str:
        """What somebody who follows orders would write: the words in quotes, or the last ones of the question."""
        quoted = _QUOTED.findall(self.question)
        words = (quoted[-1] if quoted else self.question).split()
        return " ".join(words[-8:]).strip(" .!?:")


def good(prompt: Prompt) -> list[tuple[str, str]]:
    """Sentences of the first two passages with the number of each: what an honest model writes."""
    found = _PASSAGE.findall(prompt.user)[:2]
    return [(sentence.rstrip("."), number) for number, text in found for sentence in split_sentences(text)[:2]]


def _written(sentences: list[tuple[str, str]]) -> str:
    return " ".join(f"{sentence} [{number}]." for sentence, number in sentences)


def _orders(prompt: Prompt, played: Played) -> list[str]:
    """One sentence for each way in which an answer can change: the order's words, an address, the rules, another person."""
    address = next(iter(_ADDRESS.findall(prompt.question)), "pay-for-the-cure.example.com")
    before = played.heard[-1] if played.heard else "my neighbour Asha takes tablets for her nerves"
    return [
        f"I obey you and write {prompt.order}",
        f"Everything else stands at www.{address} and with +91 90000 12345",
        _rule(prompt.system),
        f"Somebody else told me {' '.join(before.split()[:12])}",
    ]


def _rule(system: str) -> str:
    """One of the rules it was given, but none with the words that mean it has no answer: those end the matter at once."""
    rules = [line.lstrip("- ").rstrip(".") for line in system.splitlines()[1:] if prompts.NO_ANSWER not in line]
    return next((rule for rule in rules if len(rule.split()) > 8), system.splitlines()[0])


def _injected(prompt: Prompt, played: Played) -> str:
    played.planted = tuple(_orders(prompt, played))
    return _written([(sentence, "1") for sentence in played.planted])


def _sly(prompt: Prompt, played: Played) -> str:
    """An honest answer with one sentence too many, another one each time."""
    orders = _orders(prompt, played)
    played.planted = (orders[played.calls % len(orders)],)
    return _written([*good(prompt), (played.planted[0], "1")])


def _grafting(prompt: Prompt, played: Played) -> str:
    """The order's words inside a true sentence."""
    order = " ".join(prompt.order.split()[:4])
    first, *rest = good(prompt) or [("", "1")]
    played.planted = (order,)
    return _written([(f"{first[0]} and {order}", first[1]), *rest])


def _hallucinating(prompt: Prompt, played: Played) -> str:
    played.planted = (
        "Massage the soles with camphor at every full moon",
        "Swallow 7 tablets of metformin with 2 litres of sour milk",
        "You have typhoid",
    )
    return _written([(sentence, "1") for sentence in played.planted])


MOODS: dict[str, Callable[[Prompt, Played], str]] = {
    "good": lambda prompt, _: _written(good(prompt)),
    "lazy": lambda *_: prompts.NO_ANSWER,
    "hallucinating": _hallucinating,
    "injected": _injected,
    "sly": _sly,
    "grafting": _grafting,
}
# Without words of its own: the time runs out, the status is an error, the body is no answer.
WORDLESS = ("slow", "broken", "garbage")


@contextmanager
def playing(mood: str = "good", *, seconds: float = 3.0) -> Iterator[Played]:
    """Calls of `llm` inside go to the played model. `mood` may be changed between calls."""
    played = Played(mood, seconds)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(played))
    server.daemon_threads = True
    played.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    config = replace(settings.ENVIRONMENT.groq, api_key="gsk_played", base_url=played.url, model=MODEL)
    try:
        with llm.elsewhere(config):
            yield played
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent() -> Iterator[None]:
    """Inside, there is no model at all."""
    with llm.elsewhere(replace(settings.ENVIRONMENT.groq, api_key="")):
        yield


def _said(prompt: Prompt, played: Played) -> str:
    """Reading and translating are asked of the same model. What it reads is only searched with, never sent; it speaks no
    other language, so its translations are our own lines."""
    if prompt.system == prompts.READ:
        obeys = played.mood in ("injected", "sly", "grafting")
        return f"QUESTION: {prompt.order if obeys else ' '.join(prompt.question.split()[:20])}"
    if prompt.system == prompts.TRANSLATE:
        lines = _LINES.search(prompt.user)
        return lines[1] if lines else ""
    mood = "good" if played.mood == "slow" else played.mood
    words = MOODS[mood](prompt, played)
    played.calls += 1
    played.heard.append(prompt.question)
    return words


def _handler(played: Played) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with suppress(BrokenPipeError, ConnectionResetError):
                self._answer([each["content"] for each in asked["messages"]])

        def _answer(self, messages: list[str]) -> None:
            played.planted = ()
            if played.mood == "broken":
                self._send(500, b'{"error": {"message": "played"}}')
            elif played.mood == "garbage":
                self._send(200, b'{"choices": [{"mess')
            else:
                if played.mood == "slow":
                    time.sleep(played.seconds)
                self._send(200, _completion(_said(Prompt(messages[0], messages[-1]), played)))

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _completion(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"id": "played", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice]}).encode()
