"""Erasing a person: every word they wrote and got, their number and their name, here and in a restored copy.

Of a message that came in a row stays without words, sender or person: WhatsApp's id as a keyed hash, so that a redelivery
is not answered, and its kind, level of triage and times, so that counts stay right. Everything else goes. In plain SQL,
because a copy is another database, of an older release perhaps, and what is done there must be what was done here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.db import connection
from django.db.models import Q

from conversations import lookup, webhook
from conversations.contacts import plain
from conversations.models import Contact, Handover, InboundMessage, OutboundMessage
from jeevo.fields import keyed_hash, unseal

# Of whom is this: a number in digits, a WhatsApp user id, or the keyed hash of either. Up to when rows of theirs go, and
# None where they stay. Who was erased and writes again is a new person.
Until = Callable[[str], datetime | None]
Unseal = Callable[[bytes], str]

ERASED = "the person was erased"
_NAMES = re.compile(r"[A-Z]{2}\.\w+|\d{7,15}")
_WAMID = re.compile(r"wamid\.([A-Za-z0-9+/=_-]+)")
_CONTACTS = "SELECT id, phone_key, wa_user_key, phone, wa_user_id, created_at FROM conversations_contact"
# Not of anybody yet, or never: what was ignored, and what only its id was kept of.
_UNATTACHED = "SELECT id, sender_key, received_at FROM conversations_inboundmessage WHERE contact_id IS NULL AND sender_key <> ''"
_OF_A_PERSON = {
    "messages": "SELECT id FROM conversations_inboundmessage WHERE contact_id = ANY(%s)",
    "answers": "SELECT id FROM conversations_answer WHERE contact_id = ANY(%s)",
    "outbound": "SELECT id FROM conversations_outboundmessage WHERE contact_id = ANY(%s)",
    "handovers": "SELECT id FROM conversations_handover WHERE contact_id = ANY(%s)",
}
_QUESTIONS = "SELECT id FROM knowledge_unansweredquestion WHERE answer_key = ANY(%s)"
_EVENTS = "SELECT id, payload, received_at FROM conversations_unhandledevent WHERE payload IS NOT NULL"
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'conversations_inboundmessage'::regclass AND attnum > 0"
_BLANK: dict[str, Any] = {
    "contact_id": None,
    "session_id": None,
    "answer_id": None,
    "text": None,
    "payload": None,
    "retry_at": None,
    "sender_key": "",
    "triage_concept": "",
    "triage_rules": "[]",
    "language": "",
    "request_id": "",
    "status": "ignored",
    "reason": ERASED,
}


class Cursor(Protocol):
    """Django's, or that of a connection to a copy."""

    def execute(self, query: Any, params: Sequence[Any] | None = None) -> Any: ...

    def fetchall(self) -> Any: ...


class NotFound(Exception):
    """One sentence: why nobody is erased."""


@dataclass(frozen=True)
class Person:
    """`names` are numbers in digits and user ids, `keys` their keyed hashes: whoever wrote under one and later under the
    other is known by both."""

    contacts: tuple[UUID, ...]
    names: frozenset[str]
    keys: frozenset[str]
    label: str

    @property
    def identities(self) -> frozenset[str]:
        return self.names | self.keys

    def until(self, moment: datetime) -> Until:
        return lambda identity: moment if identity in self.identities else None


@dataclass(frozen=True)
class Found:
    """Keys of rows. `events` are bodies that were not understood and name the person."""

    contacts: list[UUID] = field(default_factory=list)
    messages: list[UUID] = field(default_factory=list)
    answers: list[UUID] = field(default_factory=list)
    outbound: list[UUID] = field(default_factory=list)
    handovers: list[UUID] = field(default_factory=list)
    questions: list[UUID] = field(default_factory=list)
    events: list[int] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(keys) for name, keys in vars(self).items()}


