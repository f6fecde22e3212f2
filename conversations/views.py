"""The doors of conversations: WhatsApp's webhook."""

from __future__ import annotations

import hmac

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from conversations import intake, webhook
from jeevo import measures

log = structlog.get_logger(__name__)
LARGEST_BODY = 3 * 1024 * 1024


def _said(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


def _refused(status: int, text: str) -> HttpResponse:
    log.warning("webhook refused", status=status)
    return _said(status, text)


class WebhookView(APIView):
    """GET: the handshake. POST: verify the raw bytes, parse, store, and only then 200."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = ()
    throttle_classes = ()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Answers are plain text whatever the caller accepts; a 406 would make WhatsApp deliver for a week."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request) -> HttpResponse:
        asked = request.query_params
        token = asked.get("hub.verify_token", "").encode()
        good = hmac.compare_digest(token, settings.ENVIRONMENT.whatsapp.verify_token.encode())
        if asked.get("hub.mode") != "subscribe" or not good:
            return _said(403, "The verify token is not the one in WHATSAPP_VERIFY_TOKEN.")
        return _said(200, asked.get("hub.challenge", ""))

    @measures.by_status
    def post(self, request: Request) -> HttpResponse:
        body = _body(request._request)
        if body is None:
            return _refused(413, "The body is larger than 3 MB.")
        header = request.META.get("HTTP_X_HUB_SIGNATURE_256", "")
        if not header:
            return _refused(401, "The signature is missing.")
        if not webhook.verify_signature(body, header, settings.ENVIRONMENT.whatsapp.app_secrets):
            return _refused(403, "The signature does not match.")
        try:
            events = webhook.parse(body)
        except webhook.NotAnEnvelope as problem:
            return _refused(400, f"This is not a WhatsApp webhook: {problem}.")
        intake.store(events, now=timezone.now())
        return _said(200, "stored")


def _body(request: HttpRequest) -> bytes | None:
    """The raw bytes, or None above the limit."""
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        announced = 0
    if announced > LARGEST_BODY:
        return None
    try:
        return request.body
    except (RequestDataTooBig, UnreadablePostError):
        return None
