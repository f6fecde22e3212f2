"""Messages that WhatsApp does not take: shares with a least number, and what an operator must mend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.core.cache import cache

from conversations import delivery
from conversations.models import Answer, Contact
from operations.detectors import sending
from tests import factories
from tests.factories import MINUTE, NOW, SECOND

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clean_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def asha() -> Contact:
    return factories.a_contact()


def answered(asha: Contact, number: int, at: datetime = NOW) -> None:
    Answer.objects.bulk_create(Answer(contact=asha, kind="extractive", language="en", text="Rest.") for _ in range(number))
    Answer.objects.update(created_at=at)


def failed(asha: Contact, number: int, at: datetime = NOW) -> None:
    for _ in range(number):
        factories.an_outbound(asha, status="failed", failed_at=at)


@pytest.mark.parametrize(
    ("number", "answers", "severity"),
    [(4, 4, None), (5, 101, None), (5, 100, 3), (5, 51, 3), (5, 50, 2), (9, 0, 2)],
)
def test_the_share_counts_from_five_failures_on(number: int, answers: int, severity: int | None, asha: Contact) -> None:
    answered(asha, answers)
    failed(asha, number)
    found = sending.send_failures(NOW + MINUTE)
    assert [signal.severity for signal in found] == ([severity] if severity else [])


def test_a_failure_counts_for_a_quarter_of_an_hour(asha: Contact) -> None:
    failed(asha, 10)
    assert len(sending.send_failures(NOW + 15 * MINUTE - SECOND)) == 1
    assert sending.send_failures(NOW + 15 * MINUTE) == []


def test_a_refused_token_is_critical_from_what_senders_left_behind() -> None:
    since = NOW - timedelta(minutes=3)
    problem = {"code": 190, "reason": "The access token was refused", "since": since.isoformat()}
    cache.set(delivery.PROBLEM, problem)
    (signal,) = sending.provider_refused(NOW)
    assert (signal.severity, signal.since) == (1, since)
    assert signal.title == "WhatsApp takes no messages from us: the access token was refused"


def test_a_refused_token_is_found_in_rows_where_the_cache_is_gone(asha: Contact) -> None:
    factories.an_outbound(asha, status="queued", error_code=190)
    factories.an_outbound(asha, status="queued", error_code=131056)  # too many to one person: tried again
    (signal,) = sending.provider_refused(NOW)
    assert signal.details == "1 message waits and will go out when it is put right."


def test_a_message_that_is_tried_again_is_no_refusal(asha: Contact) -> None:
    factories.an_outbound(asha, status="queued", error_code=131056)
    factories.an_outbound(asha, status="failed", error_code=190, failed_at=NOW)
    assert sending.provider_refused(NOW) == []