def person(typed: str) -> Person:
    """The one person of a full number or user id, as staff type it. Raises NotFound."""
    forms = {keyed_hash(form): form for form in lookup.spellings(typed)}
    if not forms:
        raise NotFound("This is no full number: type it with + and its country code, or a WhatsApp user id.")
    contacts = Contact.objects.filter(Q(phone_key__in=forms) | Q(wa_user_key__in=forms))
    found = {key for row in contacts.values_list("phone_key", "wa_user_key") for key in row if key in forms}
    if not found:
        # A message that nobody has looked at, or that was ignored, may be all there is.
        senders = InboundMessage.objects.filter(sender_key__in=forms, contact__isnull=True)
        found = set(senders.order_by().values_list("sender_key", flat=True))
    if not found:
        raise NotFound("Nobody is known by this number. If it was typed right, nothing of theirs is kept.")
    if len(found) > 1:
        raise NotFound("This may be the number of several people: type it with + and its country code.")
    return _known(found, {forms[key] for key in found})


def of(contact: Contact) -> Person:
    return _known({key for key in (contact.phone_key, contact.wa_user_key) if key}, set())


def _known(keys: set[str], names: set[str]) -> Person:
    """With everything that they are known by, and any other row of theirs."""
    looked_at: dict[UUID, set[str]] = {}
    while True:
        contacts = Contact.objects.filter(Q(phone_key__in=keys) | Q(wa_user_key__in=keys)).defer("phone", "wa_user_id", "name")
        new = [each for each in contacts if each.pk not in looked_at]
        if not new:
            label = contacts[0].label if contacts else "somebody who is no contact yet"
            return Person(tuple(looked_at), frozenset(names), frozenset(keys), label)
        for each in new:
            looked_at[each.pk] = set(_names(each.pk))
            names = names | looked_at[each.pk]
            keys = keys | {key for key in (each.phone_key, each.wa_user_key) if key}
        keys = keys | {keyed_hash(name) for name in names}


