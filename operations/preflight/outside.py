"""What lies outside: the certificate people and WhatsApp are shown, and, where it is asked for, WhatsApp, Groq and mail.

Nothing of a patient leaves for it. Reaching a server means a handshake and no more; WhatsApp alone is asked a question.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from django.conf import settings

from conversations import whatsapp
from operations.figures import State
from operations.phrases import count
from operations.preflight import Line, good

SECONDS = 3.0
FEW_DAYS = 14
PORTS = {"https": 443, "http": 80, "smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}


def certificate(address: str, *, now: datetime, context: ssl.SSLContext | None = None) -> Line:
    """Seen as the world sees it: a name or a chain that is wrong counts as much as a date."""
    name, parts = "Certificate", urlsplit(address)
    host, port = parts.hostname or "", parts.port or 443
    try:
        plain = socket.create_connection((host, port), timeout=SECONDS)
        with plain, (context or ssl.create_default_context()).wrap_socket(plain, server_hostname=host) as wrapped:
            given = wrapped.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        said = f"The certificate of {host} is refused: {error.verify_message or 'it cannot be trusted'}."
        return Line(name, "breached", said, "Renew it, with its whole chain: WhatsApp delivers to no other.")
    except OSError:
        said = f"{host}:{port} could not be asked from here, which may be the network's way."
        return Line(name, "unknown", said, "Look at it from outside, and check PUBLIC_URL.")
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(given["notAfter"])), UTC)
    days = (until - now).days
    said = f"The certificate of {host} is good for {count(days, 'more day', 'more days')}, until {until:%d %B %Y}."
    if days < FEW_DAYS:
        return Line(name, "at_risk", said, "Renew it, and see why it was not renewed by itself.")
    return good(name, said)


def lines(*, asked: bool) -> Iterator[Line]:
    """`asked`: also those that cost a call to somebody else's server."""
    environment = settings.ENVIRONMENT
    if environment.mode == "live":
        yield certificate(environment.public_url, now=datetime.now(UTC))
    if not asked:
        return
    yield number()
    if environment.groq.api_key:
        yield reach("Reach of the language model", environment.groq.base_url)
    if environment.email_url:
        yield reach("Reach of the mail server", environment.email_url)


def number() -> Line:
    """Whether WhatsApp knows our token and our number."""
    name = "Reach of WhatsApp"
    try:
        whatsapp.look_up(settings.ENVIRONMENT.whatsapp.phone_number_id)
    except whatsapp.WhatsAppError as error:
        state: State = "breached" if error.operator else "at_risk"
        return Line(name, state, f"{error.reason}.", "Run `manage.py whatsapp check`, which says what to mend.")
    except whatsapp.Ambiguous:
        return Line(name, "at_risk", "It answered with something that cannot be read.", "Check WHATSAPP_GRAPH_URL.")
    return good(name, "The token is taken and the number is known.")


def reach(name: str, address: str) -> Line:
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 443)
    try:
        with socket.create_connection((host, port), timeout=SECONDS) as plain:
            if parts.scheme in ("https", "smtp+ssl"):
                ssl.create_default_context().wrap_socket(plain, server_hostname=host).close()
    except OSError:
        said = f"{host}:{port} cannot be reached from here."
        return Line(name, "at_risk", said, "Check the address in .env, and what the firewall lets out.")
    return good(name, f"{host}:{port} answers.")
