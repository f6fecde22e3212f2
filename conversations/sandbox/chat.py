"""The chat page and what it asks for: people, messages since a cursor, and what happened inside Jeevo."""

from __future__ import annotations

from dataclasses import asdict

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie

from conversations import inside
from conversations.models import InboundMessage
from conversations.sandbox.control import answered_in_json, posted, switched, written
from conversations.sandbox.envelopes import Json, Person
from conversations.sandbox.network import buttons
from conversations.sandbox.server import SandboxRequest
from conversations.sandbox.store import Message
from jeevo.fields import keyed_hash


@never_cache
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    web = settings.ENVIRONMENT.public_url or f"http://{_host(request)}:{settings.ENVIRONMENT.web_port}"
    return render(request, "sandbox/chat.html", {"admin": f"{web}/admin/"})


def _host(request: HttpRequest) -> str:
    """The name under which the browser reached this machine, without the port."""
    host = request.get_host()
    return host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]


@never_cache
@answered_in_json
def people(request: SandboxRequest) -> Json:
    """GET: those the page offers. POST: one more."""
    if request.method == "POST":
        return {"person": _person(request.network.new_person())}
    return {"people": [_person(each) for each in request.network.store.people()]}


@never_cache
@answered_in_json
def messages(request: SandboxRequest) -> Json:
    """What is new or has changed for this person since the cursor, which is the largest `changed` seen."""
    network, phone = request.network, request.GET.get("person", "")
    since = request.GET.get("since", "")
    network.looks_at(phone)
    found = network.store.messages(phone, since=int(since) if since.isascii() and since.isdigit() else 0)
    return {"messages": [_bubble(each) for each in found], "typing": network.is_typing(phone)}


@answered_in_json
def send(request: SandboxRequest) -> Json:
    return {"wamid": written(request.network, posted(request))}


@never_cache
@answered_in_json
def faults(request: SandboxRequest) -> Json:
    if request.method == "POST":
        return switched(request.network.faults, posted(request))
    return {"faults": request.network.faults.rows()}


@never_cache
@answered_in_json
def inside_of(request: SandboxRequest) -> Json:
    """The steps of one message inside Jeevo, from its rows. Empty until Jeevo has stored it."""
    try:
        message = InboundMessage.objects.filter(wamid_key=keyed_hash(request.GET.get("wamid", ""))).first()
        steps = inside.steps(message) if message else []
    except DatabaseError:
        return {
            "steps": [],
            "problem": "Jeevo's database does not answer. Messages wait at WhatsApp until it does.",
        }
    finally:
        # Sixteen threads would otherwise keep a connection each.
        if not connection.in_atomic_block:
            connection.close()
    return {"steps": [asdict(step) for step in steps], "problem": ""}


def _person(person: Person) -> Json:
    return {"phone": person.phone, "name": person.name}


def _bubble(message: Message) -> Json:
    return {
        "wamid": message.wamid,
        "mine": message.from_person,
        "kind": message.kind,
        "text": message.text,
        "footer": (message.body.get("footer") or {}).get("text", ""),
        "filename": message.body.get("filename", ""),
        "buttons": buttons(message) if not message.from_person else [],
        "context": message.context,
        "at": message.at,
        "status": message.status,
        "changed": message.changed,
    }
