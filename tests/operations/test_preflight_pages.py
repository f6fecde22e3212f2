"""The checklist as a command, at a start and in the console; and what lies outside, against servers of this machine."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from operations.preflight import outside
from tests.factories import staff
from tests.fakes import Graph
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


# ---- the command


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_says_each_line_and_ends_well() -> None:
    said = StringIO()
    call_command("preflight", stdout=said)
    assert "good  Database: PostgreSQL 18" in said.getvalue()
    assert said.getvalue().splitlines()[-1].startswith(("Jeevo can do", "Everything is here"))


def test_as_json_it_is_one_object_with_every_line() -> None:
    said = StringIO()
    call_command("preflight", "--json", stdout=said)
    found = json.loads(said.getvalue())
    assert set(found) == {"state", "said", "at", "ms", "lines"}
    assert all(set(line) == {"name", "state", "said", "remedy"} for line in found["lines"])


def test_something_wrong_ends_with_one(settings: Settings) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("preflight", stdout=said)
    assert ended.value.code == 1
    assert said.getvalue().startswith("WRONG Valkey: It cannot be reached.")


def test_with_both_servers_away_it_speaks_all_the_same() -> None:
    away = {"DATABASE_URL": "postgresql://jeevo:hunter2@127.0.0.1:1/jeevo", "REDIS_URL": "redis://127.0.0.1:1"}
    done = manage("preflight", "--json", **away)
    assert done.returncode == 1
    states = {line["name"]: line["state"] for line in json.loads(done.stdout)["lines"]}
    assert (states["Database"], states["Valkey"], states["Settings"]) == ("breached", "breached", "good")
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_with_wrong_variables_it_names_them_and_shows_no_traceback() -> None:
    done = manage("preflight", WEB_PORT="a lot", BURST_SECONDS="never")
    assert done.returncode == 1
    assert "WEB_PORT: must be a number" in done.stderr
    assert "Traceback" not in done.stderr
    done = manage("preflight", "--json", WEB_PORT="a lot", BURST_SECONDS="never")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert {line["name"] for line in found["lines"]} == {"Setting WEB_PORT", "Setting BURST_SECONDS"}
    assert {line["state"] for line in found["lines"]} == {"breached"}


def test_preparing_says_what_is_not_well_and_stops_for_none_of_it(settings: Settings, environment: ChangeEnvironment) -> None:
    environment(secret_key="hunter2", serve_starter_content=False)
    said = StringIO()
    call_command("prepare", stdout=said)
    lines = said.getvalue().splitlines()
    assert "RISK  Secrets: SECRET_KEY: short or easy to guess." in lines
    assert not [line for line in lines if line.startswith(("good", "?"))]
    assert lines[-1].startswith("Jeevo can do its work")


# ---- the page


@pytest.fixture
def reader(client: Client) -> Client:
    person = staff()
    person.user_permissions.add(Permission.objects.get(codename="view_machine"))
    client.force_login(person)
    return client


def test_the_page_shows_the_lines_worst_first(reader: Client, settings: Settings) -> None:
    settings.BROKER_URL = "redis://:hunter2@127.0.0.1:1/0"
    page = reader.get("/admin/operations/preflight/")
    text = page.content.decode()
    assert page.status_code == 200
    assert text.index("Valkey</h2>") < text.index("<details") < text.index("Database</h2>")
    assert "1 thing keeps Jeevo from doing its work." in text
    assert "hunter2" not in text
    assert "no-cache" in page.headers["Cache-Control"]


def test_what_is_to_be_typed_stands_out_on_the_page(reader: Client, environment: ChangeEnvironment) -> None:
    environment(secret_key="<b>hunter2</b>")
    text = reader.get("/admin/operations/preflight/").content.decode()
    assert "<code>python -m jeevo.environment</code>" in text
    assert "hunter2" not in text


def test_the_page_calls_nobody_outside_unless_it_is_asked_to(reader: Client, graph: Graph) -> None:
    assert "Reach of WhatsApp" not in reader.get("/admin/operations/preflight/").content.decode()
    assert "Reach of WhatsApp" in reader.get("/admin/operations/preflight/", {"outside": "1"}).content.decode()


def test_the_page_is_for_those_who_may_look_at_the_machine(client: Client) -> None:
    client.force_login(staff("asha"))
    assert client.get("/admin/operations/preflight/").status_code == 403


# ---- outside


class Node(BaseHTTPRequestHandler):
    """A Graph API that is asked about a number."""

    reply: tuple[int, bytes] = (200, b"{}")

    def do_GET(self) -> None:
        self.send_response(self.reply[0])
        self.send_header("Content-Length", str(len(self.reply[1])))
        self.end_headers()
        self.wfile.write(self.reply[1])

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def node(environment: ChangeEnvironment) -> Iterator[type[Node]]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Node) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        environment(whatsapp={"graph_url": f"http://127.0.0.1:{server.server_port}"})
        yield Node
        server.shutdown()
        thread.join()


def test_a_token_that_whatsapp_refuses_is_the_end_and_a_fault_of_its_own_a_risk(node: type[Node]) -> None:
    node.reply = (200, b'{"id": "1", "verified_name": "Helpline"}')
    assert outside.number().state == "good"
    node.reply = (401, b'{"error": {"code": 190, "message": "expired"}}')
    assert outside.number().state == "breached"
    node.reply = (503, b'{"error": {"code": 131016, "message": "busy"}}')
    assert outside.number().state == "at_risk"


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Any]:
    """`tls(days)`: the address of a server whose certificate is good for so long, and a context that trusts its maker."""
    listening: list[socket.socket] = []

    def serve(days: float, name: str = "localhost") -> tuple[str, ssl.SSLContext]:
        certificate, key = _certificate(name, NOW + days * DAY)
        (tmp_path / "tls.pem").write_bytes(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.pem")
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)
        address = f"https://localhost:{server.getsockname()[1]}"
        threading.Thread(target=_greet, args=(server, context), daemon=True).start()
        return address, ssl.create_default_context(cadata=certificate.decode())

    yield serve
    for each in listening:
        each.close()


def _greet(server: socket.socket, context: ssl.SSLContext) -> None:
    """One caller; whoever does not trust us hangs up in the middle."""
    with suppress(OSError), context.wrap_socket(server, server_side=True) as wrapped:
        wrapped.accept()[0].close()


def _certificate(name: str, until: datetime) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(called).issuer_name(called).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(NOW - 90 * DAY).not_valid_after(until)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    signed = made.sign(key, hashes.SHA256())
    kind = serialization.PrivateFormat.TraditionalOpenSSL
    plain = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    return signed.public_bytes(serialization.Encoding.PEM), plain


@pytest.mark.parametrize(("days", "state"), [(60, "good"), (5, "at_risk"), (-1, "breached")])
def test_a_certificate_is_told_in_days(tls: Any, days: int, state: str) -> None:
    address, context = tls(days)
    line = outside.certificate(address, now=NOW - timedelta(minutes=1), context=context)
    assert line.state == state, line
    assert days < 0 or f"{days} more days" in line.said


def test_a_certificate_of_another_name_or_maker_is_refused(tls: Any) -> None:
    address, context = tls(60, name="another.example.org")
    assert outside.certificate(address, now=NOW, context=context).state == "breached"
    address, _ = tls(60)
    assert outside.certificate(address, now=NOW).state == "breached"


def test_an_address_that_cannot_be_asked_from_here_is_unknown() -> None:
    assert outside.certificate("https://127.0.0.1:1", now=NOW).state == "unknown"
    assert outside.reach("Reach of the mail server", "smtp+tls://127.0.0.1:1").state == "at_risk"
