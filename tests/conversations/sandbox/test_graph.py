"""What Graph calls get from the sandbox over real HTTP: WhatsApp's answers, limits and refusals."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from conversations.sandbox.network import Network
from tests.conversations.sandbox.sides import ACCOUNT, ASHA, NUMBER, TOKEN, Graph, Receiver, error, interactive, until, wrote

# Static files are found, not collected, where the sandbox runs.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


def test_a_send_is_accepted_kept_and_reported_in_order_with_our_own_id(
    network: Network, receiver: Receiver, graph: Graph
) -> None:
    question = wrote(network, receiver)
    more = {"context": {"message_id": question}, "biz_opaque_callback_data": "row-7"}
    answer = graph.send("Rest.", to=f"+{ASHA}", **more).json()
    wamid = answer["messages"][0]["id"]
    assert answer["messaging_product"] == "whatsapp"
    assert answer["contacts"] == [{"input": f"+{ASHA}", "wa_id": ASHA}]
    until(lambda: len(receiver.statuses()) == 2)
    assert receiver.statuses() == ["sent", "delivered"]
    statuses = [each for post in receiver.posts for each in post.value.get("statuses", [])]
    assert {(each["id"], each["biz_opaque_callback_data"]) for each in statuses} == {(wamid, "row-7")}
    [kept] = network.sent_to(ASHA)
    assert (kept.text, kept.context, kept.callback) == ("Rest.", question, "row-7")


def test_a_message_is_reported_read_when_somebody_looks_at_the_chat_and_only_once(
    network: Network, receiver: Receiver, graph: Graph
) -> None:
    wrote(network, receiver)
    graph.send()
    until(lambda: network.sent_to(ASHA)[0].status == "delivered")
    for _ in range(3):
        graph.client.get("/chat/api/messages", params={"person": ASHA})
    until(lambda: "read" in receiver.statuses())
    time.sleep(0.05)
    assert receiver.statuses() == ["sent", "delivered", "read"]


def test_everything_is_read_at_once_where_that_is_asked_for(open_network: Callable[..., Network], receiver: Receiver) -> None:
    network = open_network(auto_read=True)
    wrote(network, receiver)
    body = {"messaging_product": "whatsapp", "to": ASHA, "type": "text", "text": {"body": "Rest."}}
    network.call_messages(body, token=TOKEN, phone_number_id=NUMBER)
    until(lambda: receiver.statuses() == ["sent", "delivered", "read"])


def test_the_read_call_gives_ticks_and_typing_dots_until_a_message_comes(
    network: Network, receiver: Receiver, graph: Graph
) -> None:
    wrote(network, receiver, "one")
    wamid = wrote(network, receiver, "two")
    body = {
        "messaging_product": "whatsapp",
        "status": "read",
        "message_id": wamid,
        "typing_indicator": {"type": "text"},
    }
    assert graph.post(body).json() == {"success": True}
    shown = graph.client.get("/chat/api/messages", params={"person": ASHA}).json()
    assert [each["status"] for each in shown["messages"]] == ["read", "read"]
    assert shown["typing"] is True
    graph.send()
    since = max(each["changed"] for each in shown["messages"])
    later = graph.client.get("/chat/api/messages", params={"person": ASHA, "since": since}).json()
    assert later["typing"] is False
    assert [each["mine"] for each in later["messages"]] == [False]


@pytest.mark.parametrize(("length", "expected"), [(1, 200), (4096, 200), (4097, 400), (0, 400)])
def test_a_text_may_have_1_to_4096_characters(
    network: Network, receiver: Receiver, graph: Graph, length: int, expected: int
) -> None:
    wrote(network, receiver)
    response = graph.send("é" * length)
    assert response.status_code == expected
    assert len(network.sent_to(ASHA)) == (expected == 200)
    if expected == 400:
        assert error(response) == (400, 100)


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (interactive("x" * 1024), True),
        (interactive("x" * 1025), False),
        (interactive(buttons=[("i" * 256, "t" * 20)]), True),
        (interactive(buttons=[("i" * 257, "Yes")]), False),
        (interactive(buttons=[("yes", "t" * 21)]), False),
        (interactive(buttons=[(str(n), f"Button {n}") for n in range(3)]), True),
        (interactive(buttons=[(str(n), f"Button {n}") for n in range(4)]), False),
        (interactive(buttons=[("same", "One"), ("same", "Two")]), False),
    ],
)
def test_reply_buttons_have_whatsapps_limits(
    network: Network, receiver: Receiver, graph: Graph, body: dict[str, Any], taken: bool
) -> None:
    wrote(network, receiver)
    response = graph.post(body)
    assert response.status_code == (200 if taken else 400)
    assert taken or error(response) == (400, 100)


@pytest.mark.parametrize("body", [None, [], "text", {}, {"messaging_product": "whatsapp"}, {"status": "read"}])
def test_a_body_that_is_not_a_message_is_refused_in_graphs_shape(graph: Graph, body: Any) -> None:
    assert error(graph.post(body)) == (400, 100)


def test_a_body_that_is_not_json_is_refused_in_graphs_shape(graph: Graph) -> None:
    assert error(graph.client.post(f"/v26.0/{NUMBER}/messages", content=b"{")) == (400, 100)


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer other"}, {"Authorization": f"Basic {TOKEN}"}, {}])
def test_another_token_is_refused_with_401_and_code_190(graph: Graph, headers: dict[str, str]) -> None:
    response = httpx.post(f"{graph.url}/v26.0/{NUMBER}/messages", json={}, headers=headers, trust_env=False)
    assert error(response) == (401, 190)
    assert response.json()["error"]["type"] == "OAuthException"


def test_another_phone_number_id_does_not_exist(graph: Graph) -> None:
    assert error(graph.post({}, number="123")) == (400, 100)


def test_a_free_reply_is_refused_when_the_person_has_not_written_for_24_hours(
    open_network: Callable[..., Network], receiver: Receiver
) -> None:
    now = [1_800_000_000.0]
    network = open_network(clock=lambda: now[0])
    wrote(network, receiver)
    body = {"messaging_product": "whatsapp", "to": ASHA, "type": "text", "text": {"body": "Rest."}}

    def send() -> int:
        try:
            network.call_messages(body, token=TOKEN, phone_number_id=NUMBER)
        except Exception as problem:
            return int(getattr(problem, "code", -1))
        return 0

    now[0] += 24 * 3600
    assert send() == 0
    now[0] += 1
    assert send() == 131047
    wrote(network, receiver)
    assert send() == 0


def test_a_person_who_never_wrote_cannot_be_sent_a_free_reply(graph: Graph) -> None:
    assert error(graph.send(to="919999999999")) == (400, 131047)


def test_the_number_the_subscription_and_the_token_can_be_looked_up(graph: Graph) -> None:
    number = graph.client.get(f"/v26.0/{NUMBER}", params={"fields": "verified_name,quality_rating"}).json()
    assert number == {"verified_name": "Jeevo sandbox", "quality_rating": "GREEN", "id": NUMBER}
    apps = graph.client.get(f"/v26.0/{ACCOUNT}/subscribed_apps").json()
    assert apps["data"][0]["whatsapp_business_api_data"]["name"] == "Jeevo"
    good = graph.client.get("/v26.0/debug_token", params={"input_token": TOKEN}).json()["data"]
    assert good["is_valid"]
    assert "whatsapp_business_messaging" in good["scopes"]
    assert not graph.client.get("/v26.0/debug_token", params={"input_token": "x"}).json()["data"]["is_valid"]


@pytest.mark.parametrize(
    ("kind", "starts"),
    [("image", b"\x89PNG"), ("audio", b"OggS"), ("document", b"%PDF-1.4"), ("sticker", b"RIFF")],
)
def test_a_file_of_a_person_is_looked_up_and_fetched_with_the_token(
    network: Network, receiver: Receiver, graph: Graph, kind: str, starts: bytes
) -> None:
    network.media(ASHA, kind)
    until(lambda: receiver.messages())
    part = receiver.messages()[0][kind]
    found = graph.client.get(f"/v26.0/{part['id']}").json()
    assert found["mime_type"] == part["mime_type"]
    content = graph.client.get(found["url"]).content
    assert content.startswith(starts)
    assert len(content) == found["file_size"]
    assert base64.b64encode(hashlib.sha256(content).digest()).decode() == part["sha256"]
    assert httpx.get(found["url"], trust_env=False).status_code == 401
    assert graph.client.get(found["url"].replace("hash=", "hash=0")).status_code == 404
