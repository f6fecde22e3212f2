"""Rounds over the outbox for the tests of delivery, at a time that the test names."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import time_machine

from conversations import delivery, dispatch
from jeevo.fields import keyed_hash
from tests.factories import NOW

WEEK = timedelta(days=7)
FIRST = keyed_hash("wamid.OUT000001")


def apply(*, at: datetime = NOW, since: timedelta = WEEK) -> int:
    return delivery.apply_events(now=at, since=since)


def pump(*, at: datetime) -> None:
    """One round of the dispatcher's sending, in this thread."""

    def publish(key: Any) -> bool:
        delivery.send(key)
        return True

    with time_machine.travel(at, tick=False):
        delivery.sweep(now=at)
        apply(at=at)
        dispatch.send_unattended(now=at, publish=publish, send_now=delivery.send)
