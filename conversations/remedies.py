"""What a member of staff can do about a message that did not go out, in one sentence."""

from __future__ import annotations

from conversations import whatsapp
from conversations.models import OutboundMessage

OURS = "This is a mistake of Jeevo. Please report it with the key of this message."
_BY_CODE = {
    131026: "Nothing to do: the number is not on WhatsApp, or its app is too old.",
    131030: "Add the number to the test numbers in Meta's dashboard.",
    131047: "It can be sent when the person writes again.",
    131049: "Nothing to do: WhatsApp limits how much one person receives.",
    131050: "Nothing to do: this person does not want messages from businesses.",
    131062: "Nothing to do: the person changed their WhatsApp account. They are known again when they write.",
    131051: OURS,
    100: OURS,
    131008: OURS,
    131009: OURS,
    131042: "Put the payment method right in Meta's dashboard. Messages wait and go out afterwards.",
}


def remedy(message: OutboundMessage) -> str:
    """Empty unless the message failed or is held up."""
    if message.status == OutboundMessage.Status.UNCERTAIN:
        return "Jeevo waits a minute for WhatsApp's word and then tries once more."
    if message.status != OutboundMessage.Status.FAILED and not message.reason:
        return ""
    code = message.error_code
    if code in _BY_CODE:
        return _BY_CODE[code]
    action = whatsapp.judge(code).action if code is not None else "retry"
    if action == "operator":
        return "Nothing goes out until this is put right. Run `manage.py whatsapp check`; it says what to change."
    if message.status != OutboundMessage.Status.FAILED:
        return "Jeevo tries again by itself."
    if action == "fail":
        return OURS
    return "Jeevo tried several times and stopped. If many fail, look at WhatsApp's status page."
