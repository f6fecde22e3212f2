"""The page and the controls of the sandbox, who may use them, and where it does not start."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, cast

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.test import RequestFactory
from django.utils import timezone

from conversations.models import InboundMessage
from conversations.sandbox import chat, checks, control, server
from conversations.sandbox.network import Network
from jeevo.fields import keyed_hash
from tests.conversations.sandbox.sides import ASHA, Graph, Receiver, until

# Static files are found, not collected, where the sandbox runs.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


def test_tests_can_write_as_a_person_and_ask_how_often_somebody_was_sent_what(
    network: Network, receiver: Receiver, graph: Graph
) -> None:
    written = graph.client.post("/sandbox/inbound", json={"from": f"+{ASHA}", "text": "hello"})
    assert written.json()["wamid"].startswith("wamid.")
    until(lambda: receiver.messages())
    graph.send("one")
    graph.send("one")
    found = graph.client.get("/sandbox/sent", params={"to": ASHA}).json()
    assert found["count"] == 2
    assert [each["text"] for each in found["messages"]] == ["one", "one"]
    assert graph.client.get("/sandbox/sent", params={"to": "910000010002"}).json()["count"] == 0
    counts = graph.client.get("/sandbox/counts").json()
    assert (counts["inbound"], counts["sent"], counts["sent_to"]) == (1, 2, {ASHA: 2})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("inbound", {"from": "abc", "text": "hello"}),
        ("inbound", {"from": ASHA, "text": ""}),
        ("inbound", {"from": ASHA, "kind": "hologram"}),
        ("inbound", {"from": ASHA, "press": "x", "message": "wamid.none"}),
        ("inbound", ["hello"]),
        ("faults", {"name": "gremlins", "on": True}),
        ("faults", {"name": "slow", "on": "yes"}),
        ("faults", {"name": "slow", "on": True, "value": 9999}),
        ("faults", {"name": "slow", "on": True, "remaining": 0}),
    ],
)
def test_a_wrong_control_call_is_told_what_is_wrong_and_changes_nothing(
    network: Network, graph: Graph, path: str, body: Any
) -> None:
    response = graph.client.post(f"/sandbox/{path}", json=body)
    assert response.status_code == 400
    assert response.json()["problem"].endswith(".")
    assert network.counts()["inbound"] == 0
    assert not any(row["on"] for row in network.faults.rows())


def test_faults_are_switched_on_and_all_off_over_http(network: Network, graph: Graph) -> None:
    graph.client.post("/sandbox/faults", json={"name": "down", "on": True, "remaining": 5})
    assert graph.send().status_code == 503
    rows = graph.client.post("/sandbox/faults", json={"all": False}).json()["faults"]
    assert not any(row["on"] for row in rows)
    assert network.faults.take("down") is None


def test_a_form_of_another_site_cannot_control_the_sandbox(network: Network, graph: Graph) -> None:
    body = json.dumps({"from": ASHA, "text": "hello"})
    response = graph.client.post("/sandbox/inbound", content=body, headers={"Content-Type": "text/plain"})
    assert response.status_code == 400
    assert network.counts()["inbound"] == 0


def test_only_callers_on_this_machine_may_control_the_sandbox(network: Network, rf: RequestFactory) -> None:
    request = rf.get("/sandbox/counts", REMOTE_ADDR="10.0.0.8")
    cast(Any, request).network = network
    assert control.counts(request).status_code == 403


def test_the_page_has_nothing_inline_and_its_policy_forbids_it(graph: Graph) -> None:
    response = graph.client.get("/")
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = response.text
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    assert all("src=" in each for each in re.findall(r"<script[^>]*>", page))
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        assert graph.client.get(address).status_code == 200


def test_the_page_writes_only_with_djangos_token(graph: Graph, receiver: Receiver) -> None:
    body = {"from": ASHA, "text": "hello"}
    assert graph.client.post("/chat/api/send", json=body).status_code == 403
    graph.client.get("/")
    token = {"X-CSRFToken": graph.client.cookies["csrftoken"]}
    assert graph.client.post("/chat/api/send", json=body, headers=token).status_code == 200
    until(lambda: receiver.messages())
    person = graph.client.post("/chat/api/people", json={}, headers=token).json()["person"]
    people = graph.client.get("/chat/api/people").json()["people"]
    assert person in people


def inside_of(network: Network, rf: RequestFactory, wamid: str) -> dict[str, Any]:
    request = rf.get("/chat/api/inside", {"wamid": wamid})
    cast(Any, request).network = network
    found: dict[str, Any] = json.loads(chat.inside_of(request).content)
    return found


@pytest.mark.django_db
def test_the_page_shows_the_steps_of_a_message_once_jeevo_has_stored_it(network: Network, rf: RequestFactory) -> None:
    assert inside_of(network, rf, "wamid.X") == {"steps": [], "problem": ""}
    now = timezone.now()
    InboundMessage.objects.create(wamid_key=keyed_hash("wamid.X"), sender_key="k", kind="text", sent_at=now, received_at=now)
    steps = inside_of(network, rf, "wamid.X")["steps"]
    assert (steps[0]["name"], steps[0]["state"], steps[0]["milliseconds"]) == ("stored", "done", 0)


@pytest.mark.django_db
def test_the_page_says_so_when_jeevos_database_is_away(
    network: Network, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(InboundMessage.objects, "filter", away)
    found = inside_of(network, rf, "wamid.X")
    assert found["steps"] == []
    assert found["problem"].startswith("Jeevo's database does not answer.")


def test_the_sandbox_does_not_start_in_live_mode(settings: Any) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, mode="live")
    with pytest.raises(ImproperlyConfigured, match="JEEVO_MODE=live"):
        server.from_settings()


@pytest.mark.parametrize(
    ("mode", "url", "errors"),
    [
        ("live", "http://127.0.0.1:8001", 1),
        ("live", "http://localhost:8001", 1),
        ("live", "http://[::1]:8001", 1),
        ("live", "https://graph.facebook.com", 0),
        ("sandbox", "http://127.0.0.1:8001", 0),
    ],
)
def test_live_mode_with_graph_on_this_machine_is_a_system_check_error(settings: Any, mode: str, url: str, errors: int) -> None:
    whatsapp = replace(settings.ENVIRONMENT.whatsapp, graph_url=url)
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, mode=mode, whatsapp=whatsapp)
    assert len(checks.sandbox_is_not_live(None)) == errors
