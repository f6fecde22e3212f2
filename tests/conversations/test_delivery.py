"""The outbox against a Graph API that refuses, hangs and lies: nothing lost, nothing sent three times, all in order."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
import time_machine
from django.core.cache import cache
from django.db import connections

from conversations import delivery
from conversations.models import Contact, OutboundMessage
from jeevo.fields import keyed_hash
from tests.conversations.outbox import FIRST, apply, pump
from tests.factories import HOUR, MINUTE, NOW, RAVI, SECOND, a_contact, an_event, an_outbound
from tests.fakes import FAULT, HANG, HTML, WITHOUT_ID, Graph, Reply, refusal
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db


def send(row: OutboundMessage, *, at: datetime = NOW) -> OutboundMessage:
    with time_machine.travel(at, tick=False):
        delivery.send(row.pk)
    row.refresh_from_db()
    return row


# Sending


def test_a_message_that_is_taken_has_its_id_and_time(person: Contact, graph: Graph) -> None:
    row = send(an_outbound(person))
    assert (row.status, row.wamid_key, row.handed_at, row.attempts, row.reason) == ("sent", FIRST, NOW, 1, "")
    assert graph.messages[0]["biz_opaque_callback_data"] == str(row.pk)


def test_a_message_is_sent_once_however_often_it_is_asked_for(person: Contact, graph: Graph) -> None:
    row = an_outbound(person)
    for _ in range(3):
        send(row)
    assert len(graph.messages) == 1


@pytest.mark.django_db(transaction=True)
def test_two_senders_at_the_same_instant_send_it_once(person: Contact, graph: Graph) -> None:
    row = an_outbound(person)
    together = threading.Barrier(4)

    def work() -> None:
        together.wait(10)
        try:
            delivery.send(row.pk, now=NOW)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert len(graph.messages) == 1


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (refusal(130429), 2),
        (refusal(131056), 6),
        (refusal(131016, status=503), 2),
        (FAULT, 2),
        (Reply(502, b"<html>"), 2),
        (refusal(80007), 2),
    ],
)
def test_what_may_go_later_waits_and_goes(reply: Reply, wait: int, person: Contact, graph: Graph) -> None:
    graph.script = [reply]
    row = send(an_outbound(person))
    assert (row.status, row.retry_at, row.wamid_key) == ("queued", NOW + wait * SECOND, None)
    assert row.reason
    assert send(row, at=NOW + SECOND).attempts == 1
    assert send(row, at=NOW + wait * SECOND).status == "sent"
    assert (row.reason, row.error_code) == ("", None)


def test_the_wait_grows_to_two_minutes_and_after_eight_tries_it_has_failed(person: Contact, graph: Graph) -> None:
    graph.always = refusal(131000)
    row, waits, now = an_outbound(person), [], NOW
    while row.status == "queued":
        send(row, at=now)
        if row.retry_at:
            waits.append((row.retry_at - now).seconds)
            now = row.retry_at
    assert waits == [2, 4, 8, 16, 32, 64, 120]
    assert (row.status, row.attempts, row.error_code, row.failed_at) == ("failed", 8, 131000, now)
    assert len(graph.messages) == 8


@pytest.mark.parametrize("code", [131026, 131047, 131051, 100, 132001])
def test_what_can_never_go_has_failed_with_the_reason(code: int, person: Contact, graph: Graph) -> None:
    graph.script = [refusal(code)]
    row = send(an_outbound(person))
    assert (row.status, row.error_code, row.failed_at, row.retry_at) == ("failed", code, NOW, None)
    assert row.reason
    assert send(row, at=NOW + HOUR).attempts == 1


def test_a_refused_connection_loses_nothing(person: Contact, graph: Graph, environment: ChangeEnvironment) -> None:
    environment(whatsapp={"graph_url": "http://127.0.0.1:9"})
    row = send(an_outbound(person))
    assert (row.status, row.reason) == ("queued", "The Graph API cannot be reached")
    environment(whatsapp={"graph_url": graph.url})
    assert send(row, at=NOW + 2 * SECOND).status == "sent"


def test_an_expired_token_while_twenty_wait_loses_nothing_and_is_reported(graph: Graph) -> None:
    rows = [an_outbound(a_contact(f"91981000{n:04d}"), f"answer {n}") for n in range(20)]
    graph.always = refusal(190, status=401)
    for minute in range(9):
        pump(at=NOW + minute * MINUTE)
    assert set(OutboundMessage.objects.values_list("status", "error_code", "attempts")) == {("queued", 190, 0)}
    assert cache.get(delivery.PROBLEM)["code"] == 190
    refused = len(graph.messages)
    graph.always = None
    for minute in range(9, 12):
        pump(at=NOW + minute * MINUTE)
    assert set(OutboundMessage.objects.values_list("status", flat=True)) == {"sent"}
    assert sorted(graph.words[refused:]) == sorted(f"answer {n}" for n in range(len(rows)))


def test_while_the_operator_must_act_graph_is_asked_once_a_minute(person: Contact, graph: Graph) -> None:
    graph.always = refusal(190)
    row = an_outbound(person)
    for second in range(0, 60, 5):
        send(row, at=NOW + second * SECOND)
    assert len(graph.messages) == 1


# Ambiguous


@pytest.mark.parametrize("reply", [HANG, HTML, WITHOUT_ID])
def test_an_outcome_that_is_not_known_is_uncertain_and_not_sent_again_at_once(
    reply: Reply, person: Contact, graph: Graph, impatient: None
) -> None:
    graph.script = [reply]
    row = send(an_outbound(person))
    assert (row.status, row.in_flight_since, row.wamid_key) == ("uncertain", NOW, None)
    for second in (1, 30, 59):
        pump(at=NOW + second * SECOND)
    assert len(graph.messages) == 1


def test_a_status_with_our_id_settles_it(person: Contact, graph: Graph) -> None:
    graph.script = [WITHOUT_ID]
    row = send(an_outbound(person))
    an_event("sent", wamid="wamid.REAL", callback=row.pk)
    pump(at=NOW + 10 * SECOND)
    pump(at=NOW + 5 * MINUTE)
    row.refresh_from_db()
    assert (row.status, row.wamid_key, row.resent, row.reason) == ("sent", keyed_hash("wamid.REAL"), False, "")
    assert len(graph.messages) == 1


def test_without_a_status_it_is_sent_once_more_after_a_minute_under_the_same_id_and_marked(person: Contact, graph: Graph) -> None:
    graph.script = [WITHOUT_ID]
    row = send(an_outbound(person))
    pump(at=NOW + 61 * SECOND)
    row.refresh_from_db()
    assert (row.status, row.resent) == ("sent", True)
    assert [body["biz_opaque_callback_data"] for body in graph.messages] == [str(row.pk)] * 2


def test_it_is_never_sent_a_third_time(person: Contact, graph: Graph) -> None:
    graph.always = WITHOUT_ID
    row = send(an_outbound(person))
    for minute in range(1, 30):
        pump(at=NOW + minute * (MINUTE + SECOND))
    row.refresh_from_db()
    assert len(graph.messages) == 2
    assert (row.status, row.reason) == ("failed", "WhatsApp did not confirm it after two tries")


def test_a_status_that_comes_after_it_was_given_up_is_believed(person: Contact, graph: Graph) -> None:
    graph.always = WITHOUT_ID
    row = send(an_outbound(person))
    for minute in range(1, 5):
        pump(at=NOW + minute * (MINUTE + SECOND))
    an_event("delivered", wamid="wamid.REAL", callback=row.pk, at=NOW + HOUR)
    apply(at=NOW + HOUR)
    row.refresh_from_db()
    assert (row.status, row.failed_at, row.delivered_at) == ("delivered", None, NOW + HOUR)


def test_what_a_dead_sender_left_becomes_uncertain_and_then_goes_once_more(person: Contact, graph: Graph) -> None:
    row = an_outbound(person, status="sending", in_flight_since=NOW, attempts=1, attended_at=NOW)
    pump(at=NOW + 29 * SECOND)
    row.refresh_from_db()
    assert row.status == "sending"
    pump(at=NOW + 31 * SECOND)
    row.refresh_from_db()
    assert row.status == "uncertain"
    pump(at=NOW + 61 * SECOND)
    row.refresh_from_db()
    assert (row.status, row.resent, len(graph.messages)) == ("sent", True, 1)


# Order


def test_messages_to_one_person_go_in_their_order(person: Contact, graph: Graph) -> None:
    rows = [an_outbound(person, f"{n}", created_at=NOW + n * SECOND) for n in range(3)]
    for row in reversed(rows):
        send(row, at=NOW + MINUTE)
    assert graph.words == ["0"]
    for row in rows:
        send(row, at=NOW + MINUTE)
    assert graph.words == ["0", "1", "2"]


def test_two_that_were_written_in_the_same_step_go_in_their_order_too(person: Contact, graph: Graph) -> None:
    first, second = an_outbound(person, "first"), an_outbound(person, "second")
    assert list(delivery.sendable(now=NOW)) == [first]
    send(second)
    send(first)
    send(second)
    assert graph.words == ["first", "second"]


def test_a_retry_holds_back_what_was_written_after_it(person: Contact, graph: Graph) -> None:
    graph.script = [refusal(131056)]
    send(an_outbound(person, "first"))
    second = send(an_outbound(person, "second", created_at=NOW + SECOND), at=NOW + SECOND)
    assert second.status == "queued"
    for seconds in (6, 7):
        pump(at=NOW + seconds * SECOND)
    assert graph.words == ["first", "first", "second"]


def test_what_failed_holds_nobody_back(person: Contact, graph: Graph) -> None:
    an_outbound(person, "first", status="failed")
    assert send(an_outbound(person, "second", created_at=NOW + SECOND)).status == "sent"


def test_people_do_not_wait_for_each_other(person: Contact, graph: Graph) -> None:
    an_outbound(person, "first", retry_at=NOW + HOUR)
    assert send(an_outbound(a_contact(RAVI), "second", created_at=NOW + SECOND)).status == "sent"


def test_an_urgent_message_overtakes(person: Contact, graph: Graph) -> None:
    an_outbound(person, "first", status="sending", in_flight_since=NOW)
    an_outbound(person, "second", retry_at=NOW + HOUR, created_at=NOW + SECOND)
    urgent = an_outbound(person, "Call 112 now.", urgent=True, created_at=NOW + 2 * SECOND)
    assert send(urgent, at=NOW + 2 * SECOND).status == "sent"


def test_urgent_messages_are_taken_up_first(person: Contact) -> None:
    ordinary = an_outbound(a_contact(RAVI))
    urgent = an_outbound(person, urgent=True, created_at=NOW + SECOND)
    assert list(delivery.unattended(now=NOW + SECOND)) == [urgent, ordinary]


def test_what_somebody_is_sending_is_taken_up_by_others_only_after_a_while(person: Contact) -> None:
    row = an_outbound(person, attended_at=NOW)
    assert list(delivery.unattended(now=NOW + 14 * SECOND)) == []
    assert list(delivery.unattended(now=NOW + 16 * SECOND)) == [row]
