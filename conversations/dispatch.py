"""The dispatcher: a short loop that sees every stored message at once.

It attaches the person and the session, runs rule triage, answers emergencies itself without the
broker, the model or a worker, and hands everybody else's key to the workers when they have been quiet
for the burst wait. Losing the broker costs time; the rows are the queue.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from conversations import answering, compose, contacts, delivery, handover, own_rules, questions, webhook, wording
from conversations.draft import Draft
from conversations.models import Answer, Contact, Feedback, Handover, InboundMessage, UnhandledEvent
from conversations.rulebook import Level
from conversations.triage import Triage, triage
from jeevo import measures
from jeevo.logging import following
from knowledge import trials

log = structlog.get_logger(__name__)
Status = InboundMessage.Status

READ_TOGETHER = timedelta(minutes=2)
BATCH = 200
RED_FLAGS = (Level.EMERGENCY, Level.SELF_HARM)
ANSWERED_AT_ONCE = (*RED_FLAGS, Level.UNSAFE)
MOST_ATTEMPTS = 3
# Three times as long as a key counts as handed out.
LEFT_LYING_FOR = timedelta(seconds=60)

Send = Callable[[UUID], None]
# Whether the broker took the key.
Publish = Callable[[UUID], bool]


def attach_received(*, now: datetime, send_now: Send) -> int:
    """See every new message, oldest first. One that cannot be seen is tried again and then failed, never in the others' way."""
    rows = InboundMessage.objects.filter(status=Status.RECEIVED).order_by("received_at", "id")
    due = rows.exclude(retry_at__gt=now)[:BATCH]
    found = list(due.values_list("pk", "request_id"))
    for key, request_id in found:
        with following(request_id):
            _attach_safely(key, now=now, send_now=send_now)
    return len(found)


def _attach_safely(key: UUID, *, now: datetime, send_now: Send) -> None:
    try:
        urgent = attach(key, now=now)
    except (OperationalError, InterfaceError):
        # The database is away, which is no fault of this message; a value it refuses is.
        raise
    except Exception as error:
        log.exception("message could not be seen", message=str(key))
        _put_aside(key, now=now, why=type(error).__name__)
        return
    log.info("message seen", message=str(key))
    if urgent is not None:
        send_now(urgent)


def _put_aside(key: UUID, *, now: datetime, why: str) -> None:
    message = InboundMessage.objects.only("attempts").get(pk=key)
    attempts = message.attempts + 1
    failed = attempts >= MOST_ATTEMPTS
    InboundMessage.objects.filter(pk=key).update(
        attempts=attempts,
        retry_at=now + timedelta(seconds=2**attempts),
        status=Status.FAILED if failed else Status.RECEIVED,
        reason=f"could not be read: {why}" if failed else "",
    )


@transaction.atomic
def attach(key: UUID, *, now: datetime) -> UUID | None:
    """Person, session and triage for one message; the key of an urgent outgoing message when it is a red flag."""
    message = InboundMessage.objects.select_for_update().filter(pk=key, status=Status.RECEIVED).first()
    if message is None:
        return None
    contact = contacts.find_or_create(message.payload, now=now)
    message.contact, message.session = contact, contacts.open_session(contact, now=now)
    text = message.text or ""
    verdict = triage(text, earlier=_recent_texts(contact, message), books=own_rules.books()) if text else Triage()
    message.language = compose.spoken_in(text, verdict, default=contact.language)
    message.triage_level, message.triage_concept = verdict.level.value, verdict.concept
    message.triage_rules, message.attempts, message.retry_at = list(verdict.rules), 0, None
    message.status = Status.WAITING
    message.save()
    measures.triage_levels.labels(verdict.level.value).inc()
    return _decide(message, contact, verdict, now=now)


def _decide(message: InboundMessage, contact: Contact, verdict: Triage, *, now: datetime) -> UUID | None:
    if verdict.level in RED_FLAGS:
        draft = compose.red_flag(verdict.level, verdict.concept, message.language, contact.country)
        return answering.commit(contact, [message], draft, token=None, now=now, urgent=True)
    fixed = _command(message, contact, now=now) or _pressed(message, contact, now=now)
    if fixed is not None:
        answering.commit(contact, [message], fixed, token=None, now=now)
    elif contact.opted_out_at:
        _set(message, Status.IGNORED, "the person wrote STOP")
    elif handover.is_taken(contact):
        _set(message, Status.WITH_PERSON, "")
    elif verdict.level is Level.UNSAFE:
        answering.commit(contact, [message], compose.unsafe(message.language, contact.country), token=None, now=now)
    return None


def _set(message: InboundMessage, status: str, reason: str) -> None:
    InboundMessage.objects.filter(pk=message.pk).update(status=status, reason=reason)


def _recent_texts(contact: Contact, message: InboundMessage) -> list[str]:
    """What this person wrote in the last two minutes and since the last fixed reply of triage, oldest first: people type an
    emergency in three messages, and one that was already answered must not fire again with the next "ok"."""
    since = message.received_at - READ_TOGETHER
    earlier = InboundMessage.objects.filter(contact=contact, received_at__gte=since, received_at__lte=message.received_at)
    texts: list[str] = []
    for each in earlier.exclude(pk=message.pk).defer("text", "payload").order_by("-received_at", "-id")[:10]:
        if each.triage_level in ANSWERED_AT_ONCE:
            break
        # One that no key opens must not hide what comes after it.
        if each.is_readable and each.text:
            texts.append(each.text)
    return texts[::-1]


