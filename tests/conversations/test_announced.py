"""The line about a notice to come: its times in the words and the time of the person, and where it is never said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from conversations import announced, answering, compose, replies, reply_text
from conversations.draft import Draft
from conversations.models import Answer, HoldingNotice, OutboundMessage
from tests.factories import HOUR, NOW, a_contact, a_draft, a_passage, an_inbound
from tests.fakes import Graph, spoken

LANGUAGES = sorted(replies.load())
START = datetime(2027, 1, 17, 2, tzinfo=UTC)
END = START + timedelta(hours=2)
SENTENCE = "Give the child small sips of water or oral rehydration solution every few minutes, day and night"


def a_notice(**values: Any) -> HoldingNotice:
    usual = {"starts_at": NOW + 20 * HOUR, "ends_at": NOW + 22 * HOUR, "announced_from": NOW - 28 * HOUR, "holds": False}
    return HoldingNotice.objects.create(**usual | values)


# The words


def test_the_line_names_the_day_and_the_time_of_the_country() -> None:
    assert announced.when(START, END, "en", "IN") == (
        "On Sunday 17 January from 07:30 to 09:30 (UTC+05:30) this helpline may answer late."
        " Emergencies are always answered at once."
    )


@pytest.mark.parametrize("country", ["US", "", "ZZ", "GB"])
def test_a_country_with_several_zones_or_none_gets_utc(country: str) -> None:
    assert "from 02:00 to 04:00 (UTC)" in announced.when(START, END, "en", country)


def test_the_day_is_that_of_the_country() -> None:
    late = datetime(2027, 1, 31, 22, tzinfo=UTC)
    assert "On Monday 1 February from 03:30 to 05:30" in announced.when(late, late + timedelta(hours=2), "en", "IN")


def test_summer_time_is_that_of_the_day() -> None:
    winter, summer = START, datetime(2027, 7, 18, 2, tzinfo=UTC)
    assert "(UTC+01:00)" in announced.when(winter, winter + timedelta(hours=1), "en", "IT")
    assert "(UTC+02:00)" in announced.when(summer, summer + timedelta(hours=1), "en", "IT")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_line_itself_with_its_own_days_and_months(language: str) -> None:
    own: Any = replies.load()[language]["announced"]
    assert (len(set(own["weekdays"])), len(set(own["months"]))) == (7, 12)
    said = announced.when(START, END, language, "IN")
    for part in (own["weekdays"][6], "17", own["months"][0], "07:30", "09:30", "UTC+05:30"):
        assert part in said
    assert len(said) < 300
    assert (language == "en") == (said == announced.when(START, END, "en", "IN"))


# In the message


@pytest.mark.parametrize("sentences", [1, 8, 60])
def test_an_answer_of_any_length_keeps_the_line_at_its_end_and_fits(sentences: int) -> None:
    line = announced.when(START, END, "ta", "IN")
    text = "\n".join(f"{SENTENCE} {n}. [1]" for n in range(sentences))
    words = spoken(reply_text.body(a_draft(text, cited=(a_passage(),), postscript=line), answer_key=uuid4()))
    assert words.endswith(line)
    assert len(words) <= reply_text.LONGEST_INTERACTIVE


def test_a_plain_text_that_is_too_long_loses_its_own_end_and_not_the_line() -> None:
    words = spoken(reply_text.body(Draft("declined", "x" * 5000, "en", postscript="The line."), answer_key=uuid4()))
    assert words.endswith("x\n\nThe line.")
    assert len(words) == reply_text.LONGEST_TEXT


# When


@pytest.mark.django_db
def test_answers_carry_the_line_from_its_day_until_the_notice_begins(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "for_burst", lambda *_, **__: a_draft("Rest.", buttons=False))
    notice = a_notice()
    person = a_contact()
    said = []
    for at in (NOW - 29 * HOUR, NOW, notice.starts_at - HOUR, notice.starts_at + HOUR):
        an_inbound(person, received_at=at - HOUR)
        with time_machine.travel(at, tick=False):
            answering.answer_contact(person.pk)
        said.append("may answer late" in graph.words[-1])
    assert said == [False, True, True, False]
    assert graph.words[1] == "Rest.\n\n" + announced.when(notice.starts_at, notice.ends_at, "en", "IN")
    assert set(Answer.objects.values_list("text", flat=True)) == {"Rest."}


@pytest.mark.django_db
def test_a_line_of_its_own_is_said_as_it_stands_and_the_next_notice_first() -> None:
    a_notice(starts_at=NOW + 40 * HOUR, ends_at=NOW + 41 * HOUR, line="The later one.")
    a_notice(line="We move house on Sunday.")
    assert announced.added(a_draft(), a_contact(), now=NOW).postscript == "We move house on Sunday."


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["emergency", "self_harm", "holding", "fixed", "apology"])
def test_nothing_but_an_answer_carries_the_line(kind: str) -> None:
    a_notice()
    assert announced.added(Draft(kind, "Call 112 now.", "en"), a_contact(), now=NOW).postscript == ""


@pytest.mark.django_db
def test_an_emergency_says_its_own_words_only() -> None:
    a_notice()
    person = a_contact()
    row = an_inbound(person, "my father has crushing chest pain and is sweating")
    draft = compose.ask(row.text or "", country="IN")
    answering.commit(person, [row], draft, token=None, now=NOW, urgent=True)
    assert draft.kind == Answer.Kind.EMERGENCY
    assert "may answer late" not in spoken(OutboundMessage.objects.get().body)
