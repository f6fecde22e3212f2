"""Who watches the watcher: after a good round it calls an address outside, once a minute, which alarms when calls stop.

A round is good when no watch is failing and the heartbeat was written. Whether the address answers changes nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import structlog
from django.conf import settings

log = structlog.get_logger(__name__)
PATIENCE, EVERY = 3.0, 60.0


class Get(Protocol):
    """Whether the address answered well; never raises for the network."""

    def __call__(self, url: str, *, timeout: float) -> bool: ...


def ping_by(get: Get) -> Callable[[datetime], bool]:
    """The watch that calls, where an address is set."""

    def ping(_: datetime) -> bool:
        address = settings.ENVIRONMENT.outside_ping_url
        if not address:
            return False
        answered = get(address, timeout=PATIENCE)
        if not answered:
            log.warning("the outside ping got no answer")
        return answered

    return ping
