"""Each fault of the sandbox, over real HTTP."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from conversations.sandbox.network import Network
from tests.conversations.sandbox.sides import ASHA, Graph, Receiver, error, until, wrote

# Static files are found, not collected, where the sandbox runs.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at")


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
