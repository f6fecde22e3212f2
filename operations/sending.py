"""Sends what is due. The watcher takes rows and writes down what became of them; threads only talk to the network.

Taking a row is one conditional update and no transaction is open while somebody answers. A row that was taken counts
as taken for two minutes: if the process dies, it is due again with the same key, so that a receiver can drop a repeat.
One address has one call at a time, so a slow one holds up nobody else.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

import structlog
from django.db.models import F, Q
from django.utils import timezone

from operations import mail, webhooks
from operations.models import Delivery, Subscriber
from operations.models.notices import Channel
from operations.outcomes import MOST_ATTEMPTS, Outcome, wait_after

log = structlog.get_logger(__name__)
Status = Delivery.Status
TAKEN_FOR = timedelta(minutes=2)
THREADS, MAILS_AT_ONCE = 8, 20
PAUSED = "This subscriber is paused."


def due(now: datetime) -> Q:
    return Q(status__in=[Status.QUEUED, Status.SENDING], next_try_at__lte=now)


class Sender:
    """`run` is called each round and returns soon; what is not answered by then is written down in a later one."""

    def __init__(self, patience: float = 1.0) -> None:
        self.patience = patience
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[Future[list[Outcome]], list[Delivery]] = {}

    def run(self, now: datetime) -> None:
        started = time.monotonic()
        self.record(now)
        _give_up(now)
        while self._start(now) or self._running:
            left = self.patience - (time.monotonic() - started)
            if left <= 0 or not wait(self._running, left, FIRST_COMPLETED).done:
                return
            self.record(now + timedelta(seconds=time.monotonic() - started))

    def record(self, now: datetime) -> None:
        """Outcomes stay in memory until the database has taken them."""
        for future in [each for each in self._running if each.done()]:
            deliveries = self._running[future]
            for delivery, outcome in zip(deliveries, _outcomes(future, len(deliveries)), strict=True):
                write_down(delivery, outcome, now=now)
            del self._running[future]

    def _start(self, now: datetime) -> bool:
        """Whether anything new is under way."""
        busy = [delivery for deliveries in self._running.values() for delivery in deliveries]
        hooks = take(_next_webhooks(busy, now), now=now)
        mails = [] if any(each.channel == Channel.EMAIL for each in busy) else take(_next_mails(now), now=now)
        for delivery in hooks:
            self._submit([delivery])
        if mails:
            self._submit(mails)
        return bool(hooks or mails)

    def _submit(self, deliveries: list[Delivery]) -> None:
        if self._pool is None:
            # One more than webhooks may use, so that mail always has a thread.
            self._pool = ThreadPoolExecutor(THREADS + 1, thread_name_prefix="notices")
            # At the end of the process, after the threads have come home.
            atexit.register(self._finish)
        self._running[self._pool.submit(_send, deliveries)] = deliveries

    def _finish(self) -> None:
        try:
            self.record(timezone.now())
        except Exception:
            log.exception("what was sent last could not be written down; it is sent again")


def _send(deliveries: Sequence[Delivery]) -> list[Outcome]:
    return [webhooks.send(deliveries[0])] if deliveries[0].channel == Channel.WEBHOOK else mail.send(deliveries)


def _outcomes(future: Future[list[Outcome]], number: int) -> list[Outcome]:
    try:
        return future.result()
    except Exception:
        log.exception("a notice could not be sent")
        return [Outcome("again", "Jeevo itself made a mistake; it is in the log.")] * number


def _next_webhooks(busy: Iterable[Delivery], now: datetime) -> list[Delivery]:
    """The oldest of each address that has no call under way, as many as there are threads free."""
    calling = [each.address for each in busy if each.channel == Channel.WEBHOOK]
    rows = Delivery.objects.filter(due(now), channel=Channel.WEBHOOK).exclude(address__in=calling)
    first = rows.order_by("address", "next_try_at", "pk").distinct("address").values("pk")
    found = Delivery.objects.filter(pk__in=first).order_by("next_try_at", "pk")
    return list(found.select_related("notice", "subscriber")[: THREADS - len(calling)])


def _next_mails(now: datetime) -> list[Delivery]:
    rows = Delivery.objects.filter(due(now), channel=Channel.EMAIL).order_by("next_try_at", "pk")
    return list(rows.select_related("notice", "subscriber")[:MAILS_AT_ONCE])


def take(candidates: Sequence[Delivery], *, now: datetime) -> list[Delivery]:
    """Those that are ours now. Another watcher that looked at the same rows finds them taken."""
    taken = []
    for delivery in candidates:
        if delivery.subscriber and not delivery.subscriber.active:
            Delivery.objects.filter(due(now), pk=delivery.pk).update(status=Status.FAILED, reason=PAUSED)
        elif _take(delivery, now):
            delivery.attempts += 1
            taken.append(delivery)
    return taken


def _take(delivery: Delivery, now: datetime) -> bool:
    row = Delivery.objects.filter(due(now), pk=delivery.pk, attempts=delivery.attempts)
    return bool(row.update(status=Status.SENDING, attempts=F("attempts") + 1, next_try_at=now + TAKEN_FOR))


def write_down(delivery: Delivery, outcome: Outcome, *, now: datetime) -> None:
    """Only for this attempt: one that came home after its two minutes changes nothing that another has begun."""
    row = Delivery.objects.filter(pk=delivery.pk, status=Status.SENDING, attempts=delivery.attempts)
    if outcome.kind == "sent":
        row.update(status=Status.SENT, sent_at=now, reason="")
        return
    if outcome.kind == "untried":
        row.update(status=Status.QUEUED, attempts=F("attempts") - 1, next_try_at=now)
        return
    pause = wait_after(delivery.attempts) if outcome.kind == "again" else None
    if pause is None:
        row.update(status=Status.FAILED, reason=outcome.reason[:200])
    else:
        row.update(status=Status.QUEUED, next_try_at=now + pause, reason=outcome.reason[:200])
    if outcome.kind == "gone" and delivery.subscriber:
        stop(delivery.subscriber, f"Stopped by its server on {now:%d %b %Y}: the address is gone (410).")


def stop(subscriber: Subscriber, why: str) -> bool:
    """Whether it was told of anything before."""
    return bool(Subscriber.objects.filter(pk=subscriber.pk, active=True).update(active=False, stopped_because=why))


def _give_up(now: datetime) -> None:
    """A row that the process died over at each attempt."""
    rows = Delivery.objects.filter(due(now), attempts__gte=MOST_ATTEMPTS)
    rows.update(status=Status.FAILED, reason="Jeevo stopped each time in the middle of sending it.")


def send_again(delivery: Delivery, *, now: datetime) -> bool:
    """From the first attempt, with the same key. Whether it had failed."""
    row = Delivery.objects.filter(pk=delivery.pk, status=Status.FAILED)
    return bool(row.update(status=Status.QUEUED, attempts=0, next_try_at=now, reason=""))


SENDER = Sender()
