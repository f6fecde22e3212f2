"""The outbox: queue, claim, send, record; statuses only move forward.

No transaction stays open over a call: claim commits, then the call, then the record commits. A send
whose outcome is not known waits a minute for a status and is then tried once more under the same id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from conversations import reply_text, whatsapp
from conversations.models import Answer, Contact, DeliveryEvent, OutboundMessage
from jeevo.fields import keyed_hash
from jeevo.logging import following, request_id

log = structlog.get_logger(__name__)
Status = OutboundMessage.Status

UNCERTAIN_FOR = timedelta(seconds=60)
SENDING_FOR = timedelta(seconds=30)
# A key handed to a worker may be lost with it; after this long it is handed out again.
ATTENDED_FOR = timedelta(seconds=15)
OPERATOR_PAUSE = timedelta(seconds=60)
MOST_ATTEMPTS = 8
PROBLEM = "whatsapp:problem"
PAGE = 500

# Later states of a message; a status never moves it to an earlier one.
_BEFORE: dict[str, list[str]] = {
    Status.SENT: [Status.QUEUED, Status.SENDING, Status.UNCERTAIN],
    Status.DELIVERED: [Status.QUEUED, Status.SENDING, Status.UNCERTAIN, Status.SENT, Status.FAILED],
    Status.READ: [Status.QUEUED, Status.SENDING, Status.UNCERTAIN, Status.SENT, Status.DELIVERED, Status.FAILED],
    Status.FAILED: [Status.QUEUED, Status.SENDING, Status.UNCERTAIN, Status.SENT],
}


def queue(
    contact: Contact,
    body: dict[str, Any],
    *,
    now: datetime,
    purpose: str = "answer",
    answer: Answer | None = None,
    author: AbstractBaseUser | None = None,
    urgent: bool = False,
    attended: bool = False,
) -> OutboundMessage:
    """One row to send. `attended`: the caller sends it itself right after its commit."""
    return OutboundMessage.objects.create(
        contact=contact,
        body=body,
        purpose=purpose,
        answer=answer,
        author=author,  # type: ignore[misc]
        urgent=urgent,
        created_at=now,
        attended_at=now if attended else None,
        request_id=request_id(),
    )


def queue_text(
    contact: Contact, text: str, *, now: datetime, purpose: str = "answer", author: AbstractBaseUser | None = None
) -> OutboundMessage:
    return queue(contact, reply_text.plain(text), now=now, purpose=purpose, author=author)


def sendable(*, now: datetime) -> QuerySet[OutboundMessage]:
    """Queued and due, with nothing older of the same person in the way (an urgent one waits for nobody)."""
    # Two that were written in one step, as a notice and the reply behind it, share their time: their keys are in order.
    before = Q(created_at__lt=OuterRef("created_at")) | Q(created_at=OuterRef("created_at"), pk__lt=OuterRef("pk"))
    older = OutboundMessage.objects.filter(before, contact=OuterRef("contact"), status__in=[Status.QUEUED, Status.SENDING])
    due = Q(retry_at__isnull=True) | Q(retry_at__lte=now)
    return OutboundMessage.objects.filter(due, status=Status.QUEUED).filter(Q(urgent=True) | ~Exists(older))


def unattended(*, now: datetime) -> QuerySet[OutboundMessage]:
    """What is due and nobody is known to be sending, urgent ones first."""
    alone = Q(attended_at__isnull=True) | Q(attended_at__lt=now - ATTENDED_FOR)
    return sendable(now=now).filter(alone).order_by("-urgent", "created_at", "id")


def attend(key: UUID, *, now: datetime | None) -> None:
    OutboundMessage.objects.filter(pk=key).update(attended_at=now)


def send(key: UUID, *, now: datetime | None = None) -> None:
    """Send one message if it is due and nobody else has it. Safe to call at any time, from anywhere."""
    now = now or timezone.now()
    claimed = (
        sendable(now=now)
        .filter(pk=key)
        .update(status=Status.SENDING, in_flight_since=now, attempts=F("attempts") + 1, retry_at=None)
    )
    if not claimed:
        return
    message = OutboundMessage.objects.select_related("contact").get(pk=key)
    with following(message.request_id):
        _send(message)


def _send(message: OutboundMessage) -> None:
    try:
        accepted = whatsapp.send(message.contact.address, message.body, callback=str(message.pk))
    except whatsapp.Ambiguous:
        log.warning("whatsapp did not answer", outbound=str(message.pk), attempt=message.attempts)
        _record(message, status=Status.UNCERTAIN, reason="WhatsApp did not answer; waiting for its status")
    except whatsapp.WhatsAppError as error:
        _refused(message, error, now=timezone.now())
    else:
        _accepted(message, accepted.wamid, now=timezone.now())


def _accepted(message: OutboundMessage, wamid: str, *, now: datetime) -> None:
    # A status may have come first and moved the row on: the id is recorded all the same.
    rows = OutboundMessage.objects.filter(pk=message.pk)
    rows.filter(wamid_key__isnull=True).update(wamid_key=keyed_hash(wamid))
    rows.filter(handed_at__isnull=True).update(handed_at=now)
    # Queued again counts only when the sweep did it: a failure that came by status wants its retry.
    rows.filter(Q(status__in=[Status.SENDING, Status.UNCERTAIN]) | Q(status=Status.QUEUED, resent=True)).update(
        status=Status.SENT, reason="", error_code=None, in_flight_since=None, retry_at=None
    )
    log.info("message handed to whatsapp", outbound=str(message.pk))


def _refused(message: OutboundMessage, error: whatsapp.WhatsAppError, *, now: datetime) -> None:
    log.warning("whatsapp refused a message", outbound=str(message.pk), code=error.code, action=error.action)
    if error.operator:
        cache.set(PROBLEM, {"code": error.code, "reason": error.reason, "since": now.isoformat()}, timeout=3600)
        _record(message, status=Status.QUEUED, retry_at=now + OPERATOR_PAUSE, error=error, attempts=message.attempts - 1)
    elif error.permanent or message.attempts >= MOST_ATTEMPTS:
        _record(message, status=Status.FAILED, error=error, failed_at=now)
    else:
        _record(message, status=Status.QUEUED, retry_at=now + back_off(message.attempts, error.code), error=error)


def back_off(attempts: int, code: int | None) -> timedelta:
    """2, 4, 8 ... up to 120 seconds. One person takes about a message every 6 seconds (131056)."""
    least = 6 if code == 131056 else 2
    return timedelta(seconds=min(120, max(least, 2**attempts)))


def _record(
    message: OutboundMessage, *, status: str, error: whatsapp.WhatsAppError | None = None, reason: str = "", **fields: Any
) -> None:
    values = {"status": status, "reason": error.reason if error else reason, "error_code": error.code if error else None}
    # Only out of `sending`: a status that came in meanwhile knows better.
    OutboundMessage.objects.filter(pk=message.pk, status=Status.SENDING).update(**values, attended_at=None, **fields)


def sweep(*, now: datetime) -> None:
    """Settle what was left in flight: a dead sender's rows become uncertain, an old uncertain one is sent once more."""
    rows = OutboundMessage.objects
    rows.filter(status=Status.SENDING, in_flight_since__lt=now - SENDING_FOR).update(
        status=Status.UNCERTAIN, reason="The sender stopped before WhatsApp answered"
    )
    old = rows.filter(status=Status.UNCERTAIN, in_flight_since__lt=now - UNCERTAIN_FOR)
    given_up = old.filter(resent=True).update(
        status=Status.FAILED, failed_at=now, reason="WhatsApp did not confirm it after two tries"
    )
    if given_up:
        log.error("whatsapp never confirmed messages", messages=given_up)
    old.filter(resent=False).update(status=Status.QUEUED, resent=True, retry_at=None, attended_at=None)


