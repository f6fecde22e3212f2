"""What WhatsApp's webhook says, as values. Pure: no database, no settings.

A body is verified on its raw bytes before it is parsed. Every entry, change, message and status is
read on its own, so that one odd part never costs the others; a part that cannot be read becomes an
`Unhandled` with the reason.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

KINDS_READ = {"text", "button", "interactive"}
KINDS_ACKNOWLEDGED = {"image", "audio", "voice", "video", "document", "sticker", "location", "contacts"}
LONGEST_ID = 255
LONGEST_TEXT = 8_000
# WhatsApp's own bodies nest to about 12. What just parses at a thousand would fail when it is written again.
DEEPEST = 100
STATUSES = {"sent", "delivered", "read", "failed", "played", "deleted"}


class NotAnEnvelope(Exception):
    """The body is not JSON, or not WhatsApp's envelope."""


@dataclass(frozen=True)
class Inbound:
    wamid: str
    phone: str
    user_id: str
    kind: str
    text: str | None
    sent_at: datetime | None
    ignored: str
    payload: dict[str, Any] = dataclasses.field(repr=False)

    @property
    def sender(self) -> str:
        return self.phone or self.user_id


@dataclass(frozen=True)
class Status:
    wamid: str
    status: str
    at: datetime
    callback: str
    error_code: int | None


@dataclass(frozen=True)
class Unhandled:
    field: str
    reason: str
    payload: Any = dataclasses.field(repr=False)


Event = Inbound | Status | Unhandled


def verify_signature(body: bytes, header: str, secrets: Sequence[str]) -> bool:
    """Whether `X-Hub-Signature-256` signs these raw bytes under any secret (two during rotation)."""
    claimed = header.removeprefix("sha256=").encode("utf-8", "replace")
    good = [hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode() for secret in secrets if secret]
    # A list, so that the time does not tell which secret matched.
    return header.startswith("sha256=") and any([hmac.compare_digest(claimed, each) for each in good])  # noqa: C419


def parse(body: bytes) -> list[Event]:
    """Every event of a verified body. Raises NotAnEnvelope for anything that is not an envelope."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotAnEnvelope("the body is not JSON") from error
    if not isinstance(payload, dict) or not isinstance(payload.get("entry"), list):
        raise NotAnEnvelope("the body has no list of entries")
    # Counting brackets first: walking through every body would cost more than reading it.
    if body.count(b"{") + body.count(b"[") > DEEPEST and _is_deep(payload):
        raise NotAnEnvelope("the body nests too deep")
    return [event for entry in payload["entry"] for event in _entry(entry)]


def _is_deep(payload: Any) -> bool:
    level = [payload]
    for _ in range(DEEPEST):
        level = [part for each in level for part in (each.values() if isinstance(each, dict) else each)]
        level = [part for part in level if isinstance(part, (dict, list))]
    return bool(level)


def _entry(entry: Any) -> Iterator[Event]:
    changes = entry.get("changes") if isinstance(entry, dict) else None
    if not isinstance(changes, list):
        yield Unhandled("entry", "an entry without a list of changes", entry)
        return
    for change in changes:
        yield from _change(change)


def _change(change: Any) -> Iterator[Event]:
    value = change.get("value") if isinstance(change, dict) else None
    name = _short(change.get("field")) if isinstance(change, dict) else ""
    if not isinstance(value, dict):
        yield Unhandled(name or "change", "a change without a value", change)
        return
    if name != "messages":
        yield Unhandled(name or "change", "not about messages", value)
        return
    messages, statuses = value.get("messages", []), value.get("statuses", [])
    for each in messages if isinstance(messages, list) else [messages]:
        yield _message(each, value)
    for each in statuses if isinstance(statuses, list) else [statuses]:
        yield _status(each)
    if value.get("errors"):
        yield Unhandled("errors", "an error report of WhatsApp", value["errors"])
    elif not messages and not statuses:
        yield Unhandled("messages", "neither messages nor statuses", value)


def _message(message: Any, value: dict[str, Any]) -> Event:
    if not isinstance(message, dict):
        return Unhandled("messages", "a message that is not an object", message)
    wamid = _identifier(message.get("id"))
    contact = _contact(value.get("contacts"), *sender({"message": message}))
    payload = {"message": message, "contact": contact, "metadata": value.get("metadata")}
    phone, user_id = sender(payload)
    if not wamid:
        return Unhandled("messages", "a message without a usable id", message)
    if not phone and not user_id:
        return Unhandled("messages", "a message without a sender", message)
    kind = _short(message.get("type")) or "unknown"
    text, ignored = _content(kind, message)
    return Inbound(
        wamid=wamid,
        phone=phone,
        user_id=user_id,
        kind=kind,
        text=text,
        sent_at=_time(message.get("timestamp")),
        ignored="a message to a group" if message.get("group_id") else ignored,
        payload=payload,
    )


def _content(kind: str, message: dict[str, Any]) -> tuple[str | None, str]:
    """The words of a message, and why it needs no reply (empty when it does)."""
    part = message.get(kind)
    part = part if isinstance(part, dict) else {}
    if kind == "text":
        return readable(part.get("body")), ""
    if kind == "button":
        return readable(part.get("text")), ""
    if kind == "interactive":
        reply = part.get("button_reply") or part.get("list_reply")
        if isinstance(reply, dict):
            return readable(reply.get("title")), ""
        return None, "an interactive reply that Jeevo did not ask for"
    if kind in KINDS_ACKNOWLEDGED:
        return readable(part.get("caption")) or None, ""
    return None, f"a kind that needs no reply: {kind}"


def sender(payload: dict[str, Any] | None) -> tuple[str, str]:
    """Phone number and business-scoped user id, either of them empty."""
    message, contact = ((payload or {}).get(key) for key in ("message", "contact"))
    message = message if isinstance(message, dict) else {}
    user_id = _identifier(message.get("from_user_id"))
    if not user_id and isinstance(contact, dict):
        user_id = _identifier(contact.get("user_id"))
    return _identifier(message.get("from")), user_id


def message_id(payload: dict[str, Any] | None) -> str:
    """WhatsApp's id of the message, or empty. It holds the phone number: it stays in the payload."""
    message = (payload or {}).get("message")
    return _identifier(message.get("id")) if isinstance(message, dict) else ""


