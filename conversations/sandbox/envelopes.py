"""What WhatsApp would put on the wire: ids, message and status envelopes, and their signature. Pure.

The bytes are made once and signed as they are. Slashes and letters beyond ASCII are escaped as Meta
does, so that a receiver that serialises again before it verifies is found out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
DISPLAY_NUMBER = "910000000000"


@dataclass(frozen=True)
class Number:
    """The business number that people write to."""

    phone_number_id: str
    business_account_id: str


@dataclass(frozen=True)
class Person:
    phone: str
    name: str
    user_id: str
    last_wrote: float | None
    shown: bool


def new_wamid(phone: str, *, from_person: bool) -> str:
    """As Meta's: base64 of a frame that holds the phone number and a random part."""
    digits = phone.encode()
    way = b"\x12" if from_person else b"\x11"
    frame = b"\x1c\x18" + bytes([len(digits)]) + digits + b"\x15\x02\x00" + way + b"\x18\x14"
    return "wamid." + base64.b64encode(frame + secrets.token_hex(10).upper().encode() + b"\x00").decode()


def user_id_of(phone: str) -> str:
    """The business-scoped id of a person, always the same for one number."""
    return f"IN.{int.from_bytes(hashlib.sha256(phone.encode()).digest()[:6]):015d}"


def raw(envelope: Json) -> bytes:
    return json.dumps(envelope, separators=(",", ":")).replace("/", "\\/").encode()


def signature(body: bytes, app_secret: str) -> str:
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def fingerprint(content: bytes) -> str:
    """The sha256 of a file as webhooks write it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def message_envelope(number: Number, person: Person, message: Json, *, phone_known: bool = True) -> Json:
    """One message of one person. Without `phone_known` only the business-scoped id says who wrote."""
    contact: Json = {"profile": {"name": person.name}, "user_id": person.user_id}
    sender: Json = {"from_user_id": person.user_id}
    if phone_known:
        contact["wa_id"] = person.phone
        sender["from"] = person.phone
    return _envelope(number, {"contacts": [contact], "messages": [sender | message]})


def status_envelope(number: Number, person: Person, *, wamid: str, status: str, at: float, callback: str) -> Json:
    value: Json = {
        "id": wamid,
        "status": status,
        "timestamp": str(int(at)),
        "recipient_id": person.phone,
        "recipient_user_id": person.user_id,
    }
    if callback:
        value["biz_opaque_callback_data"] = callback
    if status != "read":
        value["pricing"] = {
            "billable": True,
            "pricing_model": "PMP",
            "category": "service",
            "type": "regular",
        }
    return _envelope(number, {"statuses": [value]})


def _envelope(number: Number, value: Json) -> Json:
    metadata = {"display_phone_number": DISPLAY_NUMBER, "phone_number_id": number.phone_number_id}
    change = {"value": {"messaging_product": "whatsapp", "metadata": metadata} | value, "field": "messages"}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": number.business_account_id, "changes": [change]}],
    }