def _command(message: InboundMessage, contact: Contact, *, now: datetime) -> Draft | None:
    """STOP and START, honoured before anything else."""
    text = message.text or ""
    if questions.is_stop(text):
        Contact.objects.filter(pk=contact.pk).update(opted_out_at=now)
        waiting = InboundMessage.objects.filter(contact=contact, status=Status.WAITING).exclude(pk=message.pk)
        waiting.update(status=Status.IGNORED, reason="the person wrote STOP")
        return _fixed("stop_confirmed", message.language, contact)
    if questions.is_start(text):
        Contact.objects.filter(pk=contact.pk).update(opted_out_at=None)
        return _fixed("start_confirmed", message.language, contact)
    return None


def _pressed(message: InboundMessage, contact: Contact, *, now: datetime) -> Draft | None:
    """The buttons under an answer. A button that is not ours is read as its text."""
    name, _, key = webhook.button_id(message.payload).partition(":")
    if name == "person":
        handover.ask(contact, reason=Handover.Reason.ASKED, now=now)
        if handover.is_taken(contact):
            return None
        return Draft(
            Answer.Kind.FIXED, wording.handover_waiting(contact.language, contact.country), contact.language, reason=name
        )
    if name in Feedback.Value.values:
        answer = Answer.objects.filter(contact=contact, pk=key).first() if _is_key(key) else None
        if answer is not None:
            Feedback.objects.update_or_create(answer=answer, defaults={"value": name, "created_at": now})
        return _fixed("feedback_thanks" if name == Feedback.Value.HELPFUL else "not_helpful_reply", contact.language, contact)
    return None


def _fixed(key: str, spoken: str, contact: Contact) -> Draft:
    return Draft(Answer.Kind.FIXED, wording.say(key, spoken, contact.country), spoken, reason=key)


def _is_key(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def hand_out(*, now: datetime, publish: Publish) -> int:
    """Hand the keys of people who wait to the workers. A broker that is away is tried again on the next round."""
    keys = answering.waiting_contacts(now=now)
    # Marked first: a quick worker clears the mark when it is done, and a mark set after that would hold up the next message.
    Contact.objects.filter(pk__in=keys).update(handed_at=now)
    left = [key for key in keys if not publish(key)]
    Contact.objects.filter(pk__in=left).update(handed_at=None)
    return len(keys) - len(left)


def is_left_lying(*, now: datetime) -> bool:
    """Whether the broker took somebody's key again and again, nobody has looked at what they wrote, and nobody is at work."""
    untouched = InboundMessage.objects.filter(status=Status.WAITING, attempts=0, retry_at__isnull=True)
    handed = untouched.filter(contact__handed_at__isnull=False, received_at__lt=now - LEFT_LYING_FOR)
    return handed.exists() and not Contact.objects.filter(lease_until__gte=now).exists()


def hand_out_trials(*, now: datetime, publish: Publish, handed: dict[UUID, datetime]) -> int:
    """Hand the keys of trials that staff wait for to the workers. `handed` remembers what is on its way: a key is handed
    out again only when it may have been lost with the broker."""
    waiting = trials.waiting(now=now)
    for gone in handed.keys() - set(waiting):
        del handed[gone]
    due = [key for key in waiting if key not in handed or handed[key] < now - answering.HANDED_FOR]
    # Half of the workers at most, so that people who wait for an answer always find one.
    room = max(1, settings.ENVIRONMENT.answer_workers // 2) - len(handed.keys() - set(due))
    taken = [key for key in due[: max(0, room)] if publish(key)]
    handed.update(dict.fromkeys(taken, now))
    return len(taken)


def send_unattended(*, now: datetime, publish: Publish, send_now: Send) -> int:
    """Outgoing messages that nobody is sending: fixed replies, what staff wrote, retries that are due, and those of
    a worker that died after its commit. Urgent ones go out from here, without the broker."""
    rows = list(delivery.unattended(now=now).values_list("pk", "urgent")[:BATCH])
    for key, urgent in rows:
        delivery.attend(key, now=now)
        if urgent:
            send_now(key)
        elif not publish(key):
            delivery.attend(key, now=None)
    return len(rows)


def sweep(*, now: datetime) -> None:
    """What is due now and then: expired leases, messages in flight, statuses that came before their message."""
    answering.release_expired(now=now)
    delivery.sweep(now=now)
    delivery.apply_events(now=now, since=timedelta(days=8))
    delivery.forget_unmatched(now=now)
    handover.lapse(now=now)
    contacts.end_idle_sessions(now=now)


def expire_payloads(*, now: datetime) -> int:
    """Clear raw payloads past their time: the message and its text stay, what WhatsApp sent around it goes."""
    before = now - timedelta(days=settings.ENVIRONMENT.raw_payload_days)
    gone = InboundMessage.objects.filter(received_at__lt=before, payload__isnull=False).update(payload=None)
    return gone + UnhandledEvent.objects.filter(received_at__lt=before, payload__isnull=False).update(payload=None)
