"""What the sandbox posts to Jeevo over real HTTP: signed, in the envelope of the Cloud API, and until it is taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

import pytest

from conversations import webhook
from conversations.sandbox.network import Network
from tests.conversations.sandbox.sides import ASHA, NUMBER, SECRET, Graph, Receiver, interactive, until, wrote

# Static files are found, not collected, where the sandbox runs.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


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
