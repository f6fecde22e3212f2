"""Real processes are killed, stopped and starved under traffic: no message lost, each answered exactly once.

One representative of each fault runs with the tests; JEEVO_FAULTS=all (`make faults`) runs the rest.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from jeevo import embedded
from tests.stack import Stack, eventually

pytestmark = [pytest.mark.fault, pytest.mark.stack, pytest.mark.timeout(300)]
full = pytest.mark.skipif(os.environ.get("JEEVO_FAULTS") != "all", reason="part of the whole matrix: make faults")

QUESTION = "How do I bring down a fever in a two-year-old?"
_numbers = itertools.count(919000000001)


def people(count: int) -> list[str]:
    return [str(next(_numbers)) for _ in range(count)]


def each_answered_once(stack: Stack, phones: list[str], seconds: float = 90) -> None:
    eventually(lambda: all(stack.received(phone) for phone in phones), seconds=seconds, what="every person to be answered")
    time.sleep(3)  # a second answer would come now
    told = Counter(message["to"] for phone in phones for message in stack.received(phone))
    assert told == dict.fromkeys(phones, 1)
    open_rows = stack.rows(
        "SELECT count(*) FROM conversations_inboundmessage WHERE status IN ('received', 'waiting', 'processing')"
    )
    assert open_rows == [(0,)]


def ask_all(stack: Stack, phones: list[str], pause: float = 0.0) -> None:
    for phone in phones:
        stack.says(phone, QUESTION)
        time.sleep(pause)


def test_a_worker_killed_in_mid_answer_loses_nothing(stack: Stack) -> None:
    phones = people(6)
    stack.fault("slow", value=2)
    ask_all(stack, phones)
    eventually(
        lambda: stack.rows("SELECT 1 FROM conversations_inboundmessage WHERE status = 'processing'"), seconds=20, what="a claim"
    )
    for pid in stack.pid("worker -Q answers"):
        os.kill(pid, signal.SIGKILL)
    stack.fault("slow", on=False)
    each_answered_once(stack, phones, seconds=150)


def test_valkey_away_under_traffic_delays_answers_and_never_an_emergency(stack: Stack) -> None:
    away = 60 if os.environ.get("JEEVO_FAULTS") == "all" else 12
    phones, urgent = people(5), people(1)[0]
    embedded.stop_valkey(stack.data)
    ask_all(stack, phones, pause=0.2)
    started = time.monotonic()
    stack.says(urgent, "My father's face is drooping and he can't lift his arm")
    stack.answers(urgent, seconds=60)
    time.sleep(max(0.0, away - (time.monotonic() - started)))
    embedded.start_valkey(stack.data, stack.keys, report=print)
    each_answered_once(stack, phones, seconds=90)
    assert len(stack.received(urgent)) == 1


def test_postgres_restarted_under_traffic(stack: Stack) -> None:
    phones = people(12)
    asking = threading.Thread(target=ask_all, args=(stack, phones, 0.4))
    asking.start()
    time.sleep(1.5)
    embedded.stop_postgres(stack.data)
    time.sleep(1)
    embedded.start_postgres(stack.data, stack.keys, report=print)
    asking.join()
    each_answered_once(stack, phones, seconds=120)


def test_graph_times_out_after_accepting(stack: Stack) -> None:
    phones = people(2)
    stack.fault("timeout_after_accept", remaining=2)
    ask_all(stack, phones)
    each_answered_once(stack, phones, seconds=60)
    states = eventually(
        lambda: (
            stack.rows(
                "SELECT DISTINCT status FROM conversations_outboundmessage WHERE status IN ('uncertain', 'sending', 'queued')"
            )
            == []
        ),
        seconds=30,
        what="every uncertain message to be settled by its status",
    )
    assert states


def test_the_same_message_at_the_same_instant_on_two_connections(stack: Stack) -> None:
    phone = people(1)[0]
    # The sandbox, like WhatsApp, takes an answer only for somebody who wrote to it within 24 hours.
    stack.says(phone, "hi")
    stack.answers(phone)
    body, headers = signed(stack, phone, "wamid.twice-" + phone, QUESTION)
    address = stack.console.replace("/admin/", "/webhook/whatsapp/")
    ready = threading.Barrier(2)

    def post(_: int) -> int:
        with httpx.Client() as client:
            ready.wait()
            return client.post(address, content=body, headers=headers, timeout=10).status_code

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(post, range(2))) == [200, 200]
    stack.answers(phone, count=2)
    time.sleep(3)
    assert len(stack.received(phone)) == 2


def signed(stack: Stack, phone: str, wamid: str, text: str) -> tuple[bytes, dict[str, str]]:
    message = {"from": phone, "id": wamid, "timestamp": str(int(time.time())), "type": "text", "text": {"body": text}}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "200000000000000"}, "messages": [message]}
    body = json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    ).encode()
    secret = (stack.keys / "sandbox_secret").read_text().strip()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}


@full
@pytest.mark.parametrize("fault", ["duplicate_webhooks", "reordered_webhooks", "server_error", "pair_rate", "expired_token"])
def test_what_whatsapp_gets_wrong_changes_nothing_for_the_person(stack: Stack, fault: str) -> None:
    phones = people(4)
    stack.fault(fault, remaining=None if fault.endswith("webhooks") else 4)
    try:
        ask_all(stack, phones)
        each_answered_once(stack, phones, seconds=200)
    finally:
        stack.fault(fault, on=False)


@full
def test_with_statuses_lost_too_nobody_is_told_more_than_twice_and_nobody_is_left_out(stack: Stack) -> None:
    phones = people(2)
    stack.fault("lost_statuses")
    stack.fault("timeout_after_accept", remaining=2)
    try:
        ask_all(stack, phones)
        eventually(lambda: all(stack.received(phone) for phone in phones), seconds=60, what="answers")
        time.sleep(100)
        assert all(1 <= len(stack.received(phone)) <= 2 for phone in phones)
    finally:
        stack.fault("lost_statuses", on=False)


@full
@pytest.mark.parametrize(
    "process", ["manage.py dispatch", "jeevo.wsgi:application", "worker -Q answers", "celery --quiet -A jeevo beat"]
)
def test_any_process_killed_comes_back_and_everybody_is_answered(stack: Stack, process: str) -> None:
    phones = people(6)
    asking = threading.Thread(target=ask_all, args=(stack, phones, 0.3))
    asking.start()
    time.sleep(1)
    for pid in stack.pid(process):
        os.kill(pid, signal.SIGKILL)
    asking.join()
    each_answered_once(stack, phones, seconds=150)
