"""Groq: one call, one error class. A circuit breaker that every worker shares keeps a slow or broken model
from costing each patient the deadline again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import groq
import httpx
import structlog
from django.conf import settings
from django.core.cache import BaseCache, cache
from django.core.cache.backends.locmem import LocMemCache
from django.utils import timezone

from jeevo import measures
from jeevo.environment import Groq

log = structlog.get_logger(__name__)

PROBLEM = "llm:problem"
_OPEN = "llm:open"
_FAILURES = "llm:failures"
FAILURES_THAT_OPEN = 3
WINDOW_SECONDS = 60
OPEN_SECONDS = 30
REFUSED_SECONDS = 300
# With the tokens that a reasoning model thinks with. Indian scripts take several a word.
MOST_TOKENS = 2000


class ModelError(Exception):
    """No usable text came. `permanent`: trying again will not help until somebody acts (a wrong key or model name)."""

    def __init__(self, reason: str, *, permanent: bool, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.permanent, self.code = reason, permanent, code

    @property
    def outcome(self) -> str:
        return "limit" if self.code == 429 else "failed"


@dataclass(frozen=True)
class Completion:
    text: str
    model: str
    milliseconds: int


@dataclass(frozen=True)
class _Elsewhere:
    config: Groq
    client: groq.Groq
    breaker: BaseCache


_elsewhere: ContextVar[_Elsewhere | None] = ContextVar("elsewhere", default=None)


@contextmanager
def elsewhere(config: Groq) -> Iterator[None]:
    """Calls made inside go to this address, or to nobody without a key. Their failures rest no model that answers people."""
    breaker = LocMemCache(f"elsewhere {config.base_url}", {})
    breaker.clear()
    with groq.Groq(api_key=config.api_key or "none", base_url=config.base_url, max_retries=0) as client:
        token = _elsewhere.set(_Elsewhere(config, client, breaker))
        try:
            yield
        finally:
            _elsewhere.reset(token)


def _config() -> Groq:
    place = _elsewhere.get()
    found: Groq = place.config if place else settings.ENVIRONMENT.groq
    return found


def _breaker() -> BaseCache:
    place = _elsewhere.get()
    return place.breaker if place else cache


def is_on() -> bool:
    return bool(_config().api_key)


def deadline() -> float:
    """Seconds that all calls for one answer may take together."""
    seconds: float = _config().deadline_seconds
    return seconds


def complete(system: str, user: str, *, seconds: float) -> Completion:
    """One completion within `seconds`. Raises ModelError; at once while the breaker is open."""
    if _breaker().get(_OPEN):
        raise ModelError("the model is resting after failures", permanent=False)
    started = time.monotonic()
    try:
        with measures.call("groq"):
            text, model = _ask(system, user, seconds)
    except ModelError as error:
        _note(error)
        raise
    _breaker().delete_many([_FAILURES, PROBLEM])
    return Completion(text, model, round(1000 * (time.monotonic() - started)))


def reach(*, seconds: float = 3.0) -> int | None:
    """The HTTP status that Groq answers a list of its models with; None when it does not answer in time. The breaker that
    answers depend on neither stops this call nor learns from it."""
    try:
        return _client(os.getpid()).models.with_raw_response.list(timeout=seconds).http_response.status_code
    except groq.APIStatusError as error:
        return error.status_code
    except (groq.APIError, httpx.HTTPError):
        return None


def _ask(system: str, user: str, seconds: float) -> tuple[str, str]:
    place, model = _elsewhere.get(), _config().model
    client = place.client if place else _client(os.getpid())
    try:
        # A thread, because the client's timeout holds for each read: a server that sends its head late and then nothing
        # takes it twice. A call that is given up ends by itself soon after.
        answer = json.loads(_pool(os.getpid()).submit(_body, client, model, system, user, seconds).result(timeout=seconds))
        choice, said_by = answer["choices"][0], answer.get("model")
        text = choice["message"]["content"]
    except groq.APIStatusError as error:
        permanent = error.status_code in (400, 401, 403, 404, 422)
        raise ModelError(_reason(error.status_code), permanent=permanent, code=error.status_code) from error
    except (groq.APITimeoutError, httpx.TimeoutException, TimeoutError) as error:
        raise ModelError("no answer within the deadline", permanent=False) from error
    except (groq.APIError, httpx.HTTPError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError("the model cannot be reached or answered in a wrong form", permanent=False) from error
    if choice.get("finish_reason") == "length":
        # Half a sentence may say the opposite of the whole.
        raise ModelError("the answer of the model was cut off", permanent=False)
    if not isinstance(text, str) or not text.strip():
        raise ModelError("the model answered nothing", permanent=False)
    return text.strip(), str(said_by or model)


def _body(client: groq.Groq, model: str, system: str, user: str, seconds: float) -> bytes:
    """The answer as it came. Read in pieces, because a timeout of the client holds for each piece and not for the whole."""
    started, pieces = time.monotonic(), []
    with client.chat.completions.with_streaming_response.create(
        model=model,
        messages=[{"role": "system", "content": system}, {"role": "user", "content": user}],
        temperature=0,
        max_completion_tokens=MOST_TOKENS,
        timeout=httpx.Timeout(seconds, connect=min(3, seconds)),
    ) as response:
        for piece in response.iter_bytes():
            pieces.append(piece)
            if time.monotonic() - started > seconds:
                raise TimeoutError
    return b"".join(pieces)


def _reason(status: int) -> str:
    return {
        401: "Groq refused the key",
        403: "Groq refused the key",
        404: "Groq does not know the model",
        429: "Groq's limit was reached",
    }.get(status, f"Groq answered {status}")


def _note(error: ModelError) -> None:
    """Open the breaker after repeated failures, or at once for a refused key, and say so for the console."""
    log.warning("the language model failed", reason=error.reason, permanent=error.permanent)
    notes = _breaker()
    notes.add(_FAILURES, 0, timeout=WINDOW_SECONDS)
    try:
        failures = notes.incr(_FAILURES)
    except ValueError:
        failures = 1
    if error.permanent or (failures or 0) >= FAILURES_THAT_OPEN:
        notes.set(_OPEN, True, timeout=REFUSED_SECONDS if error.permanent else OPEN_SECONDS)
        problem = {"code": error.code, "reason": error.reason, "since": timezone.now().isoformat()}
        notes.add(PROBLEM, problem, timeout=3600)


@lru_cache(maxsize=2)
def _pool(process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix=f"model-{process}")


@lru_cache(maxsize=2)
def _client(process: int) -> groq.Groq:
    config = settings.ENVIRONMENT.groq
    return groq.Groq(api_key=config.api_key, base_url=config.base_url, max_retries=0)
