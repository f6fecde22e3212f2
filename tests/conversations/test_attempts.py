"""A message that fails: counted attempts, longer waits, one apology, and words that no key opens."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from pytest_django import Settings

from conversations import answering, compose, delivery
from conversations.models import Answer, Contact, Handover, InboundMessage
from tests.conversations.answers import LATER, Write, answer, fails, status_of
from tests.factories import HOUR, MINUTE, SECOND, a_draft, an_inbound
from tests.fakes import Graph
from tests.fixtures import settle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("graph")]


# Failing


def test_a_failure_is_counted_and_waits_longer_each_time(person: Contact, written: Write) -> None:
    written(RuntimeError("broken"))
    row = an_inbound(person)
    waits = []
    for _ in range(3):
        now = row.retry_at or LATER
        fails(person, at=now)
        row.refresh_from_db()
        assert row.retry_at is not None
        waits.append((row.status, row.attempts, (row.retry_at - now).seconds))
    assert waits == [("waiting", 1, 2), ("waiting", 2, 4), ("waiting", 3, 8)]


def test_a_message_in_back_off_is_not_handed_out_and_not_taken(person: Contact, written: Write) -> None:
    bursts = written(a_draft())
    an_inbound(person, retry_at=LATER + SECOND)
    assert answering.waiting_contacts(now=LATER) == []
    answer(person)
    assert bursts == []


def test_after_three_attempts_there_is_one_apology_and_a_person_is_asked_for(
    person: Contact, written: Write, graph: Graph
) -> None:
    bursts = written(a_draft())
    rows = [an_inbound(person, attempts=3), an_inbound(person, attempts=3)]
    answer(person)
    for row in rows:
        row.refresh_from_db()
        assert (row.status, row.reason) == ("failed", "failed after every attempt")
        assert row.answer == Answer.objects.get(kind="apology")
    assert Handover.objects.get().reason == "failed"
    assert bursts == []
    assert graph.words == [compose.apology("en", "IN").text]
    answer(person, at=LATER + MINUTE)
    assert len(graph.words) == 1


def test_a_newer_message_beside_the_failed_one_is_freed_and_answered_by_itself(
    person: Contact, written: Write, graph: Graph
) -> None:
    bursts = written(a_draft("Rest."))
    an_inbound(person, "poison", attempts=3)
    newer = an_inbound(person, "How do I treat a cold?", attempts=1)
    answer(person)
    assert status_of(newer) == ("waiting", 0)
    answer(person, at=LATER + MINUTE)
    assert status_of(newer) == ("answered", 1)
    assert bursts == [["How do I treat a cold?"]]
    assert graph.words == [compose.apology("en", "IN").text, "Rest."]


def test_a_worker_that_dies_every_time_is_counted_too(person: Contact, written: Write) -> None:
    """Killed with -9 nothing runs after the claim; the claim itself counts."""
    row = an_inbound(person)
    for expected in (1, 2, 3):
        assert [each.attempts for each in answering.claim(person, now=LATER)] == [expected]
    written(a_draft())
    answer(person)
    assert status_of(row) == ("failed", 4)


# Words that no key opens


def damage(row: InboundMessage, *columns: str) -> InboundMessage:
    with connection.cursor() as cursor:
        for column in columns:
            cursor.execute(f"UPDATE conversations_inboundmessage SET {column} = %s WHERE id = %s", [b"garbage", row.pk])
    return row


def sealed(row: InboundMessage) -> InboundMessage:
    return InboundMessage.objects.defer("text", "payload").get(pk=row.pk)


def test_words_that_no_key_opens_are_tried_three_times_and_then_failed(person: Contact, written: Write, graph: Graph) -> None:
    bursts = written(a_draft())
    row = damage(an_inbound(person), "text", "payload")
    now, seen = LATER, []
    for _ in range(4):
        answer(person, at=now)
        row = sealed(row)
        seen.append((row.status, row.attempts, row.reason, (row.retry_at - now).seconds if row.retry_at else None))
        now = row.retry_at or now
    unread = "could not be read"
    assert seen == [("waiting", 1, unread, 2), ("waiting", 2, unread, 4), ("waiting", 3, unread, 8), ("failed", 4, unread, None)]
    assert (bursts, graph.words) == ([], [compose.apology("en", "IN").text])
    assert Handover.objects.get().reason == "failed"
    assert answering.waiting_contacts(now=now + HOUR) == []


def test_with_a_lost_key_nothing_is_opened_and_the_attempts_count(
    person: Contact, written: Write, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name and the number are sealed with the same key, and there is nobody to send an apology to."""
    written(a_draft())
    monkeypatch.setattr(delivery, "send", lambda key: None)
    row = an_inbound(person, attempts=2)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    answer(person)
    assert (sealed(row).status, sealed(row).attempts) == ("waiting", 3)
    monkeypatch.setattr("jeevo.fields.unseal", lambda text: pytest.fail("something was unsealed"))
    answer(person, at=LATER + MINUTE)
    assert (sealed(row).status, sealed(row).reason) == ("failed", "could not be read")


def test_a_key_that_comes_back_in_time_is_enough(person: Contact, written: Write, settings: Settings) -> None:
    written(a_draft())
    row, keys = an_inbound(person), settings.FIELD_KEYS
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    answer(person)
    assert sealed(row).reason == "could not be read"
    settings.FIELD_KEYS = keys
    answer(person, at=LATER + MINUTE)
    assert (status_of(row), row.reason) == (("answered", 2), "")


def test_what_else_the_person_wrote_is_answered_beside_it_and_after_it(person: Contact, written: Write) -> None:
    bursts = written(a_draft())
    row = damage(an_inbound(person, "lost"), "text")
    beside = an_inbound(person, "beside")
    answer(person)
    assert (status_of(beside), sealed(row).status) == (("answered", 1), "waiting")
    after = an_inbound(person, "after", received_at=LATER - SECOND)
    at = LATER + SECOND
    assert sealed(row).retry_at == at + SECOND
    assert answering.waiting_contacts(now=at) == [person.pk]
    answer(person, at=at)
    assert status_of(after) == ("answered", 1)
    assert (bursts, sealed(row).attempts) == ([["beside"], ["after"]], 1)


@pytest.mark.parametrize("payload", [b"garbage", None])
def test_a_payload_that_is_gone_or_damaged_costs_the_ticks_only(
    payload: bytes | None, person: Contact, written: Write, graph: Graph
) -> None:
    written(a_draft())
    row = damage(an_inbound(person), "payload") if payload else an_inbound(person, payload=None)
    answer(person)
    settle()
    assert (sealed(row).status, len(graph.words), graph.receipts) == ("answered", 1, [])
