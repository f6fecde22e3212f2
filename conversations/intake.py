"""Store what the webhook brought: one insert an event, each once under a database constraint.

Nothing here reads, joins or publishes; the dispatcher does the rest. Each insert commits by itself,
so a failure halfway leaves what was stored, and WhatsApp's redelivery brings the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

import structlog
from django.conf import settings
from django.db import connection

from conversations.models import InboundMessage
from conversations.webhook import Event, Inbound, Status, Unhandled
from jeevo.fields import keyed_hash, seal
from jeevo.ids import new_id
from jeevo.logging import request_id

log = structlog.get_logger(__name__)

# ON CONFLICT rather than an IntegrityError: a redelivery leaves no error in the database's log, and one
# statement in autocommit is one round trip.
_MESSAGE = """
    INSERT INTO conversations_inboundmessage
        (id, wamid_key, sender_key, kind, status, text, payload, sent_at, received_at,
         triage_level, triage_concept, triage_rules, language, attempts, reason, request_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, '', '', '[]', '', 0, %s, %s)
    ON CONFLICT (wamid_key) DO NOTHING
"""
_STATUS = """
    INSERT INTO conversations_deliveryevent (wamid_key, status, at, received_at, callback, error_code)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (wamid_key, status, at) DO NOTHING
"""
_UNHANDLED = """
    INSERT INTO conversations_unhandledevent (digest, field, reason, payload, received_at)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (digest) DO NOTHING
"""


def store(events: Iterable[Event], *, now: datetime) -> None:
    """Every event durable, or an exception. Safe to repeat: an event that is known changes nothing."""
    for event in events:
        if isinstance(event, Inbound):
            _store_message(event, now)
        elif isinstance(event, Status):
            _store_status(event, now)
        else:
            _store_unhandled(event, now)


def _store_message(event: Inbound, now: datetime) -> None:
    ignored = event.ignored or _for_another_number(event)
    status = InboundMessage.Status.IGNORED if ignored else InboundMessage.Status.RECEIVED
    key = new_id()
    values = (
        key,
        keyed_hash(event.wamid),
        keyed_hash(event.sender),
        event.kind,
        status.value,
        None if event.text is None else seal(event.text),
        seal(json.dumps(event.payload)),
        event.sent_at or now,
        now,
        ignored[:120],
        request_id(),
    )
    with connection.cursor() as cursor:
        cursor.execute(_MESSAGE, values)
        known = cursor.rowcount == 0
    if known:
        log.info("message is known already")
    else:
        log.info("message stored", message=str(key))


def _for_another_number(event: Inbound) -> str:
    """Two numbers of one business share a webhook; the sandbox takes any, so that recorded bodies can be replayed."""
    metadata = event.payload.get("metadata")
    number = metadata.get("phone_number_id") if isinstance(metadata, dict) else None
    if settings.LIVE and number != settings.ENVIRONMENT.whatsapp.phone_number_id:
        return "sent to another number of this business"
    return ""


def _store_status(event: Status, now: datetime) -> None:
    values = (keyed_hash(event.wamid), event.status, event.at, now, event.callback, event.error_code)
    with connection.cursor() as cursor:
        cursor.execute(_STATUS, values)


def _store_unhandled(event: Unhandled, now: datetime) -> None:
    digest = hashlib.sha256(json.dumps([event.field, event.payload], sort_keys=True).encode()).hexdigest()
    # Escaped JSON, unlike the model's own: the body may hold half a surrogate pair, which no encoding takes.
    payload = seal(json.dumps(event.payload))
    with connection.cursor() as cursor:
        cursor.execute(_UNHANDLED, (digest, event.field, event.reason, payload, now))
