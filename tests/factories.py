"""Bodies as WhatsApp sends them, and rows as Jeevo leaves them. Every default may be named."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User

from conversations import reply_text
from conversations.draft import Draft
from conversations.models import Answer, Contact, DeliveryEvent, InboundMessage, OutboundMessage
from jeevo.fields import keyed_hash
from knowledge import chunk_rows, embedding_indexes, indexing
from knowledge.chunk_rows import NewChunk
from knowledge.models import DIMENSIONS, Document
from knowledge.passages import Passage

Json = dict[str, Any]
ASHA, RAVI = "919810000001", "919810000002"
NUMBER = "200000000000000"
NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
# Fixed, because a test's name must be the same in every worker.
NOBODYS_KEY = "5f1f3c1e-6b0a-4d7e-9c55-0a9f2f6d1b00"
_numbers = count(1)


def new_wamid() -> str:
    return f"wamid.TEST{next(_numbers):08d}"


# What WhatsApp sends


def message(kind: str = "text", *, sender: str | None = ASHA, wamid: str | None = None, **parts: Any) -> Json:
    """One message of any kind; `parts` are its own keys."""
    base: Json = {"id": wamid or new_wamid(), "timestamp": "1772355600", "type": kind}
    return base | ({"from": sender} if sender else {}) | parts


def text_message(words: Any, *, sender: str | None = ASHA, wamid: str | None = None, **parts: Any) -> Json:
    return message("text", sender=sender, wamid=wamid, text={"body": words}, **parts)


def press(button: str, *, sender: str = ASHA, title: str = "A button") -> Json:
    """The press of a reply button with this id."""
    reply = {"type": "button_reply", "button_reply": {"id": button, "title": title}}
    return message("interactive", sender=sender, interactive=reply)


def status(state: str, *, wamid: str | None = None, callback: str = "", code: int | None = None, at: int = 1772355700) -> Json:
    body: Json = {"id": wamid or new_wamid(), "status": state, "timestamp": str(at), "recipient_id": ASHA}
    if callback:
        body["biz_opaque_callback_data"] = callback
    if code is not None:
        body["errors"] = [{"code": code, "title": "refused"}]
    return body


def envelope(*, messages: Sequence[Any] = (), statuses: Sequence[Any] = (), **value: Any) -> Json:
    base: Json = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": NUMBER}}
    if messages:
        base |= {"messages": list(messages), "contacts": [{"wa_id": ASHA, "profile": {"name": "Asha"}}]}
    if statuses:
        base["statuses"] = list(statuses)
    changes = [{"field": "messages", "value": base | value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "100000000000000", "changes": changes}]}


def signature(body: bytes, secret: str | None = None) -> str:
    secret = secret or settings.ENVIRONMENT.whatsapp.app_secrets[0]
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


# What Jeevo stores


def a_contact(phone: str = ASHA, **fields: Any) -> Contact:
    usual: Json = {"phone_key": keyed_hash(phone), "label": "+91 ······ 01", "country": "IN", "last_inbound_at": NOW}
    return Contact.objects.create(phone=phone, **usual | fields)


def an_inbound(
    person: Contact | None, words: str | None = "How do I treat a fever?", *, wamid: str | None = None, **fields: Any
) -> InboundMessage:
    """A message that waits for its answer and has been quiet for long."""
    sent, wamid = fields.get("received_at", NOW), wamid or new_wamid()
    usual: Json = {"sender_key": "key", "kind": "text", "status": "waiting", "triage_level": "routine"}
    usual |= {"wamid_key": keyed_hash(wamid), "payload": {"message": {"id": wamid}}}
    return InboundMessage.objects.create(contact=person, text=words, **usual | {"sent_at": sent, "received_at": sent} | fields)


def an_outbound(person: Contact, words: str = "Drink water.", *, wamid: str | None = None, **fields: Any) -> OutboundMessage:
    usual: Json = {"body": reply_text.plain(words), "created_at": NOW, "wamid_key": wamid and keyed_hash(wamid)}
    return OutboundMessage.objects.create(contact=person, **usual | fields)


def an_answer(person: Contact, **fields: Any) -> Answer:
    return Answer.objects.create(contact=person, **{"kind": "extractive", "language": "en", "text": "Drink water."} | fields)


def an_event(state: str, *, wamid: str, callback: object = "", at: datetime = NOW, **fields: Any) -> DeliveryEvent:
    usual: Json = {"callback": str(callback), "received_at": NOW}
    return DeliveryEvent.objects.create(wamid_key=keyed_hash(wamid), status=state, at=at, **usual | fields)


def staff(name: str = "meera") -> User:
    """Without a password, whose hash takes most of a second: log them in with `client.force_login`."""
    return User.objects.create(username=name, is_staff=True)


def a_passage(title: str = "Fever", *, document: Document | None = None, **fields: Any) -> Passage:
    usual: Json = {
        "chunk": uuid4(),
        "document": document.pk if document else uuid4(),
        "title": title,
        "publisher": "WHO",
        "url": f"https://example.org/{title.lower().replace(' ', '-')}",
        "heading": "What to do",
        "position": 0,
        "page": None,
        "unreviewed": False,
        "score": 0.9,
        "cosine": 0.8,
        "text": "Drink plenty of water.",
        "sentences": ("Drink plenty of water.",),
        "vectors": np.ones((1, 2), dtype=np.float32),
    }
    return Passage(**usual | fields)


def a_draft(text: str = "Drink plenty of water. [1]", **fields: Any) -> Draft:
    """An answer with one cited passage; the passage's document is not stored."""
    usual: Json = {"kind": Answer.Kind.EXTRACTIVE, "language": "en", "buttons": True}
    return Draft(text=text, **usual | fields)


def a_document(title: str, text: str, **fields: Any) -> Document:
    """A starter article, indexed with whatever embeds now."""
    usual: Json = {
        "publisher": "WHO",
        "url": "https://example.org/article",
        "origin": Document.Origin.STARTER,
        "slug": title.lower().replace(" ", "-"),
        "content_hash": hashlib.sha256(text.encode()).hexdigest(),
    }
    document = Document.objects.create(title=title, text=text, **usual | fields)
    indexing.index(document)
    return document


def some_chunks(document: Document, parts: Sequence[tuple[str, str]]) -> None:
    """Passages of (heading, text), as if indexed; their vectors say nothing."""
    vector = np.full(DIMENSIONS, 0.1, dtype=np.float32)
    rows = [
        NewChunk(
            document.pk, document.title, document.language, number, heading, None, text, (text,), vector, indexing.pack(vector)
        )
        for number, (heading, text) in enumerate(parts)
    ]
    chunk_rows.insert(rows, index=embedding_indexes.active())


def dumped(body: Any) -> bytes:
    return json.dumps(body).encode()
