"""A person's conversation as turns in the order of time, with what a reader needs beside each.

Read only; no number is in it but the masked label. Older turns are fetched by the time of the oldest shown.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from conversations import inside
from conversations.models import Answer, Contact, InboundMessage, OutboundMessage
from conversations.remedies import remedy

PAGE = 40
KINDS = {
    "audio": "Voice note",
    "voice": "Voice note",
    "image": "Picture",
    "video": "Video",
    "document": "Document",
    "sticker": "Sticker",
    "location": "Place",
    "contacts": "Contact card",
}
DELIVERY = {
    "queued": "Waiting to be sent",
    "sending": "Being sent",
    "uncertain": "Not known yet whether it arrived",
    "sent": "Sent",
    "delivered": "Delivered",
    "read": "Read",
    "failed": "Failed",
}


@dataclass(frozen=True)
class Turn:
    at: datetime
    side: Literal["person", "jeevo", "staff"]
    key: str
    text: str
    who: str = ""
    kind: str = ""
    inbound: InboundMessage | None = None
    outbound: OutboundMessage | None = None
    answer: Answer | None = None
    buttons: tuple[str, ...] = ()
    delivery: str = ""
    remedy: str = ""
    steps: list[inside.Step] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    turns: list[Turn]
    older: datetime | None


def page(contact: Contact, *, before: datetime | None = None) -> Page:
    """The last turns before a moment, oldest first; `older` is where the page before this one ends."""
    came = contact.messages.defer("payload").select_related("answer")
    went = contact.outbound.select_related("author", "answer").prefetch_related("answer__citations", "answer__questions")
    if before:
        came, went = came.filter(received_at__lt=before), went.filter(created_at__lt=before)
    came_rows = list(came.order_by("-received_at", "-id")[: PAGE + 1])
    went_rows = list(went.order_by("-created_at", "-id")[: PAGE + 1])
    rows: list[InboundMessage | OutboundMessage] = sorted([*came_rows, *went_rows], key=_moment)
    shown = rows[-PAGE:]
    return Page([_turn(row) for row in shown], _moment(shown[0])[0] if len(rows) > PAGE else None)


def fingerprint(contact: Contact) -> str:
    """Differs whenever the newest page of this conversation would look different."""
    came = contact.messages.order_by("-received_at", "-id").values_list("pk", "status", "triage_level", "answer", "reason")
    went = contact.outbound.order_by("-created_at", "-id").values_list("pk", "status", "reason", "resent")
    rows = repr([list(came[:PAGE]), list(went[:PAGE])])
    return f'"{hashlib.sha256(rows.encode()).hexdigest()[:32]}"'


def _moment(row: InboundMessage | OutboundMessage) -> tuple[datetime, str]:
    return (row.received_at if isinstance(row, InboundMessage) else row.created_at), str(row.pk)


def _turn(row: InboundMessage | OutboundMessage) -> Turn:
    return _from_person(row) if isinstance(row, InboundMessage) else _to_person(row)


def _from_person(message: InboundMessage) -> Turn:
    kind = KINDS.get(message.kind, "" if message.text else message.kind)
    return Turn(message.received_at, "person", str(message.pk), message.text or "", kind=kind, inbound=message)


def _to_person(message: OutboundMessage) -> Turn:
    text, buttons = words(message.body)
    answer = message.answer
    # "Somebody is here now" is sent in the name of who took over, in words nobody typed.
    by_hand = message.author is not None and message.purpose == "staff"
    asked = max(answer.questions.all(), key=lambda each: each.received_at, default=None) if answer else None
    return Turn(
        message.created_at,
        "staff" if by_hand else "jeevo",
        str(message.pk),
        text,
        who=str(message.author) if by_hand else "Jeevo",
        outbound=message,
        answer=answer,
        buttons=buttons,
        delivery=DELIVERY[message.status],
        remedy=remedy(message),
        steps=inside.steps(asked) if asked else [],
    )


def words(body: Any) -> tuple[str, tuple[str, ...]]:
    """The text and the button titles of a Graph body."""
    body = body if isinstance(body, dict) else {}
    if body.get("type") != "interactive":
        return str(body.get("text", {}).get("body", "")), ()
    interactive = body.get("interactive", {})
    buttons = interactive.get("action", {}).get("buttons", [])
    return str(interactive.get("body", {}).get("text", "")), tuple(str(each["reply"]["title"]) for each in buttons)
