"""The Graph API's addresses that Jeevo calls, with Graph's answers and Graph's errors."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from conversations.sandbox import refusals
from conversations.sandbox.envelopes import DISPLAY_NUMBER, Json
from conversations.sandbox.server import SandboxRequest

MEDIA_LIVES = 300
SCOPES = ["whatsapp_business_management", "whatsapp_business_messaging"]
View = Callable[..., HttpResponse]


def _graph(method: str) -> Callable[[Callable[..., Json]], View]:
    """A view from a function that returns Graph's JSON or raises one of its errors."""

    def decorate(call: Callable[..., Json]) -> View:
        @csrf_exempt
        @wraps(call)
        def view(request: HttpRequest, **kwargs: str) -> HttpResponse:
            try:
                if request.method != method:
                    raise refusals.unknown_object(kwargs.get("name", ""), (request.method or "").lower())
                return JsonResponse(call(request, **kwargs))
            except refusals.GraphError as error:
                return JsonResponse(error.body(), status=error.status)
            except refusals.Down:
                return HttpResponse("upstream connect error", status=503, content_type="text/plain")
            except refusals.NoAnswer:
                # An announced body that never comes: the caller waits for its own timeout or sees the
                # connection end. A status line such as 504 would say more than a network that hangs.
                return HttpResponse(b"", headers={"Content-Length": "1000"})

        return view

    return decorate


def _token(request: HttpRequest) -> str:
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@_graph("POST")
def messages(request: SandboxRequest, name: str) -> Json:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise refusals.invalid("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise refusals.invalid("The body must be a JSON object.")
    return request.network.call_messages(body, token=_token(request), phone_number_id=name)


@_graph("GET")
def node(request: SandboxRequest, name: str) -> Json:
    """The business number, or a medium."""
    network = request.network
    network.admit(_token(request))
    if name == network.number.phone_number_id:
        return _fields(request, _number(name))
    found = network.store.media(name)
    if found is None:
        raise refusals.unknown_object(name, "get")
    mime_type, content = found
    until = int(time.time()) + MEDIA_LIVES
    address = f"{reverse('media', args=[name])}?ext={until}&hash={_seal(request, name, until)}"
    return {
        "messaging_product": "whatsapp",
        "url": request.build_absolute_uri(address),
        "mime_type": mime_type,
        "sha256": hashlib.sha256(content).hexdigest(),
        "file_size": len(content),
        "id": name,
    }


def _number(name: str) -> Json:
    return {
        "verified_name": "Jeevo sandbox",
        "display_phone_number": f"+{DISPLAY_NUMBER}",
        "code_verification_status": "VERIFIED",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "status": "CONNECTED",
        "id": name,
    }


def _fields(request: HttpRequest, whole: Json) -> Json:
    asked = [each for each in request.GET.get("fields", "").split(",") if each]
    for each in asked:
        if each not in whole:
            raise refusals.invalid(f"Tried accessing nonexisting field ({each[:40]})")
    return {key: value for key, value in whole.items() if not asked or key in asked or key == "id"}


@_graph("GET")
def subscribed_apps(request: SandboxRequest, name: str) -> Json:
    request.network.admit(_token(request))
    if name != request.network.number.business_account_id:
        raise refusals.unknown_object(name, "get")
    app = {
        "link": "https://www.facebook.com/games/?app_id=300000000000000",
        "name": "Jeevo",
        "id": "300000000000000",
    }
    return {"data": [{"whatsapp_business_api_data": app}]}


@_graph("GET")
def debug_token(request: SandboxRequest) -> Json:
    request.network.admit(_token(request))
    if not hmac.compare_digest(request.GET.get("input_token", "").encode(), request.network.token.encode()):
        error = {"code": 190, "message": "Invalid OAuth access token."}
        return {"data": {"error": error, "is_valid": False, "scopes": []}}
    number, account = request.network.number.phone_number_id, request.network.number.business_account_id
    return {
        "data": {
            "app_id": "300000000000000",
            "type": "SYSTEM_USER",
            "application": "Jeevo",
            "data_access_expires_at": 0,
            "expires_at": 0,
            "is_valid": True,
            "issued_at": 1767225600,
            "scopes": SCOPES,
            "granular_scopes": [{"scope": scope, "target_ids": [account]} for scope in SCOPES],
            "user_id": number,
        }
    }


@csrf_exempt
def media_content(request: SandboxRequest, key: str) -> HttpResponse:
    """The bytes of a medium: with the Bearer token, and only while the address is young."""
    if not hmac.compare_digest(_token(request).encode(), request.network.token.encode()):
        return JsonResponse(refusals.bad_token().body(), status=401)
    until, found = request.GET.get("ext", ""), request.network.store.media(key)
    young = until.isascii() and until.isdigit() and int(until) >= time.time()
    if found is None or not young or not hmac.compare_digest(request.GET.get("hash", ""), _seal(request, key, int(until))):
        return HttpResponse("URL signature expired", status=404, content_type="text/plain")
    return HttpResponse(found[1], content_type=found[0])


def _seal(request: SandboxRequest, key: str, until: int) -> str:
    return hmac.new(request.network.token.encode(), f"{key}:{until}".encode(), hashlib.sha256).hexdigest()[:32]
