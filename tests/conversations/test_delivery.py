"""The outbox against a Graph API that refuses, hangs and lies: nothing lost, nothing sent three times, statuses only forward."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connections

from conversations import delivery, dispatch
from conversations.models import Contact, DeliveryEvent, OutboundMessage
from jeevo.fields import keyed_hash
from tests.factories import HOUR, MINUTE, NOW, RAVI, SECOND, a_contact, an_event, an_outbound
from tests.fakes import FAULT, HANG, HTML, WITHOUT_ID, Graph, Reply, refusal
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7)
FIRST = keyed_hash("wamid.OUT000001")


@pytest.fixture
def person() -> Contact:
    return a_contact()


def send(row: OutboundMessage, *, at: datetime = NOW) -> OutboundMessage:
    with time_machine.travel(at, tick=False):
        delivery.send(row.pk)
    row.refresh_from_db()
    return row


def apply(*, at: datetime = NOW, since: timedelta = WEEK) -> int:
    return delivery.apply_events(now=at, since=since)


def pump(*, at: datetime) -> None:
    """One round of the dispatcher's sending, in this thread."""

    def publish(key: Any) -> bool:
        delivery.send(key)
        return True

    with time_machine.travel(at, tick=False):
        delivery.sweep(now=at)
        apply(at=at)
        dispatch.send_unattended(now=at, publish=publish, send_now=delivery.send)


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


# Statuses


def a_sent(person: Contact, wamid: str = "wamid.1") -> OutboundMessage:
    return an_outbound(person, status="sent", wamid=wamid, attempts=1, handed_at=NOW)


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
def test_statuses_in_any_order_end_at_read(order: tuple[str, ...], person: Contact) -> None:
    row = a_sent(person)
    seen = []
    for place, state in enumerate(order):
        an_event(state, wamid="wamid.1", at=NOW + place * SECOND)
        apply()
        row.refresh_from_db()
        seen.append(row.status)
    rank = ["sent", "delivered", "read"]
    assert [rank.index(each) for each in seen] == sorted(rank.index(each) for each in seen), "it went back"
    assert seen[-1] == "read"
    assert row.delivered_at is not None
    assert row.read_at is not None


def test_a_status_that_comes_before_the_send_returned_is_kept_and_not_undone(person: Contact) -> None:
    row = an_outbound(person, status="sending", in_flight_since=NOW, attempts=1)
    an_event("delivered", wamid="wamid.REAL", callback=row.pk)
    apply()
    delivery._accepted(row, "wamid.REAL", now=NOW + SECOND)
    row.refresh_from_db()
    assert (row.status, row.wamid_key, row.delivered_at) == ("delivered", keyed_hash("wamid.REAL"), NOW)


def test_a_status_for_an_unknown_id_is_kept_and_matched_when_the_id_is_known(person: Contact) -> None:
    row = an_outbound(person, status="sending", in_flight_since=NOW)
    event = an_event("delivered", wamid="wamid.LATE")
    assert apply() == 0
    delivery._accepted(row, "wamid.LATE", now=NOW)
    assert apply() == 1
    row.refresh_from_db()
    event.refresh_from_db()
    assert (row.status, event.outbound, event.applied_at) == ("delivered", row, NOW)


def test_a_status_for_something_that_is_not_ours_is_kept_and_after_eight_days_no_longer_looked_for() -> None:
    event = an_event("sent", wamid="wamid.OTHER", callback="somebody else's")
    apply()
    delivery.forget_unmatched(now=NOW + timedelta(days=7))
    event.refresh_from_db()
    assert event.applied_at is None
    delivery.forget_unmatched(now=NOW + timedelta(days=9))
    event.refresh_from_db()
    assert (event.applied_at is not None, event.outbound) == (True, None)


def test_a_status_is_applied_once(person: Contact) -> None:
    a_sent(person)
    an_event("delivered", wamid="wamid.1")
    assert [apply(), apply()] == [1, 0]


def test_the_quick_round_looks_at_new_statuses_only(person: Contact) -> None:
    a_sent(person)
    an_event("delivered", wamid="wamid.1", received_at=NOW - HOUR)
    assert apply(since=2 * MINUTE) == 0
    assert apply(since=WEEK) == 1


