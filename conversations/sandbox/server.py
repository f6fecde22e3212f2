"""The sandbox as a WSGI application: the same Django project with its own addresses and its own network.

It refuses to exist in live mode. Tests make one with their own network and serve it on a free port.
"""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from conversations.sandbox.network import Network

PERSONAS = (("910000010001", "Asha"), ("910000010002", "Ravi"), ("910000010003", "Meena"))


class SandboxRequest(HttpRequest):
    """What the views get: a request that knows its network."""

    network: Network


class Sandbox(WSGIHandler):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        request.urlconf = "conversations.sandbox.urls"
        request.network = self.network  # type: ignore[attr-defined]
        return super().get_response(request)


def from_settings() -> Sandbox:
    """The sandbox of this machine. Raises ImproperlyConfigured in live mode."""
    environment = settings.ENVIRONMENT
    if environment.mode != "sandbox":
        raise ImproperlyConfigured("The sandbox does not start with JEEVO_MODE=live: it would stand in for the real WhatsApp.")
    whatsapp = environment.whatsapp
    web = environment.public_url or f"http://127.0.0.1:{environment.web_port}"
    network = Network(
        environment.data / "sandbox.sqlite3",
        f"{web}/webhook/whatsapp/",
        whatsapp.app_secrets[0],
        whatsapp.token,
        whatsapp.phone_number_id,
        business_account_id=whatsapp.business_account_id,
    )
    for phone, name in PERSONAS:
        network.person(phone, name=name, shown=True)
    return Sandbox(network)
