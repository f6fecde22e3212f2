"""The Graph client against a server on this machine: what it sends, and what every kind of answer means."""

from __future__ import annotations

import httpx
import pytest

from conversations import whatsapp
from conversations.whatsapp import Ambiguous, WhatsAppError
from tests.factories import ASHA, NUMBER
from tests.fakes import FAULT, HANG, HTML, WITHOUT_ID, Graph, Reply, refusal
from tests.fixtures import ChangeEnvironment
from tests.stack import eventually

BODY = {"type": "text", "text": {"body": "Drink water."}}
RETRIED = [4, 80007, 130429, 131056, 131048, 133016, 131000, 131016, 131053]
FAILED = [131026, 131030, 131047, 131051, 131049, 131050, 131062, 132000, 132001, 132999, 100, 131008, 131009]
FOR_THE_OPERATOR = [0, 190, 10, 200, 230, 299, 368, 131031, 131042]


def send() -> whatsapp.Accepted:
    return whatsapp.send(ASHA, BODY, callback="our-id")


def refused(graph: Graph, reply: Reply) -> WhatsAppError:
    graph.script = [reply]
    with pytest.raises(WhatsAppError) as caught:
        send()
    return caught.value


def test_a_message_carries_what_graph_wants_and_our_id(graph: Graph, environment: ChangeEnvironment) -> None:
    environment(whatsapp={"token": "the token", "graph_version": "v99.0"})
    assert send().wamid == "wamid.OUT000001"
    (call,) = graph.calls
    assert (call.path, call.token) == (f"/v99.0/{NUMBER}/messages", "Bearer the token")
    assert call.body == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": ASHA,
        "type": "text",
        "text": {"body": "Drink water."},
        "biz_opaque_callback_data": "our-id",
    }


def test_somebody_without_a_number_is_addressed_by_user_id(graph: Graph) -> None:
    whatsapp.send("IN.123", BODY, callback="x")
    assert graph.messages[0]["recipient"] == "IN.123"
    assert "to" not in graph.messages[0]


def test_ticks_and_typing_are_one_call(graph: Graph) -> None:
    whatsapp.mark_read("wamid.1")
    whatsapp.mark_read("wamid.1", typing=False)
    assert graph.receipts[0]["typing_indicator"] == {"type": "text"}
    assert graph.receipts[1] == {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"}


@pytest.mark.parametrize(
    ("code", "action"),
    [(c, "retry") for c in RETRIED] + [(c, "fail") for c in FAILED] + [(c, "operator") for c in FOR_THE_OPERATOR],
)
def test_every_code_of_the_table_means_what_the_table_says(code: int, action: str, graph: Graph) -> None:
    error = refused(graph, refusal(code))
    assert (error.code, error.action) == (code, action)
    assert (error.permanent, error.operator) == (action == "fail", action == "operator")
    assert error.reason


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (500, "retry"),
        (502, "retry"),
        (503, "retry"),
        (429, "retry"),
        (401, "operator"),
        (403, "operator"),
        (400, "fail"),
        (404, "fail"),
    ],
)
def test_an_unknown_code_is_judged_by_the_status(status: int, action: str, graph: Graph) -> None:
    assert refused(graph, refusal(999_999, status=status)).action == action


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b'{"error": "text"}', b'{"error": {"code": "190"}}', b"\xff"])
def test_an_error_that_is_no_error_object_is_judged_by_the_status(body: bytes, graph: Graph) -> None:
    error = refused(graph, Reply(502, body or b" "))
    assert (error.code, error.action) == (None, "retry")


@pytest.mark.parametrize(
    "reply", [WITHOUT_ID, HTML, Reply(200, b"[]"), Reply(200, b'{"messages": {}}'), Reply(200, b'{"messages": [3]}')]
)
def test_a_success_that_names_no_message_is_neither_sent_nor_refused(reply: Reply, graph: Graph) -> None:
    graph.script = [reply]
    with pytest.raises(Ambiguous):
        send()


def test_an_answer_that_never_comes_is_ambiguous(graph: Graph, impatient: None) -> None:
    graph.script = [HANG]
    with pytest.raises(Ambiguous):
        send()
    eventually(lambda: graph.messages, seconds=10, what="the call to arrive", every=0.01)
    assert len(graph.messages) == 1


def test_a_server_that_is_not_there_took_nothing(environment: ChangeEnvironment) -> None:
    environment(whatsapp={"graph_url": "http://127.0.0.1:9"})
    with pytest.raises(WhatsAppError) as caught:
        send()
    assert (caught.value.code, caught.value.action) == (None, "retry")


def test_a_fault_of_the_server_is_tried_again(graph: Graph) -> None:
    assert refused(graph, FAULT).action == "retry"


def test_one_connection_serves_many_messages(graph: Graph) -> None:
    clients = set()
    for _ in range(5):
        send()
        clients.add(id(whatsapp._connected()))
    assert len(clients) == 1
    assert isinstance(whatsapp._connected(), httpx.Client)


def test_what_an_error_says_holds_nothing_of_the_message(graph: Graph) -> None:
    error = refused(graph, Reply(400, b'{"error": {"code": 131026, "message": "919810000001 Drink water."}}'))
    assert str(error) == "This person cannot receive the message (131026)"
