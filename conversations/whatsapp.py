"""The Graph API: send, mark as read, look up. One client, one error class, one table of codes.

A call ends in one of three ways: accepted, refused (WhatsAppError, which says whether to try again),
or Ambiguous: the request left and no answer came, so WhatsApp may have sent the message.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import httpx
from django.conf import settings

from jeevo import measures

TIMEOUT = httpx.Timeout(10, connect=3, pool=3)
Action = Literal["retry", "fail", "operator"]
_MAKING = threading.Lock()

# Meta's codes, from design/whatsapp.md: what to do, and why in words for staff.
_CODES: dict[int, tuple[Action, str]] = {
    4: ("retry", "WhatsApp's limit of calls was reached"),
    80007: ("retry", "WhatsApp's limit for this business was reached"),
    130429: ("retry", "Too many messages a second for this number"),
    131056: ("retry", "Too many messages to this person in a short time"),
    131048: ("retry", "WhatsApp slowed this number down because people reported it"),
    133016: ("retry", "The number was registered too often"),
    131000: ("retry", "WhatsApp had a fault of its own"),
    131016: ("retry", "WhatsApp's service is overloaded"),
    131053: ("retry", "WhatsApp could not take the media"),
    131026: ("fail", "This person cannot receive the message"),
    131030: ("fail", "The number is not on the list of allowed test numbers"),
    131047: ("fail", "More than 24 hours have passed since the person wrote"),
    131051: ("fail", "WhatsApp does not know this kind of message"),
    131049: ("fail", "WhatsApp chose not to deliver it, to keep its service healthy"),
    131050: ("fail", "This person stopped messages from businesses"),
    131062: ("fail", "WhatsApp does not know this user id"),
    100: ("fail", "WhatsApp found a mistake in the message"),
    131008: ("fail", "The message lacks a part that WhatsApp needs"),
    131009: ("fail", "A part of the message has a wrong value"),
    0: ("operator", "The access token was refused"),
    190: ("operator", "The access token has expired or was withdrawn"),
    10: ("operator", "The access token may not send messages"),
    368: ("operator", "WhatsApp has blocked this business for breaking its rules"),
    131031: ("operator", "WhatsApp has locked this account"),
    131042: ("operator", "The payment method of the business has a problem"),
}


# Of these, the ones that say: too much.
_LIMITS = frozenset({4, 80007, 130429, 131056, 131048, 133016})


class WhatsAppError(Exception):
    """Graph refused. `permanent`: this message will never go; `operator`: nothing goes until somebody acts."""

    def __init__(self, code: int | None, reason: str, action: Action) -> None:
        super().__init__(f"{reason} ({code})")
        self.code, self.reason, self.action = code, reason, action

    @property
    def permanent(self) -> bool:
        return self.action == "fail"

    @property
    def outcome(self) -> str:
        return "limit" if self.code in _LIMITS else "refused" if self.permanent else "failed"

    @property
    def operator(self) -> bool:
        return self.action == "operator"


class Ambiguous(Exception):
    """The request may have been taken: never resend at once, wait for a status."""


@dataclass(frozen=True)
class Accepted:
    wamid: str


def judge(code: int | None, http_status: int = 400) -> WhatsAppError:
    """What a code means. A code that is not in the table is judged by its family and the HTTP status."""
    if code in _CODES:
        action, reason = _CODES[code]
        return WhatsAppError(code, reason, action)
    if code is not None and 200 <= code <= 299:
        return WhatsAppError(code, "The access token lacks a permission", "operator")
    if code is not None and 132000 <= code <= 132999:
        return WhatsAppError(code, "The template is not right", "fail")
    if http_status >= 500 or http_status == 429:
        return WhatsAppError(code, "WhatsApp had a fault of its own", "retry")
    if http_status in (401, 403):
        return WhatsAppError(code, "The access token was refused", "operator")
    return WhatsAppError(code, "WhatsApp refused the message", "fail")


def send(to: str, body: Mapping[str, Any], *, callback: str) -> Accepted:
    """POST one message. `callback` comes back in every status, so an ambiguous try is resolved by it."""
    recipient = {"to": to} if to.isdigit() else {"recipient": to}
    message = {"messaging_product": "whatsapp", "recipient_type": "individual", **recipient, **body}
    answer = _post(message | {"biz_opaque_callback_data": callback})
    try:
        return Accepted(str(answer["messages"][0]["id"]))
    except (KeyError, IndexError, TypeError) as error:
        raise Ambiguous("Graph answered 200 without a message id") from error


def mark_read(wamid: str, *, typing: bool = True) -> None:
    """Blue ticks and the typing dots, in one call. WhatsApp removes the dots after 25 seconds."""
    body: dict[str, Any] = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    _post(body | ({"typing_indicator": {"type": "text"}} if typing else {}))


def look_up(path: str, **params: str) -> dict[str, Any]:
    """GET a node of the Graph, for `manage.py whatsapp check`."""
    try:
        return _judged(_connected().get(path, params=params))
    except httpx.HTTPError as error:
        raise WhatsAppError(None, "The Graph API cannot be reached", "retry") from error


def reach(*, seconds: float = 3.0) -> int | None:
    """The HTTP status that Graph answers a look at our own number with; None when it does not answer in time."""
    try:
        return (
            _connected().get(settings.ENVIRONMENT.whatsapp.phone_number_id, params={"fields": "id"}, timeout=seconds).status_code
        )
    except httpx.HTTPError:
        return None


def _post(body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with measures.call("graph"):
            return _judged(_connected().post(f"{settings.ENVIRONMENT.whatsapp.phone_number_id}/messages", json=body))
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise WhatsAppError(None, "The Graph API cannot be reached", "retry") from error
    except httpx.HTTPError as error:
        raise Ambiguous("no answer from Graph") from error


def _judged(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.is_success and isinstance(answer, dict):
        return answer
    if response.is_success:
        raise Ambiguous("Graph answered 200 without JSON")
    error = answer.get("error") if isinstance(answer, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    raise judge(code if isinstance(code, int) else None, response.status_code)


def _connected() -> httpx.Client:
    # The thread of the read receipts and the one that answers begin together: without this each makes a client.
    with _MAKING:
        return _client(os.getpid())


@lru_cache(maxsize=2)
def _client(process: int) -> httpx.Client:
    """One connection pool a process: a pool inherited over a fork would be shared by two."""
    whatsapp = settings.ENVIRONMENT.whatsapp
    return httpx.Client(
        base_url=f"{whatsapp.graph_url}/{whatsapp.graph_version}/",
        headers={"Authorization": f"Bearer {whatsapp.token}"},
        timeout=TIMEOUT,
    )
