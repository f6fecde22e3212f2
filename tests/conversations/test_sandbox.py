"""The sandbox over real HTTP: what it posts to Jeevo, what Graph calls get, and each of its faults."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import OperationalError
from django.test import RequestFactory
from django.utils import timezone

from conversations import webhook
from conversations.models import InboundMessage
from conversations.sandbox import chat, checks, control, server
from conversations.sandbox.network import Network
from jeevo.fields import keyed_hash

SECRET, TOKEN, NUMBER, ACCOUNT = "app-secret", "sandbox-token", "200000000000000", "100000000000000"
ASHA = "910000010001"
# Static files are found, not collected, where the sandbox runs.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


@dataclass
class Post:
    body: bytes
    signature: str
    connection: int
    at: float

    @property
    def value(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)["entry"][0]["changes"][0]["value"]
        return value


@dataclass
class Receiver:
    """Stands where Jeevo's webhook stands. `answers` are the next status codes; then 200.

    With `meet`, no post is answered before as many are there at the same time.
    """

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    meet: threading.Barrier | None = None

    def statuses(self) -> list[str]:
        return [each["status"] for post in list(self.posts) for each in post.value.get("statuses", [])]

    def messages(self) -> list[dict[str, Any]]:
        return [each for post in list(self.posts) for each in post.value.get("messages", [])]


class Graph:
    """A caller of the sandbox's Graph API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5, trust_env=False)

    def post(self, body: Any, *, number: str = NUMBER, **options: Any) -> httpx.Response:
        return self.client.post(f"/v26.0/{number}/messages", json=body, **options)

    def send(self, text: str = "Drink water.", to: str = ASHA, **more: Any) -> httpx.Response:
        return self.post({"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": text}} | more)


