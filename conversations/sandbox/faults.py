"""What can be made to go wrong, switched while the sandbox runs.

A fault that is on happens with its probability, as often as `remaining` says (None: until it is
switched off). The switches are kept, so a restart does not quietly repair the world.
"""

from __future__ import annotations

import random
import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

from conversations.sandbox.envelopes import Json
from conversations.sandbox.store import Store


class NotAFault(Exception):
    """The switch asks for something that does not exist; the message says what does."""


@dataclass(frozen=True)
class Kind:
    name: str
    label: str
    explains: str
    value: float | None = None
    unit: str = ""
    values: tuple[float, float] = (0, 0)


@dataclass(frozen=True)
class Fault:
    name: str
    on: bool = False
    value: float | None = None
    probability: float = 1.0
    remaining: int | None = None


KINDS = (
    Kind(
        "slow",
        "WhatsApp is slow",
        "Every call to WhatsApp waits this long before it is answered.",
        3,
        "s",
        (0, 120),
    ),
    Kind(
        "pair_rate",
        "Too many messages to one person",
        "WhatsApp refuses with error 131056; Jeevo waits and tries again.",
    ),
    Kind(
        "server_error",
        "WhatsApp fails",
        "Calls end with HTTP 500; Jeevo tries again later.",
        131000,
        "code",
        (1, 131000),
    ),
    Kind(
        "timeout_after_accept",
        "WhatsApp takes the message and never says so",
        "The message arrives but the call hangs; Jeevo must not send it twice.",
        30,
        "s",
        (0, 120),
    ),
    Kind(
        "expired_token",
        "The access token has expired",
        "Calls end with error 190, until somebody renews the token.",
    ),
    Kind(
        "duplicate_webhooks",
        "Everything is reported twice",
        "Each webhook arrives twice at the same instant.",
    ),
    Kind(
        "reordered_webhooks",
        "Reports come in the wrong order",
        "Read before delivered before sent, and all before the send call returns.",
    ),
    Kind("lost_statuses", "Reports are lost", "No word of sent, delivered or read ever comes back."),
    Kind(
        "down",
        "WhatsApp cannot be reached",
        "Calls end with HTTP 503 from a proxy, without Graph's error shape.",
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


class Faults:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._random = random.Random()  # noqa: S311  (chance, not a secret)
        kept = store.faults()
        self._now = {kind.name: Fault(**kept.get(kind.name, {"name": kind.name, "value": kind.value})) for kind in KINDS}

    def rows(self) -> list[Json]:
        """Each fault with its words, as the page shows them."""
        with self._lock:
            now = dict(self._now)
        return [asdict(now[kind.name]) | {"label": kind.label, "explains": kind.explains, "unit": kind.unit} for kind in KINDS]

    def switch(self, name: Any, *, on: Any, value: Any = None, probability: Any = None, remaining: Any = None) -> Fault:
        """What is not given goes to its default. Raises NotAFault for an unknown name or a wrong value."""
        kind = BY_NAME.get(name) if isinstance(name, str) else None
        if kind is None:
            raise NotAFault(f"The faults are: {', '.join(BY_NAME)}.")
        if not isinstance(on, bool):
            raise NotAFault("Say on: true or on: false.")
        fault = Fault(
            name=kind.name,
            on=on,
            value=None if kind.value is None else _number("value", value, kind.value, *kind.values),
            probability=_number("probability", probability, 1.0, 0, 1),
            remaining=None if remaining is None else int(_number("remaining", remaining, 1, 1, 1_000_000)),
        )
        with self._lock:
            self._keep(fault)
        return fault

    def all_off(self) -> None:
        with self._lock:
            for fault in self._now.values():
                if fault.on:
                    self._keep(replace(fault, on=False, remaining=None))

    def take(self, name: str) -> Fault | None:
        """The fault when it happens this time, and one less of it remains."""
        fault = self._now[name]
        if not fault.on:
            return None
        with self._lock:
            fault = self._now[name]
            if not fault.on or self._random.random() >= fault.probability:
                return None
            if fault.remaining is not None:
                self._keep(replace(fault, remaining=fault.remaining - 1 or None, on=fault.remaining > 1))
        return fault

    def _keep(self, fault: Fault) -> None:
        self._now = self._now | {fault.name: fault}
        self._store.keep_fault(asdict(fault))


def _number(name: str, value: Any, default: float, low: float, high: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise NotAFault(f"{name} must be a number from {low:g} to {high:g}.")
    return float(value)
