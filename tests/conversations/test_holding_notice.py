"""The notice that holds answers up: said once, and the question answered after it."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine

from conversations import wording
from conversations.models import Answer, Contact, HoldingNotice, InboundMessage
from tests.conversations.answers import LATER, Write, answer, status_of
from tests.factories import HOUR, MINUTE, NOW, SECOND, a_draft, an_inbound
from tests.fakes import Graph
from tests.fixtures import settle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("graph")]


def a_notice(**times: Any) -> HoldingNotice:
    usual = {"text": "We answer again at noon.", "starts_at": NOW - HOUR, "ends_at": NOW + HOUR}
    return HoldingNotice.objects.create(**usual | times)


def test_while_a_notice_is_in_force_it_is_said_once_and_the_question_answered_after_it(
    person: Contact, written: Write, graph: Graph
) -> None:
    bursts = written(a_draft("Rest."))
    a_notice()
    with time_machine.travel(LATER, tick=False):
        row = an_inbound(person)
    answer(person)
    assert graph.words == ["We answer again at noon."]
    assert status_of(row) == ("waiting", 0)
    an_inbound(person, "hello?", received_at=LATER + MINUTE)
    answer(person, at=LATER + 2 * MINUTE)
    assert (len(graph.words), bursts) == (1, [])
    answer(person, at=NOW + HOUR + MINUTE)
    assert bursts == [["How do I treat a fever?", "hello?"]]
    assert graph.words == ["We answer again at noon.", "Rest."]


def test_a_notice_that_is_ended_early_lets_the_answers_go_within_half_a_minute(
    person: Contact, written: Write, graph: Graph
) -> None:
    written(a_draft("Rest."))
    a_notice()
    with time_machine.travel(LATER, tick=False):
        row = an_inbound(person)
    answer(person)
    for number in range(1, 4):
        row.refresh_from_db()
        assert row.retry_at == LATER + number * 30 * SECOND
        answer(person, at=row.retry_at)
    settle()
    assert (graph.words, len(graph.receipts)) == (["We answer again at noon."], 1)
    assert status_of(row) == ("waiting", 0)
    HoldingNotice.objects.update(ends_at=LATER + 91 * SECOND)
    answer(person, at=LATER + 120 * SECOND)
    assert graph.words == ["We answer again at noon.", "Rest."]


def test_nobody_waits_longer_than_the_notice(person: Contact, written: Write) -> None:
    written(a_draft())
    a_notice(ends_at=LATER + 5 * SECOND)
    row = an_inbound(person)
    answer(person)
    row.refresh_from_db()
    assert row.retry_at == LATER + 5 * SECOND


def test_a_second_notice_is_said_too(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft())
    a_notice()
    an_inbound(person)
    answer(person)
    HoldingNotice.objects.all().delete()
    InboundMessage.objects.update(retry_at=None)
    a_notice(text="We answer again tonight.", starts_at=LATER + MINUTE, ends_at=LATER + HOUR)
    answer(person, at=LATER + 2 * MINUTE)
    assert graph.words == ["We answer again at noon.", "We answer again tonight."]


@pytest.mark.parametrize("times", [{"ends_at": NOW}, {"starts_at": NOW + MINUTE}])
def test_a_notice_that_is_over_or_to_come_is_not_said(
    times: dict[str, Any], person: Contact, written: Write, graph: Graph
) -> None:
    written(a_draft("Rest."))
    a_notice(**times)
    an_inbound(person)
    answer(person)
    assert graph.words == ["Rest."]


def test_a_notice_that_is_only_announced_holds_nobody_up(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft("Rest."))
    a_notice(holds=False)
    an_inbound(person)
    answer(person)
    assert graph.words == ["Rest."]


def test_a_notice_without_a_text_is_said_in_the_language_of_the_message(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft())
    a_notice(text="")
    an_inbound(person, "बुखार में क्या करूँ", language="hi")
    answer(person)
    assert graph.words == [wording.say("holding", "hi", "IN")]
    assert Answer.objects.get().language == "hi"


def test_who_should_see_a_doctor_today_is_told_so_while_answers_wait(person: Contact, written: Write, graph: Graph) -> None:
    written(a_draft())
    a_notice(text="")
    row = an_inbound(person)
    answer(person)
    row.refresh_from_db()
    an_inbound(person, "blood in my urine", triage_level="urgent", received_at=NOW)
    for step in range(1, 4):
        answer(person, at=LATER + step * 31 * SECOND)
    holding = wording.say("holding", "en", "IN")
    assert graph.words == [holding, wording.urgent("en", "IN") + "\n\n" + holding]
