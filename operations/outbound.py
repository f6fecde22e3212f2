"""The only door of operations to the web: webhooks of subscribers, and the outside ping.

A webhook is resolved once and called at the very address that was checked, so that a name cannot change its mind in
between. No redirect is followed, no proxy of the environment is used, the body of an answer is never read, and every
call ends in time however slowly the other side speaks.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import httpcore
import httpx
from django.conf import settings

from operations import networks

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 5.0
# Ports of the web; anything else below 1024 belongs to mail, remote shells and the like.
WEB_PORTS = {80, 443}


class Refused(Exception):
    """This address is never called; the message says why, for whoever entered it."""


class Unreachable(Exception):
    """No answer came, this time; the message says what was seen, without the words of the error."""


def post(url: str, body: bytes, *, headers: Mapping[str, str]) -> int:
    """The status of the answer. Raises Refused, or Unreachable."""
    target = _target(url)
    sent = {"Content-Type": "application/json", "Content-Length": str(len(body)), "User-Agent": "Jeevo"} | dict(headers)
    return _call("POST", target, sent, body, seconds=CONNECT_SECONDS + ANSWER_SECONDS, checked=True)


def get(url: str, *, timeout: float) -> bool:
    """Whether the address answered well. It comes from the settings, so it may lie anywhere. Never raises for the network."""
    try:
        target = httpx.URL(url)
        return 200 <= _call("GET", target, {"User-Agent": "Jeevo"}, b"", seconds=timeout, checked=False) < 300
    except (httpx.InvalidURL, Unreachable):
        return False


def problem_with(url: str) -> str:
    """Why a webhook may not be at this address, as a sentence; empty when it may."""
    try:
        target = _target(url)
        _reachable(target.raw_host.decode(), _port(target), secure=target.scheme == "https")
    except (Refused, Unreachable) as problem:
        return str(problem)
    return ""


def _target(url: str) -> httpx.URL:
    """One parser reads the address for the check and for the call."""
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL:
        raise Refused("This is not an address of the web.") from None
    if target.scheme not in ("https", "http") or not target.host:
        raise Refused("The address must begin with https://")
    if target.userinfo:
        raise Refused("Leave the name and the password out of the address: a signature proves who is calling.")
    if _port(target) not in WEB_PORTS and not 1024 <= _port(target) <= 65535:
        raise Refused("This port is not one of the web. Use 443, or one from 1024 up.")
    return target


def _port(target: httpx.URL) -> int:
    return target.port or (443 if target.scheme == "https" else 80)


def _reachable(host: str, port: int, *, secure: bool) -> list[str]:
    """The addresses behind a name, all of them checked: one that is private refuses the name."""
    allowed = settings.ENVIRONMENT.subscriber_networks
    found = _resolve(host, port)
    if not all(networks.may_reach(address, allowed) for address in found):
        raise Refused("The address lies in a private network. SUBSCRIBER_NETWORKS names those that may be called.")
    if not secure and not all(networks.inside(address, allowed) for address in found):
        raise Refused("The address must begin with https://, so that nobody reads along.")
    return found


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreachable("The name of the server could not be found.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _Door(httpcore.NetworkBackend):
    """Connects to an address that was checked, and to no other; the name stays for the certificate and the Host header."""

    def __init__(self, until: float, *, checked: bool, secure: bool) -> None:
        self._until, self._checked, self._secure = until, checked, secure
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        found = _reachable(host, port, secure=self._secure) if self._checked else _resolve(host, port)
        failed: Exception = httpcore.ConnectError()
        for address in found[:2]:
            try:
                line = self._plain.connect_tcp(address, port, timeout=min(CONNECT_SECONDS, left(self._until)))
                return _Line(line, self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed


class _Line(httpcore.NetworkStream):
    """A connection that ends at one moment: a side that drips a byte now and then would never run into a pause."""

    def __init__(self, line: httpcore.NetworkStream, until: float) -> None:
        self._line, self._until = line, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._line.read(max_bytes, left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._line.write(buffer, left(self._until))

    def close(self) -> None:
        self._line.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = min(CONNECT_SECONDS, left(self._until))
        return _Line(self._line.start_tls(ssl_context, server_hostname, seconds), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._line.get_extra_info(info)


def left(until: float) -> float:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout
    return seconds


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return httpcore.default_ssl_context()


def _call(method: str, target: httpx.URL, headers: Mapping[str, str], body: bytes, *, seconds: float, checked: bool) -> int:
    until = time.monotonic() + seconds
    door = _Door(until, checked=checked, secure=target.scheme == "https")
    url = httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)
    sent = [("Host", target.netloc.decode()), ("Connection", "close"), *headers.items()]
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_certificates(), max_connections=1, network_backend=door) as pool,
            pool.stream(method, url, headers=sent, content=body) as answer,
        ):
            return answer.status
    except httpcore.TimeoutException:
        raise Unreachable("The server did not answer in time.") from None
    except httpcore.ConnectError as error:
        raise Unreachable(_not_connected(error)) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol):
        raise Unreachable("The server closed the connection without an answer.") from None


def _not_connected(error: httpcore.ConnectError) -> str:
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "The server showed a certificate that is not valid for its name."
    if isinstance(cause, ssl.SSLError):
        return "No safe connection to the server could be made."
    return "The server could not be reached."