def button_id(payload: dict[str, Any] | None) -> str:
    """The id of the button that was pressed, or empty."""
    message = (payload or {}).get("message")
    interactive = message.get("interactive") if isinstance(message, dict) else None
    reply = interactive.get("button_reply") if isinstance(interactive, dict) else None
    return _identifier(reply.get("id")) if isinstance(reply, dict) else ""


def _status(status: Any) -> Event:
    if not isinstance(status, dict):
        return Unhandled("statuses", "a status that is not an object", status)
    wamid, name, at = _identifier(status.get("id")), _short(status.get("status")), _time(status.get("timestamp"))
    # The time is part of what makes a status the same one when it is delivered again.
    if not wamid or name not in STATUSES or at is None:
        return Unhandled("statuses", "a status without a usable id or time, or of an unknown kind", status)
    callback = _identifier(status.get("biz_opaque_callback_data"))
    return Status(wamid, name, at, callback[:64], _error_code(status.get("errors")))


def _error_code(errors: Any) -> int | None:
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) and abs(code) < 2**31 else None


def _contact(contacts: Any, phone: str, user_id: str) -> dict[str, Any]:
    found = [each for each in contacts if isinstance(each, dict)] if isinstance(contacts, list) else []
    for each in found:
        if (phone and each.get("wa_id") == phone) or (user_id and each.get("user_id") == user_id):
            return each
    return found[0] if len(found) == 1 and not found[0].get("wa_id") else {}


def profile_name(payload: dict[str, Any] | None) -> str:
    contact = (payload or {}).get("contact")
    profile = contact.get("profile") if isinstance(contact, dict) else None
    return readable(profile.get("name"))[:120] if isinstance(profile, dict) else ""


def readable(value: Any) -> str:
    """Text without NUL, control characters and lone surrogates; line breaks and joiners of Indian scripts stay."""
    if not isinstance(value, str):
        return ""
    kept = (c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") else " " for c in value)
    return "".join(kept).strip()[:LONGEST_TEXT]


def _identifier(value: Any) -> str:
    text = readable(value) if isinstance(value, str) else ""
    return text if len(text) <= LONGEST_ID else ""


def _short(value: Any) -> str:
    # Lower case first: some letters become two.
    return "".join(c for c in value.lower() if c.isalnum() or c == "_")[:24] if isinstance(value, str) else ""


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
