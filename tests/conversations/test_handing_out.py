"""Who is handed out to the workers and when, what waits while the broker is away, and the rounds of the dispatcher."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from kombu.exceptions import OperationalError as BrokerError

from conversations import answering, delivery, dispatch, intake, webhook
from conversations.dispatcher import JUST_NOW, Dispatcher
from conversations.models import InboundMessage
from tests.conversations.house import ORDINARY, STROKE
from tests.factories import ASHA, NOW, RAVI, SECOND, a_contact, an_event, an_inbound, an_outbound, dumped, envelope, text_message
from tests.fakes import Graph

pytestmark = pytest.mark.django_db


def took(keys: list[UUID]) -> Callable[[UUID], bool]:
    def publish(key: UUID) -> bool:
        keys.append(key)
        return True

    return publish


def test_people_are_handed_out_after_the_burst_wait_longest_wait_first_and_once() -> None:
    late, early = a_contact(ASHA), a_contact(RAVI)
    an_inbound(late, received_at=NOW)
    an_inbound(early, received_at=NOW - SECOND)
    an_inbound(early, received_at=NOW - SECOND)
    handed: list[UUID] = []
    assert dispatch.hand_out(now=NOW + SECOND / 2, publish=took(handed)) == 0
    assert dispatch.hand_out(now=NOW + 3 * SECOND, publish=took(handed)) == 2
    assert dispatch.hand_out(now=NOW + 4 * SECOND, publish=took(handed)) == 0
    assert handed == [early.pk, late.pk]


def test_somebody_who_is_still_typing_is_not_handed_out() -> None:
    person = a_contact()
    an_inbound(person, received_at=NOW)
    an_inbound(person, received_at=NOW + 5 * SECOND)
    assert answering.waiting_contacts(now=NOW + 6 * SECOND) == []


def test_a_key_that_was_lost_with_the_broker_is_handed_out_again() -> None:
    an_inbound(a_contact())
    handed: list[UUID] = []
    dispatch.hand_out(now=NOW + 3 * SECOND, publish=took(handed))
    dispatch.hand_out(now=NOW + 30 * SECOND, publish=took(handed))
    assert len(handed) == 2


def test_a_broker_that_is_away_takes_nothing_and_nobody_is_forgotten() -> None:
    person = a_contact()
    an_inbound(person)
    row = an_outbound(person)
    assert dispatch.hand_out(now=NOW + 3 * SECOND, publish=lambda key: False) == 0
    dispatch.send_unattended(now=NOW + 3 * SECOND, publish=lambda key: False, send_now=lambda key: None)
    person.refresh_from_db()
    row.refresh_from_db()
    assert (person.handed_at, row.attended_at, row.status) == (None, None, "queued")
    assert answering.waiting_contacts(now=NOW + 3 * SECOND) == [person.pk]


def test_while_the_broker_is_away_an_urgent_message_goes_out_and_the_others_wait() -> None:
    person = a_contact()
    an_outbound(person, "later")
    urgent = an_outbound(person, "Call 112 now.", urgent=True, created_at=NOW + SECOND)
    sent: list[UUID] = []
    dispatch.send_unattended(now=NOW + 2 * SECOND, publish=lambda key: False, send_now=sent.append)
    assert sent == [urgent.pk]


def test_the_dispatcher_asks_a_broker_that_is_away_every_two_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def away(name: str, **_: Any) -> None:
        asked.append(name)
        raise BrokerError

    monkeypatch.setattr("conversations.dispatcher.current_app.send_task", away)
    dispatcher = Dispatcher()
    assert [dispatcher.publish("conversations.send_message", uuid4()) for _ in range(50)] == [False] * 50
    assert len(asked) == 1
    dispatcher.broker_back_at = 0
    dispatcher.publish("conversations.send_message", uuid4())
    assert len(asked) == 2


def test_one_round_of_the_dispatcher_answers_an_emergency_with_the_broker_away(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise BrokerError

    monkeypatch.setattr("conversations.dispatcher.current_app.send_task", away)
    dispatcher = Dispatcher()
    # In this thread, because the test's transaction is not seen by another.
    monkeypatch.setattr(dispatcher, "send_now", delivery.send)
    intake.store(webhook.parse(dumped(envelope(messages=[text_message(ORDINARY), text_message(STROKE)]))), now=NOW)
    dispatcher.round(now=NOW)
    dispatcher.round(now=NOW + SECOND)
    assert len(graph.words) == 1
    assert "112" in graph.words[0]
    assert set(InboundMessage.objects.values_list("status", flat=True)) == {"answered", "waiting"}


def test_a_round_looks_at_new_statuses_and_the_sweep_at_all_of_them(graph: Graph) -> None:
    row = an_outbound(a_contact(), status="sent", wamid="wamid.1")
    an_event("delivered", wamid="wamid.1", received_at=NOW - JUST_NOW - SECOND)
    dispatcher = Dispatcher()
    dispatcher.last_sweep = dispatcher.last_expiry = time.monotonic() + 600
    dispatcher.round(now=NOW)
    row.refresh_from_db()
    assert row.status == "sent"
    an_event("read", wamid="wamid.1", received_at=NOW - JUST_NOW)
    dispatcher.round(now=NOW)
    row.refresh_from_db()
    assert row.status == "read"
    dispatcher.last_sweep = 0
    dispatcher.round(now=NOW)
    row.refresh_from_db()
    assert row.delivered_at is not None
