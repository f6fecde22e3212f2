"""Who wrote: one contact for a phone number, a business-scoped user id, or both; one open session each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import phonenumbers
from django.conf import settings
from django.db.models import F, Q

from conversations import webhook
from conversations.models import Contact, Session
from conversations.replies import country_of
from jeevo.fields import keyed_hash


class NoSender(ValueError):
    """The stored payload names nobody."""


def find_or_create(payload: dict[str, Any] | None, *, now: datetime) -> Contact:
    """The contact a message came from, with what this message newly tells of them."""
    phone, user_id = webhook.sender(payload)
    if not phone and not user_id:
        raise NoSender
    contact = _find(phone, user_id) or _create(phone, user_id)
    _learn(contact, phone, user_id, webhook.profile_name(payload), now=now)
    return contact


def phone_key(phone: str) -> str:
    """The keyed hash by which a number is found, however it was typed."""
    return keyed_hash("".join(c for c in phone if c.isdigit()))


def plain(phone: str) -> str:
    """What of a number is hashed: its digits, or all of it where there are none."""
    return "".join(c for c in phone if c.isdigit()) or phone


def _find(phone: str, user_id: str) -> Contact | None:
    wanted = Q()
    if phone:
        wanted |= Q(phone_key=_key(phone))
    if user_id:
        wanted |= Q(wa_user_key=keyed_hash(user_id))
    # A person first known by user id and later by phone may match two rows: the phone decides.
    found = list(Contact.objects.filter(wanted).order_by(F("phone_key").asc(nulls_last=True))[:2])
    return found[0] if found else None


def _create(phone: str, user_id: str) -> Contact:
    contact, _ = Contact.objects.get_or_create(
        **({"phone_key": _key(phone)} if phone else {"wa_user_key": keyed_hash(user_id)}),
        defaults={
            "phone": phone or None,
            "wa_user_id": None if phone else user_id,
            "country": country_of(phone, settings.ENVIRONMENT.country) if phone else _country_of_id(user_id),
            "label": masked(phone or user_id),
        },
    )
    return contact


def _learn(contact: Contact, phone: str, user_id: str, name: str, *, now: datetime) -> None:
    news: dict[str, Any] = {"last_inbound_at": now}
    if user_id and contact.wa_user_key is None and not Contact.objects.filter(wa_user_key=keyed_hash(user_id)).exists():
        news |= {"wa_user_id": user_id, "wa_user_key": keyed_hash(user_id)}
    if phone and contact.phone_key is None:
        news |= {"phone": phone, "phone_key": _key(phone), "label": masked(phone)}
    if name and contact.name != name:
        news["name"] = name
    Contact.objects.filter(pk=contact.pk).update(**news)
    for field, value in news.items():
        setattr(contact, field, value)


def _key(phone: str) -> str:
    return keyed_hash(plain(phone))


def _country_of_id(user_id: str) -> str:
    prefix = user_id.split(".")[0].upper()
    return prefix if len(prefix) == 2 and prefix.isalpha() else settings.ENVIRONMENT.country


def masked(address: str) -> str:
    """+91 ······ 42: enough to tell two rows apart, not enough to call."""
    digits = "".join(c for c in address if c.isdigit())
    try:
        code = f"+{phonenumbers.parse('+' + address, None).country_code}"
    except phonenumbers.NumberParseException:
        code = address[:2] + "."
    return f"{code} ······ {digits[-2:]}"


def open_session(contact: Contact, *, now: datetime) -> Session:
    """The running session, or a new one after six idle hours."""
    session = Session.objects.filter(contact=contact, ended_at__isnull=True).first()
    if session is not None and now - session.last_message_at > Session.IDLE:
        Session.objects.filter(pk=session.pk).update(ended_at=session.last_message_at)
        session = None
    if session is None:
        return Session.objects.create(contact=contact, started_at=now, last_message_at=now)
    Session.objects.filter(pk=session.pk).update(last_message_at=now)
    return session


def end_idle_sessions(*, now: datetime) -> int:
    idle = Session.objects.filter(ended_at__isnull=True, last_message_at__lt=now - Session.IDLE)
    return idle.update(ended_at=F("last_message_at"))
