"""What the Graph API refuses, in its own words and codes. Pure.

Only what Jeevo sends is known here: text, reply buttons, and the read call with its typing dots.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from conversations.sandbox.envelopes import Json

LONGEST_TEXT = 4096
LONGEST_INTERACTIVE = 1024
LONGEST_CALLBACK = 512
OTHER_TYPES = {
    "audio",
    "contacts",
    "document",
    "image",
    "list",
    "location",
    "reaction",
    "sticker",
    "template",
    "video",
}
ADDRESS = re.compile(r"\+?\d{7,15}|[A-Z]{2}\.\d{6,30}")


class GraphError(Exception):
    """An error answer in Graph's shape."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        details: str = "",
        kind: str = "OAuthException",
        subcode: int = 0,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.details, self.kind, self.subcode = details, kind, subcode

    def body(self) -> Json:
        error: Json = {"message": self.message, "type": self.kind, "code": self.code}
        if self.subcode:
            error["error_subcode"] = self.subcode
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        return {"error": error | {"fbtrace_id": "A" + secrets.token_urlsafe(16)}}


class Down(Exception):
    """Graph cannot be reached: a proxy answers in its place, and not in JSON."""


class NoAnswer(Exception):
    """Graph took the message, and the caller is never told."""


def invalid(message: str) -> GraphError:
    return GraphError(400, 100, f"(#100) {message}", details=message)


def bad_token(*, expired: bool = False) -> GraphError:
    if expired:
        message = "Error validating access token: Session has expired"
        return GraphError(401, 190, message, subcode=463)
    return GraphError(401, 190, "Invalid OAuth access token - Cannot parse access token")


def unknown_object(name: str, method: str) -> GraphError:
    message = (
        f"Unsupported {method} request. Object with ID '{name[:40]}' does not exist, cannot be loaded due to "
        "missing permissions, or does not support this operation"
    )
    return GraphError(400, 100, message, kind="GraphMethodException", subcode=33)


def pair_rate() -> GraphError:
    details = "Too many messages were sent from this phone number to the same number in a short time."
    return GraphError(400, 131056, "(#131056) (Business Account, Consumer Account) pair rate limit hit", details=details)


def server_error(code: int) -> GraphError:
    if code == 1:
        return GraphError(500, 1, "An unknown error occurred")
    details = "Message failed to send due to an unknown error."
    return GraphError(500, 131000, "(#131000) Something went wrong", details=details)


def outside_window() -> GraphError:
    details = "More than 24 hours have passed since the customer last replied to this number."
    return GraphError(400, 131047, "(#131047) Re-engagement message", details=details)


def check_message(body: Json) -> None:
    """Raises GraphError for a message that Meta would refuse before it looks at the recipient."""
    if body.get("messaging_product") != "whatsapp":
        raise invalid("The parameter messaging_product is required.")
    if body.get("recipient_type", "individual") != "individual":
        raise invalid("Param recipient_type must be one of {INDIVIDUAL}")
    if not isinstance(address(body), str) or not ADDRESS.fullmatch(address(body)):
        raise invalid("The parameter to is required and must be a WhatsApp number.")
    callback = body.get("biz_opaque_callback_data", "")
    if not isinstance(callback, str) or len(callback) > LONGEST_CALLBACK:
        raise invalid(f"Param biz_opaque_callback_data must be at most {LONGEST_CALLBACK} characters long.")
    context = body.get("context")
    if context is not None and not (isinstance(context, dict) and isinstance(context.get("message_id"), str)):
        raise invalid("Param context['message_id'] must be a string.")
    kind = body.get("type", "text")
    if kind == "text":
        _check_text(body.get("text"))
    elif kind == "interactive":
        _check_interactive(body.get("interactive"))
    elif kind in OTHER_TYPES:
        raise GraphError(
            400,
            131051,
            "(#131051) Unsupported message type",
            details="The sandbox takes text and reply buttons.",
        )
    else:
        raise invalid("Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, ..., TEXT, VIDEO}")


def address(body: Json) -> Any:
    return body.get("to") or body.get("recipient") or ""


def _check_text(text: Any) -> None:
    if not isinstance(text, dict):
        raise invalid("The parameter text is required.")
    _check_length("text['body']", text.get("body"), LONGEST_TEXT)
    if not isinstance(text.get("preview_url", False), bool):
        raise invalid("Param text['preview_url'] must be a boolean.")


def _check_interactive(interactive: Any) -> None:
    if not isinstance(interactive, dict) or interactive.get("type") != "button":
        raise invalid("Param interactive['type'] must be one of {button}")
    body, action, footer = (interactive.get(key) for key in ("body", "action", "footer"))
    _check_length(
        "interactive['body']['text']",
        body.get("text") if isinstance(body, dict) else None,
        LONGEST_INTERACTIVE,
    )
    if footer is not None:
        _check_length("interactive['footer']['text']", footer.get("text") if isinstance(footer, dict) else None, 60)
    buttons = action.get("buttons") if isinstance(action, dict) else None
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 3:
        raise invalid("Param interactive['action']['buttons'] must have 1 to 3 elements.")
    replies = [each.get("reply") if isinstance(each, dict) and each.get("type") == "reply" else None for each in buttons]
    for reply in replies:
        if not isinstance(reply, dict):
            raise invalid("Param interactive['action']['buttons'] must hold buttons of the type reply.")
        _check_length("button reply title", reply.get("title"), 20)
        _check_length("button reply id", reply.get("id"), 256)
    for key in ("title", "id"):
        if len({reply[key] for reply in replies if reply}) != len(replies):
            raise invalid(f"Param interactive['action']['buttons'] must have a different {key} each.")


def _check_length(name: str, value: Any, longest: int) -> None:
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"The parameter {name} is required.")
    if len(value) > longest:
        raise invalid(f"Param {name} must be at most {longest} characters long.")
