"""Groq: one call, one error class. A circuit breaker that every worker shares keeps a slow or broken model
from costing each patient the deadline again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
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

from jeevo.environment import Groq

log = structlog.get_logger(__name__)

PROBLEM = "llm:problem"
_OPEN = "llm:open"
_FAILURES = "llm:failures"
FAILURES_THAT_OPEN = 3
WINDOW_SECONDS = 60
OPEN_SECONDS = 30
REFUSED_SECONDS = 300


class ModelError(Exception):
    """No usable text came. `permanent`: trying again will not help until somebody acts (a wrong key or model name)."""

    def __init__(self, reason: str, *, permanent: bool, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.permanent, self.code = reason, permanent, code


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


def complete(system: str, user: str, *, seconds: float) -> Completion:
    """One completion within `seconds`. Raises ModelError; at once while the breaker is open."""
    if _breaker().get(_OPEN):
        raise ModelError("the model is resting after failures", permanent=False)
    started = time.monotonic()
    try:
        text, model = _ask(system, user, seconds)
    except ModelError as error:
        _note(error)
        raise
    _breaker().delete_many([_FAILURES, PROBLEM])
    return Completion(text, model, round(1000 * (time.monotonic() - started)))


def _ask(system: str, user: str, seconds: float) -> tuple[str, str]:
    try:
        answer = json.loads(_body(system, user, seconds))
        text, model = answer["choices"][0]["message"]["content"], answer.get("model")
    except groq.APIStatusError as error:
        permanent = error.status_code in (400, 401, 403, 404, 422)
        raise ModelError(_reason(error.status_code), permanent=permanent, code=error.status_code) from error
    except (groq.APITimeoutError, httpx.TimeoutException, TimeoutError) as error:
        raise ModelError("no answer within the deadline", permanent=False) from error
    except (groq.APIError, httpx.HTTPError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError("the model cannot be reached or answered in a wrong form", permanent=False) from error
    if not isinstance(text, str) or not text.strip():
        raise ModelError("the model answered nothing", permanent=False)
    return text.strip(), str(model or _config().model)


def _body(system: str, user: str, seconds: float) -> bytes:
    """The answer as it came. Read in pieces, because a timeout of the client holds for each piece and not for the whole."""
    started, pieces, place = time.monotonic(), [], _elsewhere.get()
    client = place.client if place else _client(os.getpid())
    with client.chat.completions.with_streaming_response.create(
        model=_config().model,
        messages=[{"role": "system", "content": system}, {"role": "user", "content": user}],
        temperature=0,
        max_completion_tokens=900,
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
def _client(process: int) -> groq.Groq:
    config = settings.ENVIRONMENT.groq
    return groq.Groq(api_key=config.api_key, base_url=config.base_url, max_retries=0)