@pytest.mark.parametrize("apart", [timedelta(0), SECOND / 1000])
def test_ours_is_found_behind_a_thousand_statuses_that_are_not(apart: timedelta, person: Contact) -> None:
    row = a_sent(person)
    foreign = [f"key {n}" for n in range(1200)]
    DeliveryEvent.objects.bulk_create(
        DeliveryEvent(wamid_key=key, status="sent", at=NOW, received_at=NOW + n * apart) for n, key in enumerate(foreign)
    )
    an_event("delivered", wamid="wamid.1", received_at=NOW + 1200 * apart)
    assert apply(at=NOW + MINUTE) == 1
    row.refresh_from_db()
    assert row.status == "delivered"
    assert DeliveryEvent.objects.filter(applied_at__isnull=True).count() == 1200


def test_a_flood_of_ours_is_applied_a_page_at_a_time(person: Contact, monkeypatch: pytest.MonkeyPatch) -> None:
    """Applying costs writes: whoever writes meanwhile waits for one page and not for the flood."""
    monkeypatch.setattr(delivery, "PAGE", 3)
    a_sent(person)
    for second in range(7):
        an_event("delivered", wamid="wamid.1", at=NOW + second * SECOND)
    assert [apply() for _ in range(4)] == [3, 3, 1, 0]


def test_a_status_that_comes_in_meanwhile_is_for_the_next_round(person: Contact) -> None:
    a_sent(person)
    an_event("delivered", wamid="wamid.1", received_at=NOW + SECOND)
    assert apply(at=NOW) == 0
    assert apply(at=NOW + SECOND) == 1


def test_a_failure_that_comes_later_is_final_when_it_can_never_go(person: Contact) -> None:
    row = a_sent(person)
    an_event("failed", wamid="wamid.1", error_code=131026)
    apply()
    row.refresh_from_db()
    assert (row.status, row.error_code, row.failed_at) == ("failed", 131026, NOW)


def test_a_failure_that_may_go_later_is_sent_again(person: Contact, graph: Graph) -> None:
    row = a_sent(person)
    an_event("failed", wamid="wamid.1", error_code=131056)
    apply()
    row.refresh_from_db()
    assert (row.status, row.retry_at, row.wamid_key) == ("queued", NOW + 6 * SECOND, None)
    pump(at=NOW + 6 * SECOND)
    row.refresh_from_db()
    assert (row.status, row.wamid_key) == ("sent", FIRST)


@pytest.mark.parametrize("together", [True, False])
def test_sent_that_comes_after_its_own_failure_does_not_cancel_the_retry(together: bool, person: Contact, graph: Graph) -> None:
    row = a_sent(person)
    an_event("failed", wamid="wamid.1", error_code=131000, at=NOW + SECOND)
    if not together:
        apply()
    an_event("sent", wamid="wamid.1", callback=row.pk, at=NOW)
    apply()
    pump(at=NOW + MINUTE)
    row.refresh_from_db()
    assert (row.status, len(graph.messages)) == ("sent", 1)


def test_a_failure_by_status_while_the_operator_must_act_is_reported_and_waits(person: Contact, graph: Graph) -> None:
    row = a_sent(person)
    an_event("failed", wamid="wamid.1", error_code=131042)
    apply()
    row.refresh_from_db()
    assert (row.status, row.retry_at) == ("queued", NOW + MINUTE)
    assert cache.get(delivery.PROBLEM)["code"] == 131042


def test_delivered_after_failed_is_believed(person: Contact) -> None:
    row = an_outbound(person, status="failed", wamid="wamid.1", failed_at=NOW, reason="x", error_code=131026)
    an_event("delivered", wamid="wamid.1")
    apply()
    row.refresh_from_db()
    assert (row.status, row.failed_at, row.reason, row.error_code) == ("delivered", None, "", None)


def test_failed_after_delivered_is_not_believed(person: Contact) -> None:
    row = an_outbound(person, status="delivered", wamid="wamid.1")
    an_event("failed", wamid="wamid.1", error_code=131026)
    apply()
    row.refresh_from_db()
    assert row.status == "delivered"


@pytest.mark.parametrize("state", ["played", "deleted"])
def test_a_status_that_says_nothing_of_delivery_is_kept_and_changes_nothing(state: str, person: Contact) -> None:
    row = a_sent(person)
    an_event(state, wamid="wamid.1")
    apply()
    row.refresh_from_db()
    assert row.status == "sent"
    assert DeliveryEvent.objects.get().outbound == row


@pytest.mark.parametrize("callback", ["", "x", "0", "\u0660" * 36, "{" * 36])
def test_a_callback_that_is_none_of_ours_falls_back_to_the_id(callback: str, person: Contact) -> None:
    row = a_sent(person)
    an_event("read", wamid="wamid.1", callback=callback)
    apply()
    row.refresh_from_db()
    assert row.status == "read"


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
