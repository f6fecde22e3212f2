"""Reach: name, connection, encryption and answer of WhatsApp and Groq, asked only when somebody asks."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations import llm, whatsapp
from operations import reach
from tests import groq_server
from tests.fixtures import ChangeEnvironment, forget_client
from tests.operations.lookers import a_person, table

NOW = timezone.now()


class Provider:
    """A server on this machine that answers every GET with one status, and keeps what it was asked."""

    def __init__(self) -> None:
        self.status, self.hangs, self.asked = 200, False, list[tuple[str, str]]()
        self.released = threading.Event()
        provider = self

        class Door(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append((self.path, self.headers.get("Authorization", "")))
                if provider.hangs:
                    provider.released.wait(20)
                    return
                body = b'{"id": "1", "object": "list", "data": []}'
                self.send_response(provider.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def provider(environment: ChangeEnvironment) -> Iterator[Provider]:
    made = Provider()
    environment(whatsapp={"graph_url": made.url}, groq={"base_url": made.url, "api_key": "a key"})
    groq_server.forget_client()
    cache.clear()
    yield made
    made.released.set()
    made.server.shutdown()
    made.server.server_close()
    forget_client()
    groq_server.forget_client()
    cache.clear()


def test_both_are_reached_step_by_step(provider: Provider) -> None:
    reach.ask(NOW)
    found = reach.look(NOW)
    assert (found.answer, found.state) == ("WhatsApp and Groq can be reached", "good")
    rows = table(found, "Step by step")
    assert [row[:3] for row in rows] == [
        [place, step, "good"] for place in ("WhatsApp", "Groq") for step in ("Name", "Connection", "Answer")
    ]
    assert all(row[3].endswith("ms") for row in rows)


def test_it_looks_at_our_number_and_at_the_list_of_models_and_sends_nothing(provider: Provider) -> None:
    reach.ask(NOW)
    paths = sorted(path for path, _ in provider.asked)
    assert paths == ["/openai/v1/models", "/v26.0/200000000000000?fields=id"]
    assert ("/openai/v1/models", "Bearer a key") in provider.asked


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "refuses our key"),
        (403, "refuses our key"),
        (404, "does not know"),
        (429, "limit was reached"),
        (503, "fault of its own"),
    ],
)
def test_a_status_is_said_with_what_to_do(status: int, said: str, provider: Provider) -> None:
    provider.status = status
    places = reach.ask(NOW)
    assert all(said in place.problem for place in places)
    found = reach.look(NOW)
    assert (found.answer, found.state) == ("WhatsApp and Groq cannot be used from here", "breached")


def test_one_that_does_not_answer_is_given_up_and_does_not_trip_the_breaker(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "SECONDS", 2.0)
    provider.hangs = True
    places = reach.ask(NOW)
    assert all("did not answer" in place.problem for place in places)
    assert cache.get(llm.PROBLEM) is None
    assert whatsapp.reach(seconds=0.1) is None
    assert llm.reach(seconds=0.1) is None


def test_a_closed_port_ends_the_way_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = reach.try_place("WhatsApp", f"http://127.0.0.1:{port}", lambda seconds: pytest.fail("was asked"))
    assert [step.name for step in place.steps] == ["Name", "Connection"]
    assert "refuses a connection" in place.problem


def test_a_name_that_is_none_says_so() -> None:
    place = reach.try_place("Groq", "https://nobody.invalid", lambda seconds: 200)
    assert [step.name for step in place.steps] == ["Name"]
    assert "cannot be resolved" in place.problem or "was not resolved" in place.problem


def test_without_encryption_an_https_address_goes_no_further(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "SECONDS", 1.0)
    place = reach.try_place("Groq", provider.url.replace("http:", "https:"), lambda seconds: pytest.fail("was asked"))
    assert [step.name for step in place.steps] == ["Name", "Connection", "Encryption"]
    assert place.problem == "No encrypted connection came about. A proxy in between may be the reason."


@pytest.mark.django_db
def test_nobody_is_asked_until_somebody_presses_the_button(provider: Provider, client: Client) -> None:
    client.force_login(a_person("ravi", "view_machine"))
    page = client.get(reverse("admin:troubleshooting_reach"))
    assert page.context["finding"].answer == "Not asked yet, and no call has failed"
    assert client.get(reverse("admin:troubleshooting_ask")).status_code == 405
    assert provider.asked == []
    client.post(reverse("admin:troubleshooting_ask"))
    assert client.get(reverse("admin:troubleshooting_reach")).context["finding"].state == "good"
    assert len(provider.asked) == 2


@pytest.mark.django_db
def test_within_a_minute_ten_people_cost_one_look(provider: Provider, client: Client) -> None:
    client.force_login(a_person("ravi", "view_machine"))
    for _ in range(10):
        client.post(reverse("admin:troubleshooting_ask"))
    assert len(provider.asked) == 2


def test_without_a_key_groq_is_not_asked(provider: Provider, environment: ChangeEnvironment) -> None:
    environment(groq={"api_key": ""})
    assert [place.name for place in reach.ask(NOW)] == ["WhatsApp"]
    assert any("No Groq key" in sentence for sentence in reach.look(NOW).said)


def test_the_last_failures_are_said_with_what_they_mean(provider: Provider) -> None:
    cache.set("whatsapp:problem", {"code": 190, "reason": "The access token has expired", "since": NOW.isoformat()})
    found = reach.look(NOW)
    assert (found.answer, found.state) == ("Trouble with WhatsApp", "at_risk")
    ((place, reason, code, _, meaning),) = table(found, "What the last calls ran into")
    assert (place, reason, code) == ("WhatsApp", "The access token has expired", "190")
    assert meaning.startswith("Messages wait")


def test_the_clients_are_those_that_answer_people(provider: Provider) -> None:
    reach.ask(NOW)
    assert whatsapp._client.cache_info().currsize == 1
    assert llm._client(os.getpid()).max_retries == 0