def apply_events(*, now: datetime, since: timedelta) -> int:
    """Give statuses to the messages they speak of; those that come before their message stay and are matched later.

    Statuses that are not ours stay too, so that every page of them is looked through. What was matched costs writes:
    after a page full of those it stops, and the next round goes on, so that nobody new waits for it.
    """
    matched = 0
    for events in _pages_of_events(since=now - since, until=now):
        matched += _match(events, now=now)
        if matched >= PAGE:
            break
    return matched


def _pages_of_events(*, since: datetime, until: datetime) -> Iterator[list[DeliveryEvent]]:
    """Open events by time and id, which is how their index lies. What comes in meanwhile is for the next round."""
    rows = DeliveryEvent.objects.filter(applied_at__isnull=True, received_at__lte=until).order_by("received_at", "id")
    behind = Q()
    while page := list(rows.filter(behind, received_at__gte=since)[:PAGE]):
        yield page
        since = page[-1].received_at
        behind = Q(received_at__gt=since) | Q(pk__gt=page[-1].pk)


def _match(events: Sequence[DeliveryEvent], *, now: datetime) -> int:
    keys = {key for event in events if (key := _key(event.callback))}
    found = OutboundMessage.objects.filter(Q(pk__in=keys) | Q(wamid_key__in={event.wamid_key for event in events}))
    by_key = {str(row.pk): row for row in found.defer("body")}
    messages = by_key | {row.wamid_key: row for row in by_key.values() if row.wamid_key}
    matched = 0
    for event in events:
        message = messages.get(event.callback) or messages.get(event.wamid_key)
        if message is not None:
            with following(message.request_id):
                _apply(event, message, now=now)
                log.info("whatsapp reported a status", outbound=str(message.pk), status=event.status, code=event.error_code)
            matched += 1
    return matched