def _names(key: UUID) -> Iterator[str]:
    """Of the row, and of what WhatsApp sent with their messages while that is kept."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT phone, wa_user_id FROM conversations_contact WHERE id = %s", [key])
        for phone, user_id in cursor.fetchall():
            yield from _opened(phone, user_id, unseal)
        cursor.execute("SELECT payload FROM conversations_inboundmessage WHERE contact_id = %s AND payload IS NOT NULL", [key])
        for (payload,) in cursor.fetchall():
            with suppress(InvalidToken, ValueError):
                phone, user_id = webhook.sender(json.loads(unseal(bytes(payload))))
                yield from filter(None, (plain(phone), user_id))


def under_way(known: Person) -> list[str]:
    """Sentences: what is being done for this person now, so that erasing them may leave somebody without help."""
    told = []
    handover = Handover.objects.filter(contact__in=known.contacts, closed_at__isnull=True).first()
    if handover is not None:
        red = handover.reason == Handover.Reason.RED_FLAG
        what = "A red flag was seen, and" if red else "A person was asked for, and"
        told.append(f"{what} {'a colleague is talking with them' if handover.taken_at else 'nobody has taken it yet'}.")
    unsent = OutboundMessage.objects.filter(contact__in=known.contacts, status__in=["queued", "sending", "uncertain"])
    if unsent.filter(urgent=True).exists():
        told.append("An emergency reply to them is on its way and may not have arrived.")
    if InboundMessage.objects.filter(sender_key__in=known.keys, status=InboundMessage.Status.RECEIVED).exists():
        told.append("They wrote just now, and it was not read yet: it may be an emergency.")
    return told


def find(cursor: Cursor, until: Until, *, unseal: Unseal = unseal, contacts: Sequence[UUID] | None = None) -> Found:
    """What there is of the people of `until`. `contacts`: those, without looking at anybody else."""
    people, limits = _people(cursor, until, unseal, contacts)
    rows: dict[str, list[UUID]] = {}
    for name, query in _OF_A_PERSON.items():
        cursor.execute(query, [people])
        rows[name] = [row[0] for row in cursor.fetchall()]
    cursor.execute(_UNATTACHED)
    for key, sender, at in cursor.fetchall():
        limit = limits.get(sender) or until(sender)
        if limit is not None and at <= limit:
            rows["messages"].append(key)
    cursor.execute(_QUESTIONS, [rows["answers"]])
    questions = [row[0] for row in cursor.fetchall()]
    return Found(contacts=people, questions=questions, events=_events(cursor, until, unseal), **rows)


def _people(
    cursor: Cursor, until: Until, unseal: Unseal, contacts: Sequence[UUID] | None
) -> tuple[list[UUID], dict[str, datetime]]:
    """Their keys, and by the hash of the sender up to when rows of theirs go."""
    if contacts is None:
        cursor.execute(_CONTACTS)
    else:
        cursor.execute(f"{_CONTACTS} WHERE id = ANY(%s)", [list(contacts)])
    people, limits = list[UUID](), dict[str, datetime]()
    for key, phone_key, user_key, phone, user_id, created in cursor.fetchall():
        keys = [each for each in (phone_key, user_key) if each]
        limit = _latest(until, keys) or _latest(until, _opened(phone, user_id, unseal))
        if limit is not None and created <= limit:
            people.append(key)
            limits |= dict.fromkeys(keys, limit)
    return people, limits


def _latest(until: Until, identities: Iterable[str]) -> datetime | None:
    return max((limit for each in identities if (limit := until(each)) is not None), default=None)


def _opened(phone: Any, user_id: Any, unseal: Unseal) -> Iterator[str]:
    """What no key opens nobody can read either."""
    for sealed, form in ((phone, plain), (user_id, str)):
        with suppress(InvalidToken):
            if sealed is not None:
                yield form(unseal(bytes(sealed)))


def _events(cursor: Cursor, until: Until, unseal: Unseal) -> list[int]:
    cursor.execute(_EVENTS)
    found = []
    for key, payload, at in cursor.fetchall():
        with suppress(InvalidToken):
            limit = _latest(until, named_in(unseal(bytes(payload))))
            if limit is not None and at <= limit:
                found.append(key)
    return found


def named_in(text: str) -> Iterator[str]:
    """Numbers and user ids in what WhatsApp sent, also those inside its message ids, where they stand in base64."""
    yield from _NAMES.findall(text)
    for token in _WAMID.findall(text):
        with suppress(binascii.Error, ValueError):
            yield from _NAMES.findall(base64.b64decode(token + "==").decode("latin-1"))


def erase(cursor: Cursor, found: Found) -> None:
    """In the caller's transaction. Messages first: that is the order in which the dispatcher takes them."""
    cursor.execute(_COLUMNS)
    there = {row[0] for row in cursor.fetchall()}
    blank = {name: value for name, value in _BLANK.items() if name in there}
    changes = ", ".join(f"{name} = %s" for name in blank)
    cursor.execute(f"UPDATE conversations_inboundmessage SET {changes} WHERE id = ANY(%s)", [*blank.values(), found.messages])  # noqa: S608
    answers, outbound, people = found.answers, found.outbound, found.contacts
    statements: tuple[tuple[str, Sequence[Any]], ...] = (
        ("DELETE FROM knowledge_unansweredquestion WHERE id = ANY(%s)", [found.questions]),
        ("DELETE FROM conversations_feedback WHERE answer_id = ANY(%s)", [answers]),
        ("DELETE FROM conversations_citation WHERE answer_id = ANY(%s)", [answers]),
        (
            "DELETE FROM conversations_deliveryevent WHERE outbound_id = ANY(%s) OR callback = ANY(%s) OR wamid_key IN"
            " (SELECT wamid_key FROM conversations_outboundmessage WHERE id = ANY(%s))",
            [outbound, [str(key) for key in outbound], outbound],
        ),
        ("DELETE FROM conversations_outboundmessage WHERE id = ANY(%s)", [outbound]),
        ("DELETE FROM conversations_answer WHERE id = ANY(%s)", [answers]),
        ("DELETE FROM conversations_handover WHERE contact_id = ANY(%s)", [people]),
        ("DELETE FROM conversations_session WHERE contact_id = ANY(%s)", [people]),
        ("DELETE FROM conversations_contact WHERE id = ANY(%s)", [people]),
        # Its digest stays: the same body is not kept a second time.
        ("UPDATE conversations_unhandledevent SET payload = NULL WHERE id = ANY(%s)", [found.events]),
    )
    for statement, values in statements:
        cursor.execute(statement, values)


def lock(cursor: Cursor, known: Person) -> None:
    """Whoever attaches or answers a message of theirs now ends first, or finds nobody."""
    cursor.execute(
        "SELECT id FROM conversations_inboundmessage WHERE contact_id = ANY(%s) OR sender_key = ANY(%s) ORDER BY id FOR UPDATE",
        [list(known.contacts), list(known.keys)],
    )
    cursor.execute("SELECT id FROM conversations_contact WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [list(known.contacts)])
