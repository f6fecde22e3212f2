"""Find a person by what a member of staff has in hand: a full number, a WhatsApp user id, or the masked end.

Numbers are stored sealed, so a full number is found through its keyed hash, in each way it may be
written; the number itself is never repeated on a page or in an address.
"""

from __future__ import annotations

import re
from uuid import UUID

import phonenumbers
from django.conf import settings
from django.db.models import Q

from conversations.models import Contact, InboundMessage
from jeevo.fields import keyed_hash

_SIGNS = re.compile(r"[\s().\-\u2010-\u2015\u00a0+]")
_USER_ID = re.compile(r"^[A-Za-z]{2}\.\w+$")
SHORTEST_NUMBER = 7


def spellings(typed: str) -> list[str]:
    """The forms under which WhatsApp may know this number or id; empty when it is neither."""
    typed = typed.strip()
    if _USER_ID.match(typed):
        return [typed]
    digits = _SIGNS.sub("", typed)
    if not digits.isdecimal() or len(digits) < SHORTEST_NUMBER:
        return []
    found = [digits]
    try:
        number = phonenumbers.parse(typed, settings.ENVIRONMENT.country)
        found.append(f"{number.country_code}{number.national_number}")
    except phonenumbers.NumberParseException:
        pass
    return list(dict.fromkeys(found))


def people(typed: str) -> Q:
    """Contacts with this number or id, or whose masked label ends in these digits. Matches nobody for other words."""
    keys = [keyed_hash(each) for each in spellings(typed)]
    if keys:
        return Q(phone_key__in=keys) | Q(wa_user_key__in=keys)
    end = _SIGNS.sub("", typed.strip())
    return Q(label__endswith=end) if end.isalnum() else Q(pk__in=[])


def person(typed: str) -> Contact | None:
    """The one person of a full number or id."""
    return Contact.objects.filter(people(typed)).first() if spellings(typed) else None


def messages(typed: str) -> Q:
    """Messages by our key, by WhatsApp's id, by the person's key or by their number."""
    key = as_key(typed)
    if key:
        return Q(pk=key) | Q(contact=key)
    hashes = [keyed_hash(each) for each in spellings(typed)]
    if hashes:
        return Q(sender_key__in=hashes) | Q(contact__phone_key__in=hashes) | Q(contact__wa_user_key__in=hashes)
    return Q(wamid_key=keyed_hash(typed.strip())) | Q(sender_key=typed.strip())


def safe(typed: str) -> str:
    """The same search in words that may stand in an address: a key or a hash for a number or a WhatsApp id."""
    typed = typed.strip()
    forms = spellings(typed)
    if forms:
        found = person(typed)
        return str(found.pk) if found else keyed_hash(forms[-1])
    if typed.startswith("wamid."):
        # WhatsApp's ids hold the phone number in base64.
        message = InboundMessage.objects.filter(wamid_key=keyed_hash(typed)).only("pk").first()
        return str(message.pk) if message else keyed_hash(typed)
    return typed


def as_key(typed: str) -> UUID | None:
    try:
        return UUID(typed.strip())
    except ValueError:
        return None
