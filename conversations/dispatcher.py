"""The dispatcher's process: rounds every 100 milliseconds, a sweep every five seconds, until it is told to stop.

Postgres away: it waits and tries again. Broker away: people wait, emergencies do not.
"""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from celery import current_app
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from conversations import delivery, dispatch, rulebook
from conversations.outages import Outage

log = structlog.get_logger(__name__)
ROUND_SECONDS = 0.1
SWEEP_SECONDS = 5.0
# Statuses a round looks at; the sweep looks at the older ones that are still open.
JUST_NOW = timedelta(seconds=10)
BROKER_PAUSE_SECONDS = 2.0
EXPIRE_SECONDS = 600.0


class Dispatcher:
    def __init__(self) -> None:
        self.stopping = threading.Event()
        # Emergencies go out from here; four at once, so that one slow call holds nobody up.
        self.urgent = ThreadPoolExecutor(max_workers=4, thread_name_prefix="urgent")
        self.broker_back_at = 0.0
        self.last_sweep = 0.0
        self.last_expiry = 0.0
        self.trials_handed: dict[UUID, datetime] = {}
        self.no_broker = Outage("the broker has been away for long; people wait", "the broker is back")
        self.no_worker = Outage("no worker takes what is handed out; people wait", "workers take work again")

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        # Seconds that the first emergency must not wait for.
        rulebook.load()
        while not self.stopping.is_set():
            started = time.monotonic()
            self._safely()
            self.stopping.wait(max(0.01, ROUND_SECONDS - (time.monotonic() - started)))
        self.urgent.shutdown(wait=True)

    def _safely(self) -> None:
        try:
            self.round(now=timezone.now())
        except (DatabaseError, InterfaceError):
            log.exception("the database did not answer; trying again")
            close_old_connections()
            connection.close()
            self.stopping.wait(1)

    def round(self, *, now: datetime) -> None:
        dispatch.attach_received(now=now, send_now=self.send_now)
        delivery.apply_events(now=now, since=JUST_NOW)
        dispatch.send_unattended(now=now, publish=self.publisher("conversations.send_message"), send_now=self.send_now)
        if time.monotonic() >= self.broker_back_at:
            dispatch.hand_out(now=now, publish=self.publisher("conversations.answer_contact"))
            dispatch.hand_out_trials(now=now, publish=self.publisher("conversations.run_trial"), handed=self.trials_handed)
        if time.monotonic() - self.last_sweep > SWEEP_SECONDS:
            self.last_sweep = time.monotonic()
            dispatch.sweep(now=now)
            self.no_worker.seen(dispatch.is_left_lying(now=now), now=time.monotonic())
        if time.monotonic() - self.last_expiry > EXPIRE_SECONDS:
            self.last_expiry = time.monotonic()
            dispatch.expire_payloads(now=now)

    def publisher(self, task: str) -> dispatch.Publish:
        return lambda key: self.publish(task, key)

    def publish(self, task: str, key: UUID) -> bool:
        """Whether the broker took the key. While it is away it is asked every two seconds only."""
        if time.monotonic() < self.broker_back_at:
            return False
        try:
            current_app.send_task(task, args=[str(key)], queue="answers", retry=False)
        except (BrokerError, OSError):
            self.broker_back_at = time.monotonic() + BROKER_PAUSE_SECONDS
            log.warning("the broker did not answer; people wait, emergencies do not")
            self.no_broker.seen(True, now=time.monotonic())
            return False
        self.no_broker.seen(False, now=time.monotonic())
        return True

    def send_now(self, key: UUID) -> None:
        self.urgent.submit(_send, key)


def _send(key: UUID) -> None:
    try:
        delivery.send(key)
    except Exception:
        # The row is still there: the next sweep takes it up.
        log.exception("an urgent message could not be sent", outbound=str(key))
    finally:
        close_old_connections()
