"""A notice as a program gets it: JSON, signed with the subscriber's own secret, and what each answer means.

The signature covers the time and the body, so that neither can be changed and an old one cannot be played again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from operations import outbound
from operations.models import Delivery
from operations.outbound import Refused, Unreachable
from operations.outcomes import SENT, Outcome

# Refusals that may pass: the server was slow, too early, or too busy.
PASSING = {408, 425, 429}


def send(delivery: Delivery) -> Outcome:
    body = payload(delivery)
    headers = {"X-Jeevo-Delivery": str(delivery.pk)}
    if delivery.subscriber:
        headers["X-Jeevo-Signature"] = signature(body, delivery.subscriber.secret, at=int(time.time()))
    try:
        return judge(outbound.post(delivery.address, body, headers=headers))
    except Refused as refused:
        return Outcome("failed", str(refused))
    except Unreachable as problem:
        return Outcome("again", str(problem))


def payload(delivery: Delivery) -> bytes:
    """`id` stays the same however often it is sent, so that a receiver can drop what it has."""
    notice = delivery.notice
    said = {
        "id": str(delivery.pk),
        "event": notice.event,
        "subject": notice.subject,
        "body": notice.body,
        "about": notice.about,
        "about_id": str(notice.about_key) if notice.about_key else None,
        "facts": notice.facts,
        "created_at": notice.created_at.isoformat(),
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def signature(body: bytes, secret: str, *, at: int) -> str:
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def judge(status: int) -> Outcome:
    if 200 <= status < 300:
        return SENT
    if status == 410:
        return Outcome("gone", "The server says that this address is gone for good (410).")
    if 300 <= status < 400:
        return Outcome("failed", f"The server points to another address ({status}), which is not followed. Enter that one.")
    if 400 <= status < 500 and status not in PASSING:
        return Outcome("failed", f"The server refuses it ({status}).")
    return Outcome("again", f"The server has a fault of its own ({status}).")
