"""To a person, and back.

A waiting handover is a place in the list: Jeevo goes on answering. When somebody takes it Jeevo is
quiet, but for emergencies and STOP, until it is closed. Staff replies go through the same outbox.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from conversations import delivery, wording
from conversations.models import FREE_TEXT_WINDOW, Contact, Handover, InboundMessage, OutboundMessage

LAPSES_AFTER = timedelta(hours=12)
LONGEST_REPLY = 4096


class NotPossible(Exception):
    """The step cannot be taken now; the message is for the person who tried."""


def waiting() -> QuerySet[Handover]:
    """Open handovers, the one that waits longest first."""
    return Handover.objects.filter(closed_at__isnull=True).select_related("contact", "taken_by").order_by("opened_at", "id")


def ask(contact: Contact, *, reason: str, now: datetime) -> Handover:
    """The open handover of this person, opened if there is none. A stronger reason replaces a weaker one."""
    handover, made = Handover.objects.get_or_create(
        contact=contact, closed_at=None, defaults={"reason": reason, "opened_at": now}
    )
    if not made and handover.reason != Handover.Reason.RED_FLAG and reason in (Handover.Reason.RED_FLAG, Handover.Reason.ASKED):
        handover.reason = reason
        handover.save(update_fields=["reason"])
    return handover


def is_taken(contact: Contact) -> bool:
    return Handover.objects.filter(contact=contact, closed_at__isnull=True, taken_at__isnull=False).exists()


@transaction.atomic
def take(handover: Handover, *, by: AbstractBaseUser, now: datetime) -> Handover:
    held = Handover.objects.select_for_update().get(pk=handover.pk)
    if held.closed_at:
        raise NotPossible("This conversation was already given back to Jeevo.")
    if held.taken_by_id and held.taken_by_id != by.pk:
        raise NotPossible(f"{held.taken_by} is already talking with this person.")
    if held.taken_at is None:
        held.taken_by, held.taken_at = by, now  # type: ignore[assignment]
        held.save(update_fields=["taken_by", "taken_at"])
        # What Jeevo has not begun to answer is now for the person who took over.
        InboundMessage.objects.filter(contact=held.contact, status=InboundMessage.Status.WAITING).update(
            status=InboundMessage.Status.WITH_PERSON
        )
        _say(held.contact, "handover_taken", now=now, by=by)
    return held


@transaction.atomic
def reply(handover: Handover, text: str, *, by: AbstractBaseUser, now: datetime) -> OutboundMessage:
    """Queue a staff reply. NotPossible outside WhatsApp's 24-hour window, for empty text and for over 4,096 characters."""
    text = text.strip()
    if not text:
        raise NotPossible("Write a reply first.")
    if len(text) > LONGEST_REPLY:
        raise NotPossible(f"WhatsApp takes at most {LONGEST_REPLY:,} characters; this reply has {len(text):,}.")
    held = take(handover, by=by, now=now)
    if not in_window(held.contact, now=now):
        raise NotPossible("More than 24 hours have passed since this person last wrote, so WhatsApp does not allow a free reply.")
    held.last_reply_at = now
    held.save(update_fields=["last_reply_at"])
    InboundMessage.objects.filter(contact=held.contact, status=InboundMessage.Status.WITH_PERSON).update(
        status=InboundMessage.Status.ANSWERED
    )
    return delivery.queue_text(held.contact, text, purpose="staff", author=by, now=now)


@transaction.atomic
def close(handover: Handover, *, by: AbstractBaseUser | None, now: datetime) -> Handover:
    """Give the conversation back to Jeevo. `by` is None when it lapsed."""
    held = Handover.objects.select_for_update().get(pk=handover.pk)
    if held.closed_at is None:
        held.closed_by, held.closed_at = by, now  # type: ignore[assignment]
        held.save(update_fields=["closed_by", "closed_at"])
        # What came in meanwhile and nobody replied to is answered by Jeevo after all.
        InboundMessage.objects.filter(contact=held.contact, status=InboundMessage.Status.WITH_PERSON).update(
            status=InboundMessage.Status.WAITING
        )
        if held.taken_at is not None:
            _say(held.contact, "handover_closed", now=now, by=by)
    return held


def lapse(*, now: datetime) -> int:
    """Give back the conversations that were taken and then left alone."""
    left = [each for each in waiting().filter(taken_at__lt=now - LAPSES_AFTER) if _last_touch(each) < now - LAPSES_AFTER]
    for each in left:
        close(each, by=None, now=now)
    return len(left)


def in_window(contact: Contact, *, now: datetime) -> bool:
    return contact.last_inbound_at is not None and now - contact.last_inbound_at < FREE_TEXT_WINDOW


def _last_touch(handover: Handover) -> datetime:
    return max(each for each in (handover.taken_at, handover.last_reply_at) if each is not None)


def _say(contact: Contact, key: str, *, now: datetime, by: AbstractBaseUser | None) -> None:
    if in_window(contact, now=now):
        delivery.queue_text(contact, wording.say(key, contact.language, contact.country), purpose="handover", author=by, now=now)