def until(true: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.posts.append(Post(body, self.headers["X-Hub-Signature-256"], self.client_address[1], time.monotonic()))
            if made.meet:
                made.meet.wait(timeout=8)
            self.send_response(made.answers.pop(0) if made.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    made.url = f"http://127.0.0.1:{http.server_port}/webhook/whatsapp/"
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    http.shutdown()
    http.server_close()


@pytest.fixture
def open_network(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[..., Network]]:
    made: list[Network] = []

    def make(**options: Any) -> Network:
        quick: dict[str, Any] = {"status_wait": (0.001, 0.005), "backoff": (0.05, 1.0)}
        path = tmp_path / "sandbox.sqlite3"
        made.append(Network(path, receiver.url, SECRET, TOKEN, NUMBER, business_account_id=ACCOUNT, **quick | options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def network(open_network: Callable[..., Network]) -> Network:
    return open_network()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[server.Sandbox, str]]:
    """One for all tests, because making it looks through every static file; each test sets its network."""
    sandbox = server.Sandbox(cast(Network, None))
    http = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler, allow_reuse_address=False)
    http.daemon_threads = True
    http.set_app(sandbox)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield sandbox, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.fixture
def graph(network: Network, served: tuple[server.Sandbox, str]) -> Iterator[Graph]:
    sandbox, url = served
    sandbox.network = network
    made = Graph(url)
    yield made
    made.client.close()


def wrote(network: Network, receiver: Receiver, text: str = "hello", phone: str = ASHA) -> str:
    """A message of a person that Jeevo has taken, so that the 24-hour window is open."""
    before = len(receiver.messages())
    wamid = network.text(phone, text)
    until(lambda: len(receiver.messages()) > before and network.store.counts()["webhooks_waiting"] == 0)
    return wamid


def error(response: httpx.Response) -> tuple[int, int]:
    body = response.json()["error"]
    assert {"message", "type", "code", "fbtrace_id"} <= set(body)
    return response.status_code, body["code"]


# What is posted to Jeevo


def test_the_signature_is_right_on_the_raw_bytes_and_wrong_on_the_same_json_written_again(
    network: Network, receiver: Receiver
) -> None:
    network.text(ASHA, "बुखार / fever ✓")
    until(lambda: receiver.posts)
    post = receiver.posts[0]
    assert post.signature == "sha256=" + hmac.new(SECRET.encode(), post.body, hashlib.sha256).hexdigest()
    assert webhook.verify_signature(post.body, post.signature, [SECRET])
    again = json.dumps(json.loads(post.body), separators=(",", ":")).encode()
    assert not webhook.verify_signature(again, post.signature, [SECRET])


def test_a_text_arrives_in_the_envelope_of_the_cloud_api(network: Network, receiver: Receiver) -> None:
    wamid = network.text(ASHA, "I have a fever", name="Asha")
    until(lambda: receiver.posts)
    value = receiver.posts[0].value
    assert value["metadata"]["phone_number_id"] == NUMBER
    contact = value["contacts"][0]
    assert (contact["wa_id"], contact["profile"]["name"]) == (ASHA, "Asha")
    [found] = webhook.parse(receiver.posts[0].body)
    assert isinstance(found, webhook.Inbound)
    assert (found.wamid, found.phone, found.user_id) == (wamid, ASHA, contact["user_id"])
    assert (found.text, found.ignored) == ("I have a fever", "")


def test_message_ids_are_unique_and_hold_the_number_as_metas_do(network: Network) -> None:
    made = {network.text(ASHA, "hello") for _ in range(20)}
    assert len(made) == 20
    assert all(ASHA.encode() in base64.b64decode(each.removeprefix("wamid.")) for each in made)


def test_a_person_without_a_shown_number_is_known_by_user_id_and_can_be_answered(
    network: Network, receiver: Receiver, graph: Graph
) -> None:
    network.text(ASHA, "hello", phone_known=False)
    until(lambda: receiver.posts)
    [found] = webhook.parse(receiver.posts[0].body)
    assert isinstance(found, webhook.Inbound)
    assert found.phone == ""
    body = {
        "messaging_product": "whatsapp",
        "recipient": found.user_id,
        "type": "text",
        "text": {"body": "Hello."},
    }
    assert graph.post(body).status_code == 200
    assert [each.text for each in network.sent_to(ASHA)] == ["Hello."]


def test_a_webhook_that_is_refused_is_posted_again_with_growing_waits_until_it_is_taken(
    network: Network, receiver: Receiver
) -> None:
    receiver.answers = [500, 302, 201]
    wamid = network.text(ASHA, "hello")
    until(lambda: network.counts()["webhooks_waiting"] == 0)
    assert len(receiver.posts) == 4
    assert len({post.body for post in receiver.posts}) == 1
    waits = [later.at - earlier.at for earlier, later in zip(receiver.posts, receiver.posts[1:], strict=False)]
    assert waits[0] >= 0.05
    assert waits[1] >= 0.1
    assert waits[2] >= 0.2
    after = network.store.message(wamid)
    assert after is not None
    assert after.status == "delivered"
    time.sleep(0.1)
    assert len(receiver.posts) == 4


def test_the_chat_and_what_was_not_taken_survive_a_restart(open_network: Callable[..., Network], receiver: Receiver) -> None:
    first = open_network(backoff=(30.0, 60.0))
    receiver.answers = [500]
    wamid = first.text(ASHA, "hello")
    until(lambda: first.courier.posted == 1)
    first.faults.switch("down", on=True, remaining=3)
    first.close()
    second = open_network()
    kept = [(each.wamid, each.text, each.status) for each in second.store.messages(ASHA)]
    assert kept == [(wamid, "hello", "sent")]
    assert second.counts()["webhooks_waiting"] == 1
    assert next(row for row in second.faults.rows() if row["name"] == "down")["remaining"] == 3


def test_a_webhook_that_is_due_is_posted_by_the_next_process(open_network: Callable[..., Network], receiver: Receiver) -> None:
    first = open_network(backoff=(0.3, 1.0))
    receiver.answers = [500]
    first.text(ASHA, "hello")
    until(lambda: first.courier.posted == 1)
    first.close()
    open_network()
    until(lambda: len(receiver.posts) == 2)
    assert receiver.posts[0].body == receiver.posts[1].body


def test_pressing_a_button_posts_its_id_and_the_message_it_belongs_to(network: Network, receiver: Receiver, graph: Graph) -> None:
    wrote(network, receiver)
    sent = graph.post(interactive(buttons=[("helpful:1", "Helpful"), ("person:1", "Talk to a person")])).json()
    wamid = sent["messages"][0]["id"]
    network.press(ASHA, wamid, "person:1")
    until(lambda: len(receiver.messages()) == 2)
    message = receiver.messages()[-1]
    assert message["interactive"] == {
        "type": "button_reply",
        "button_reply": {"id": "person:1", "title": "Talk to a person"},
    }
    assert message["context"]["id"] == wamid


# What Graph calls get


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


def interactive(text: str = "An answer", buttons: list[tuple[str, str]] | None = None) -> dict[str, Any]:
    replies = [{"type": "reply", "reply": {"id": key, "title": title}} for key, title in buttons or [("a", "A")]]
    part = {"type": "button", "body": {"text": text}, "action": {"buttons": replies}}
    return {"messaging_product": "whatsapp", "to": ASHA, "type": "interactive", "interactive": part}


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


# Faults


def test_pair_rate_refuses_once_and_sends_nothing_then_the_next_try_passes(
    network: Network, receiver: Receiver, graph: Graph
) -> None:
    wrote(network, receiver)
    network.faults.switch("pair_rate", on=True, remaining=1)
    assert error(graph.send()) == (400, 131056)
    assert network.sent_to(ASHA) == []
    assert graph.send().status_code == 200
    assert len(network.sent_to(ASHA)) == 1


@pytest.mark.parametrize("hold", [0, 30])
def test_a_timeout_after_accepting_delivers_once_and_never_answers(
    network: Network, receiver: Receiver, graph: Graph, hold: float
) -> None:
    wrote(network, receiver)
    network.faults.switch("timeout_after_accept", on=True, value=hold)
    graph.client.timeout = httpx.Timeout(0.5)
    with pytest.raises((httpx.ReadTimeout, httpx.RemoteProtocolError)):
        graph.send(biz_opaque_callback_data="row-1")
    until(lambda: receiver.statuses() == ["sent", "delivered"])
    assert [each.callback for each in network.sent_to(ASHA)] == ["row-1"]


def test_duplicate_webhooks_come_twice_at_the_same_instant_on_two_connections(network: Network, receiver: Receiver) -> None:
    network.faults.switch("duplicate_webhooks", on=True)
    receiver.meet = threading.Barrier(2)
    network.text(ASHA, "hello")
    until(lambda: network.counts()["webhooks_waiting"] == 0, seconds=10)
    one, two = receiver.posts
    assert one.body == two.body
    assert one.connection != two.connection
    assert not receiver.meet.broken


def test_reordered_webhooks_come_backwards_and_before_the_send_call_returns(
    network: Network, receiver: Receiver, graph: Graph
) -> None:
    wrote(network, receiver)
    network.faults.switch("reordered_webhooks", on=True)
    assert graph.send().status_code == 200
    assert receiver.statuses() == ["delivered", "sent"]
    until(lambda: network.counts()["webhooks_waiting"] == 0)
    assert receiver.statuses() == ["delivered", "sent"]
    assert network.sent_to(ASHA)[0].status == "delivered"


def test_lost_statuses_deliver_the_message_and_report_nothing(network: Network, receiver: Receiver, graph: Graph) -> None:
    wrote(network, receiver)
    network.faults.switch("lost_statuses", on=True)
    assert graph.send().status_code == 200
    graph.client.get("/chat/api/messages", params={"person": ASHA})
    time.sleep(0.1)
    assert receiver.statuses() == []
    assert network.sent_to(ASHA)[0].status == "read"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("expired_token", None, (401, 190)),
        ("server_error", 131000, (500, 131000)),
        ("server_error", 1, (500, 1)),
    ],
)
def test_a_failing_whatsapp_answers_in_graphs_shape_and_sends_nothing(
    network: Network,
    receiver: Receiver,
    graph: Graph,
    name: str,
    value: float | None,
    expected: tuple[int, int],
) -> None:
    wrote(network, receiver)
    network.faults.switch(name, on=True, value=value)
    assert error(graph.send()) == expected
    assert network.sent_to() == []


def test_a_whatsapp_that_is_down_answers_503_without_json(network: Network, graph: Graph) -> None:
    network.faults.switch("down", on=True)
    response = graph.send()
    assert response.status_code == 503
    assert not response.headers["content-type"].startswith("application/json")


def test_a_slow_whatsapp_answers_late(network: Network, receiver: Receiver, graph: Graph) -> None:
    wrote(network, receiver)
    network.faults.switch("slow", on=True, value=0.3)
    started = time.monotonic()
    assert graph.send().status_code == 200
    assert time.monotonic() - started >= 0.3


def test_a_fault_happens_with_its_probability(network: Network) -> None:
    network.faults.switch("slow", on=True, probability=0.3)
    happened = sum(network.faults.take("slow") is not None for _ in range(2000))
    assert 480 < happened < 720


# The page and the controls


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
