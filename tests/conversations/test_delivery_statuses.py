"""What WhatsApp says of a message we sent: statuses in any order go only forward, and a failure is sent again or final."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from django.core.cache import cache

from conversations import delivery
from conversations.models import Contact, DeliveryEvent, OutboundMessage
from jeevo.fields import keyed_hash
from tests.conversations.outbox import FIRST, WEEK, apply, pump
from tests.factories import HOUR, MINUTE, NOW, SECOND, an_event, an_outbound
from tests.fakes import Graph

pytestmark = pytest.mark.django_db


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
