"""The controls of tests and load under /sandbox/, for callers on this machine only."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from conversations.sandbox.envelopes import Json
from conversations.sandbox.faults import Faults, NotAFault
from conversations.sandbox.network import Network, NotPossible, buttons
from conversations.sandbox.server import SandboxRequest
from conversations.sandbox.store import Message

LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
View = Callable[..., HttpResponse]


class BadRequest(Exception):
    """The body cannot be read; the message says what is expected."""


def answered_in_json(call: Callable[[SandboxRequest], Json]) -> View:
    """What the caller got wrong is said with HTTP 400 in plain words."""

    @wraps(call)
    def view(request: SandboxRequest) -> HttpResponse:
        try:
            return JsonResponse(call(request))
        except (BadRequest, NotAFault, NotPossible) as problem:
            return JsonResponse({"problem": str(problem)}, status=400)

    return view


def _control(call: Callable[[SandboxRequest], Json]) -> View:
    inner = answered_in_json(call)

    @csrf_exempt
    @wraps(call)
    def view(request: SandboxRequest) -> HttpResponse:
        if request.META.get("REMOTE_ADDR") not in LOOPBACK:
            return JsonResponse({"problem": "Only callers on this machine may control the sandbox."}, status=403)
        return inner(request)

    return view


def posted(request: HttpRequest) -> Json:
    """The JSON object in the body. Raises BadRequest."""
    if request.method != "POST":
        raise BadRequest("Use POST.")
    # A form of another site can post to this machine, but not with this content type.
    if request.content_type != "application/json":
        raise BadRequest("The content type must be application/json.")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body must be JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def words(body: Json, key: str, *, most: int = 4096) -> str:
    """A text of the body, empty when it is not there. Raises BadRequest."""
    value = body.get(key, "")
    if not isinstance(value, str) or len(value) > most:
        raise BadRequest(f"{key} must be a text of at most {most} characters.")
    return value


def written(network: Network, body: Json) -> str:
    """What a person does: {"from", and "text", or "press" and "message", or "kind"}; the message's id."""
    phone, name = words(body, "from", most=20).removeprefix("+"), words(body, "name", most=120)
    if "press" in body:
        return network.press(phone, words(body, "message", most=255), words(body, "press", most=256))
    kind = words(body, "kind", most=20) or "text"
    if kind != "text":
        return network.media(phone, kind, caption=words(body, "caption", most=1024), name=name)
    if not words(body, "text"):
        raise BadRequest("text must not be empty.")
    phone_known = body.get("phone_known", True) is not False
    return network.text(phone, body["text"], name=name, context=words(body, "context", most=255), phone_known=phone_known)


def switched(faults: Faults, body: Json) -> Json:
    """{"name", "on", "value", "probability", "remaining"}, or {"all": false}; the switches afterwards."""
    if body.get("all") is False:
        faults.all_off()
    else:
        keys = ("on", "value", "probability", "remaining")
        faults.switch(body.get("name"), **{key: body.get(key) for key in keys})
    return {"faults": faults.rows()}


@_control
def inbound(request: SandboxRequest) -> Json:
    return {"wamid": written(request.network, posted(request))}


@_control
def sent(request: SandboxRequest) -> Json:
    """Everything Jeevo sent, oldest first; with `to`, only to this person."""
    found = request.network.sent_to(request.GET.get("to", "").strip().removeprefix("+") or None)
    return {"count": len(found), "messages": [_row(message) for message in found]}


def _row(message: Message) -> Json:
    return {
        "wamid": message.wamid,
        "to": message.phone,
        "kind": message.kind,
        "text": message.text,
        "buttons": buttons(message),
        "context": message.context,
        "callback": message.callback,
        "status": message.status,
        "at": message.at,
    }


@_control
def faults(request: SandboxRequest) -> Json:
    if request.method == "GET":
        return {"faults": request.network.faults.rows()}
    return switched(request.network.faults, posted(request))


@_control
def counts(request: SandboxRequest) -> Json:
    return request.network.counts()


def alive(_: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")
