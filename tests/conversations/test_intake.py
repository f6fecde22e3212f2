"""What the webhook brought becomes rows: each event once, in one insert, sealed."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from pytest_django import DjangoAssertNumQueries, Settings

from conversations import intake, webhook
from conversations.models import Contact, DeliveryEvent, InboundMessage, UnhandledEvent
from jeevo.fields import keyed_hash
from jeevo.ids import new_id
from tests.factories import ASHA, NOW, dumped, envelope, message, status, text_message
from tests.fixtures import ChangeEnvironment, database_url

pytestmark = pytest.mark.django_db


def store(**parts: Any) -> None:
    intake.store(webhook.parse(dumped(envelope(**parts))), now=NOW)


def test_a_message_is_stored_as_it_came_and_nobody_is_looked_up() -> None:
    store(messages=[text_message("How do I treat a fever?", wamid="wamid.1")])
    row = InboundMessage.objects.get()
    key = keyed_hash("wamid.1")
    assert (row.wamid_key, row.kind, row.status, row.text) == (key, "text", "received", "How do I treat a fever?")
    assert (row.received_at, row.contact, row.attempts) == (NOW, None, 0)
    assert row.payload is not None
    assert row.payload["message"]["from"] == ASHA
    assert not Contact.objects.exists()


def test_the_sender_is_stored_as_a_keyed_hash() -> None:
    store(messages=[text_message("hello")])
    assert InboundMessage.objects.get().sender_key == keyed_hash(ASHA)


def test_the_columns_hold_neither_the_words_nor_the_number() -> None:
    store(messages=[text_message("fever", wamid="wamid.1")])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m::text, convert_from(text, 'UTF8'), convert_from(payload, 'UTF8') FROM conversations_inboundmessage m"
        )
        columns = " ".join(cursor.fetchone())
    assert keyed_hash("wamid.1") in columns
    assert "wamid.1" not in columns
    assert "fever" not in columns
    assert ASHA not in columns


def test_one_message_costs_one_insert_and_no_other_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1) as captured:
        store(messages=[text_message("hello")])
    assert captured.captured_queries[0]["sql"].strip().startswith("INSERT INTO conversations_inboundmessage")


@pytest.mark.parametrize("parts", [{"statuses": [status("sent")]}, {"errors": [{"code": 1}]}])
def test_a_status_and_an_odd_event_cost_one_insert_too(
    parts: dict[str, Any], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        store(**parts)


def test_an_event_that_is_known_changes_nothing_even_days_later() -> None:
    parts = {"messages": [text_message("one")], "statuses": [status("sent")], "errors": [{"code": 1}]}
    events = webhook.parse(dumped(envelope(**parts)))
    intake.store(events, now=NOW)
    InboundMessage.objects.update(status="answered")
    intake.store(events, now=NOW + timedelta(days=6))
    assert [model.objects.count() for model in (InboundMessage, DeliveryEvent, UnhandledEvent)] == [1, 1, 1]
    assert (InboundMessage.objects.get().status, InboundMessage.objects.get().received_at) == ("answered", NOW)


def test_the_same_id_with_other_words_does_not_change_what_was_stored() -> None:
    store(messages=[text_message("one", wamid="wamid.1"), text_message("two", wamid="wamid.1")])
    assert InboundMessage.objects.get().text == "one"


def test_a_message_without_a_time_gets_ours() -> None:
    store(messages=[text_message("one", timestamp="soon")])
    assert InboundMessage.objects.get().sent_at == NOW


def test_what_needs_no_reply_is_stored_as_ignored_with_the_reason() -> None:
    store(messages=[message("reaction", reaction={"emoji": "👍"})])
    row = InboundMessage.objects.get()
    assert (row.status, row.reason, row.text) == ("ignored", "a kind that needs no reply: reaction", None)


@pytest.mark.parametrize(("live", "wanted"), [(True, "ignored"), (False, "received")])
def test_a_message_to_another_number_is_ignored_in_live_service(
    live: bool, wanted: str, settings: Settings, environment: ChangeEnvironment
) -> None:
    environment(whatsapp={"phone_number_id": "300"})
    settings.LIVE = live
    store(messages=[text_message("one")])
    assert InboundMessage.objects.get().status == wanted


@pytest.mark.parametrize("odd", [{"a": "half \ud83d a pair"}, {"a": "\x00"}, "\ud800", None, 7, [[]]])
def test_an_odd_part_is_kept_whatever_stands_in_it(odd: Any) -> None:
    store(errors=[odd])
    assert UnhandledEvent.objects.get().payload == [odd]


def test_a_message_with_half_a_surrogate_pair_anywhere_is_stored() -> None:
    store(
        messages=[text_message("fever \ud83d", context={"id": "\ud800"})],
        contacts=[{"wa_id": ASHA, "profile": {"name": "\udfff"}}],
    )
    row = InboundMessage.objects.get()
    assert (row.text, row.status) == ("fever", "received")


@pytest.mark.django_db(transaction=True)
def test_the_same_message_on_two_connections_at_the_same_instant_is_one_row() -> None:
    events = webhook.parse(dumped(envelope(messages=[text_message(f"message {n}") for n in range(20)])))
    together = threading.Barrier(2)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            together.wait(10)
            intake.store(events, now=NOW)
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert not failed
    assert InboundMessage.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_the_second_of_two_connections_waits_for_the_first_and_then_stores_nothing() -> None:
    """The first one holds its row uncommitted, which no timing of two threads can bring about for certain."""
    events = webhook.parse(dumped(envelope(messages=[text_message("one", wamid="wamid.1")])))
    with psycopg.connect(database_url()) as first:
        first.execute(
            intake._MESSAGE, (new_id(), keyed_hash("wamid.1"), "the first", "text", "received", None, None, NOW, NOW, "", "")
        )
        later = threading.Timer(0.3, first.commit)
        later.start()
        intake.store(events, now=NOW)
        later.join()
    assert InboundMessage.objects.get().sender_key == "the first"
