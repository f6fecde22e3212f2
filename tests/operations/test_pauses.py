"""Maintenance mode: answers wait until somebody says otherwise or its time is over, and emergencies never do."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine

from conversations import answering, delivery, dispatch, wording
from conversations.models import Answer, HoldingNotice, InboundMessage
from operations import pauses, window_watch, windows
from operations.models import Pause
from operations.pauses import NotPossible
from tests import factories
from tests.fakes import Graph
from tests.operations.windows_of import DAY, HOUR, MINUTE, NOW, a_running_window, asha

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def test_it_begins_with_a_reason_and_an_end_and_is_over_by_itself() -> None:
    row = pauses.begin(now=NOW, by=asha(), reason="Groq is changed")
    assert (row.until, row.started_by, pauses.answers_wait()) == (NOW + pauses.USUAL, asha(), True)
    window_watch.look(NOW + pauses.USUAL - MINUTE)
    assert pauses.current() is not None
    window_watch.look(NOW + pauses.USUAL)
    assert (pauses.current(), pauses.answers_wait()) == (None, False)
    assert HoldingNotice.objects.get().ends_at == NOW + pauses.USUAL


def test_beginning_again_moves_the_end_and_tells_nobody_twice() -> None:
    pauses.begin(now=NOW, reason="Groq is changed")
    row = pauses.begin(now=NOW + HOUR, until=NOW + 5 * HOUR)
    assert Pause.objects.count() == 1
    assert (row.reason, HoldingNotice.objects.get().ends_at) == ("Groq is changed", NOW + 5 * HOUR)


def test_ending_it_lets_the_answers_go() -> None:
    pauses.begin(now=NOW)
    row = pauses.end(now=NOW + HOUR, by=asha())
    assert row is not None
    assert (row.ended_by, HoldingNotice.objects.get().ends_at) == (asha(), NOW + HOUR)
    assert pauses.end(now=NOW + HOUR) is None


@pytest.mark.parametrize("until", [NOW, NOW - HOUR, NOW + DAY + MINUTE])
def test_it_ends_within_a_day(until: datetime) -> None:
    with pytest.raises(NotPossible):
        pauses.begin(now=NOW, until=until)


def test_a_start_of_the_service_ends_the_drain_that_stopped_it_and_no_other() -> None:
    pauses.begin(now=NOW)
    pauses.begin(now=NOW, kind="drain")
    pauses.service_started(now=NOW + MINUTE)
    assert pauses.current("drain") is not None
    pauses.begin(now=NOW, kind="drain", ends_with_start=True)
    pauses.service_started(now=NOW + MINUTE)
    assert (pauses.current("drain"), pauses.current() is None) == (None, False)


@pytest.mark.parametrize("pauses_answering", [True, False])
def test_a_running_window_counts_as_waiting_on_purpose_where_it_pauses_answers(pauses_answering: bool) -> None:
    window = a_running_window(pauses_answering=pauses_answering)
    assert pauses.answers_wait() == pauses_answering
    windows.complete(window, by=asha(), now=NOW + HOUR, why="Done")
    assert not pauses.answers_wait()


# A message that arrives meanwhile


def arrives(words: str, graph: Graph, *, sender: str, now: datetime) -> list[str]:
    """Through the dispatcher and the worker, as in the running service."""
    message = factories.text_message(words, sender=sender)
    row = InboundMessage.objects.create(
        wamid_key=factories.new_wamid(),
        sender_key="key",
        kind="text",
        text=words,
        status="received",
        sent_at=now,
        received_at=now,
        payload={"message": message},
    )
    with time_machine.travel(now, tick=False):
        dispatch.attach_received(now=now, send_now=lambda key: delivery.send(key, now=now))
    row.refresh_from_db()
    return graph.words


def works(at: datetime) -> None:
    """A round of the workers."""
    with time_machine.travel(at, tick=False):
        for key in answering.waiting_contacts(now=at):
            answering.answer_contact(key)


def test_in_a_window_a_message_gets_the_notice_once_an_emergency_its_help_at_once_and_the_answer_comes_afterwards(
    graph: Graph, quick: None, fake_embed: None
) -> None:
    window = a_running_window()
    at = NOW + 10 * MINUTE
    arrives("hello", graph, sender=factories.ASHA, now=at)
    assert graph.words == []
    for step in range(4):
        works(at + SECOND + step * 31 * SECOND)
    assert graph.words == [wording.say("holding", "en", "IN")]

    arrives("my father has crushing chest pain and is sweating", graph, sender=factories.RAVI, now=at + 3 * MINUTE)
    assert len(graph.words) == 2
    assert graph.words[1].startswith("Call 112 or 108 now.")

    end = at + 10 * MINUTE
    windows.complete(window, by=asha(), now=end, why="Done")
    works(end + 31 * SECOND)
    assert graph.words[2] == wording.say("greeting", "en", "IN")
    assert set(InboundMessage.objects.values_list("status", flat=True)) == {"answered"}
    assert Answer.objects.filter(kind="holding").count() == 1