def _key(callback: str) -> UUID | None:
    try:
        return UUID(callback)
    except ValueError:
        return None


@transaction.atomic
def _apply(event: DeliveryEvent, message: OutboundMessage, *, now: datetime) -> None:
    rows = OutboundMessage.objects.filter(pk=message.pk)
    rows.filter(wamid_key__isnull=True).update(wamid_key=event.wamid_key)
    if event.status == Status.FAILED:
        _apply_failure(event, rows, message, now=now)
    elif event.status in _BEFORE and not _is_overtaken(event):
        rows.filter(handed_at__isnull=True).update(handed_at=event.at)
        rows.filter(status__in=_BEFORE[event.status]).update(
            status=event.status, reason="", error_code=None, retry_at=None, failed_at=None, in_flight_since=None
        )
        if event.status == Status.DELIVERED:
            rows.update(delivered_at=event.at)
        if event.status == Status.READ:
            rows.update(read_at=event.at)
    DeliveryEvent.objects.filter(pk=event.pk).update(outbound=message, applied_at=now)


def _is_overtaken(event: DeliveryEvent) -> bool:
    """A "sent" that comes after the failure of the same try: the message still wants its retry."""
    failed = DeliveryEvent.objects.filter(wamid_key=event.wamid_key, status=Status.FAILED)
    return event.status == Status.SENT and failed.exists()


def _apply_failure(event: DeliveryEvent, rows: QuerySet[OutboundMessage], message: OutboundMessage, *, now: datetime) -> None:
    error = whatsapp.judge(event.error_code)
    rows = rows.filter(status__in=_BEFORE[Status.FAILED])
    if error.permanent or message.attempts >= MOST_ATTEMPTS:
        rows.update(status=Status.FAILED, failed_at=now, reason=error.reason, error_code=error.code)
        return
    if error.operator:
        cache.set(PROBLEM, {"code": error.code, "reason": error.reason, "since": now.isoformat()}, timeout=3600)
    rows.update(
        status=Status.QUEUED,
        retry_at=now + (OPERATOR_PAUSE if error.operator else back_off(message.attempts, error.code)),
        reason=error.reason,
        error_code=error.code,
        wamid_key=None,
        attended_at=None,
    )


def forget_unmatched(*, now: datetime) -> None:
    """Statuses of messages that Jeevo never sent are kept, and no longer looked for after eight days."""
    DeliveryEvent.objects.filter(applied_at__isnull=True, received_at__lt=now - timedelta(days=8)).update(applied_at=now)


def mark_read(wamid: str) -> None:
    """Best effort: no answer waits for the ticks."""
    try:
        whatsapp.mark_read(wamid)
    except (whatsapp.WhatsAppError, whatsapp.Ambiguous):
        log.info("read receipt was not taken")
