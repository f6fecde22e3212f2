"""Calls to the web on real sockets: what is refused before a connection, and endpoints that hang, drip, redirect or lie."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from operations import outbound
from operations.outbound import Refused, Unreachable
from tests.fixtures import ChangeEnvironment
from tests.receiver import Receiver, receiving

HERE = ("127.0.0.0/8",)
PRIVATE = "private network"


@pytest.fixture
def receiver(environment: ChangeEnvironment) -> Iterator[Receiver]:
    """An endpoint that may be called, because the deployment names its network."""
    environment(subscriber_networks=HERE)
    with receiving() as server:
        yield server


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(outbound, "ANSWER_SECONDS", 0.3)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate for localhost that nobody signed, and its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    chain, secret = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(chain), str(secret)


@pytest.fixture
def trusted(certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    outbound._certificates.cache_clear()
    yield certificate
    outbound._certificates.cache_clear()


def answers(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """A name server that says something else each time; the names it was asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host)[:1].isdigit():
            return real(host, port, *args, **kwargs)
        asked.append(str(host))
        address = addresses[min(len(asked), len(addresses)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_body_arrives_as_it_was_given_with_the_name_of_the_host(receiver: Receiver) -> None:
    assert outbound.post(receiver.url + "?a=b", b'{"a": 1}', headers={"X-Jeevo-Delivery": "7"}) == 200
    (call,) = receiver.calls
    assert (call.method, call.path, call.body) == ("POST", "/hook?a=b", b'{"a": 1}')
    assert call.headers["Host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["X-Jeevo-Delivery"] == "7"


@pytest.mark.parametrize("status", [201, 302, 404, 410, 500])
def test_the_status_is_told_and_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.statuses, receiver.headers = [status], {"Location": "http://169.254.169.254/latest/meta-data"}
    assert outbound.post(receiver.url, b"{}", headers={}) == status
    assert len(receiver.calls) == 1


INNER = ["http://127.0.0.1:8000/", "https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/"]
INNER += ["https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/", "https://localhost/", "https://0/"]


@pytest.mark.parametrize("url", INNER)
def test_an_address_inside_is_refused_however_it_is_written(url: str) -> None:
    with pytest.raises(Refused, match=PRIVATE):
        outbound.post(url, b"{}", headers={})
    assert PRIVATE in outbound.problem_with(url)


SPELLED = [
    ("ftp://example.org/", "https://"),
    ("file:///etc/passwd", "https://"),
    ("gopher://127.0.0.1:6379/_FLUSHALL", "https://"),
    ("example.org/hook", "https://"),
    ("https://", "https://"),
    ("https://name:secret@8.8.8.8/", "name and the password"),
    ("https://8.8.8.8@127.0.0.1/", "name and the password"),
    ("https://8.8.8.8:22/", "port"),
    ("https://8.8.8.8:25/", "port"),
    ("http://8.8.8.8/", "https://"),
    ("https://exam\nple.org/", "not an address"),
    ("https://8.8.8.8:99999999/", "port"),
    ("https://0177.0.0.1/", "not an address"),
]


@pytest.mark.parametrize(("url", "said"), SPELLED)
def test_an_address_that_is_none_or_says_too_much_is_refused(url: str, said: str) -> None:
    assert said in outbound.problem_with(url)
    with pytest.raises(Refused):
        outbound.post(url, b"{}", headers={})


def test_a_public_address_has_no_problem() -> None:
    assert outbound.problem_with("https://8.8.8.8/hook") == ""
    assert outbound.problem_with("https://8.8.8.8:8443/hook") == ""


def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "10.0.0.5")
    with pytest.raises(Refused, match=PRIVATE):
        outbound.post("https://hooks.example.org/", b"{}", headers={})


def test_a_name_is_asked_once_and_called_where_it_led(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that says a public address to the check and a private one to the connection gains nothing."""
    asked = answers(monkeypatch, "127.0.0.1", "10.255.255.1")
    assert outbound.post(f"http://hooks.example.org:{receiver.port}/hook", b"{}", headers={}) == 200
    assert asked == ["hooks.example.org"]
    assert receiver.calls[0].headers["Host"] == f"hooks.example.org:{receiver.port}"


def test_a_name_that_nobody_knows_is_said_so() -> None:
    assert outbound.problem_with("https://no-such-name.invalid/") == "The name of the server could not be found."


@pytest.mark.parametrize("way", ["hang", "drip"])
def test_an_endpoint_that_is_slow_ends_in_time(receiver: Receiver, hasty: None, way: str) -> None:
    receiver.way = way
    started = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        outbound.post(receiver.url, b"{}", headers={})
    assert time.monotonic() - started < 3


def test_a_huge_answer_is_not_read(receiver: Receiver) -> None:
    receiver.way = "huge"
    assert outbound.post(receiver.url, b"{}", headers={}) == 200
    # What fits into the buffers of the sockets, and no more.
    assert receiver.sent_bytes < 16 * 1024 * 1024


def test_nobody_at_the_port_is_said_so(environment: ChangeEnvironment) -> None:
    environment(subscriber_networks=HERE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(Unreachable, match="could not be reached"):
            outbound.post(url, b"{}", headers={})


def test_what_speaks_no_http_is_said_so(environment: ChangeEnvironment) -> None:
    environment(subscriber_networks=HERE)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def speak() -> None:
            line, _ = server.accept()
            with line:
                line.recv(4096)
                line.sendall(b"220 mail.example.org ESMTP\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(Unreachable, match="without an answer"):
            outbound.post(url, b"{}", headers={})
        thread.join()


def test_a_certificate_that_nobody_signed_is_not_trusted(environment: ChangeEnvironment, certificate: tuple[str, str]) -> None:
    environment(subscriber_networks=HERE)
    with receiving(certificate) as server, pytest.raises(Unreachable, match="certificate"):
        outbound.post(f"https://127.0.0.1:{server.port}/", b"{}", headers={})
    assert server.calls == []


def test_a_trusted_certificate_must_be_for_the_name(environment: ChangeEnvironment, trusted: tuple[str, str]) -> None:
    """The connection goes to a number, and the certificate is still checked for the name."""
    environment(subscriber_networks=(*HERE, "::1/128"))
    with receiving(trusted) as server:
        assert outbound.post(f"https://localhost:{server.port}/", b"{}", headers={}) == 200
        with pytest.raises(Unreachable, match="certificate"):
            outbound.post(f"https://127.0.0.1:{server.port}/", b"{}", headers={})
    assert len(server.calls) == 1


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert outbound.post(receiver.url, b"{}", headers={}) == 200


def test_the_outside_ping_says_whether_it_was_heard() -> None:
    """Its address comes from the settings, so it may lie inside."""
    with receiving() as server:
        assert outbound.get(server.url, timeout=2) is True
        server.statuses = [500]
        assert outbound.get(server.url, timeout=2) is False
        server.way = "drip"
        assert outbound.get(server.url, timeout=2) is False
        assert [call.method for call in server.calls] == ["GET"] * 3
    assert outbound.get(server.url, timeout=0.3) is False
    assert outbound.get("https://no-such-name.invalid/", timeout=1) is False
    assert outbound.get("not an address", timeout=1) is False
