"""How good the answers are: the model that should write them, and the median of confidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from django.core.cache import cache

from conversations import llm
from conversations.models import Answer, Contact
from operations.detectors import answers
from tests import factories
from tests.factories import HOUR, MINUTE, NOW, SECOND
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clean_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def asha() -> Contact:
    return factories.a_contact()


@pytest.fixture
def with_key(environment: ChangeEnvironment) -> None:
    environment(groq={"api_key": "a key"})


def given(asha: Contact, number: int, kind: str, at: datetime = NOW, **fields: object) -> None:
    usual = {"language": "en", "text": "Rest."} | fields
    rows = Answer.objects.bulk_create(Answer(contact=asha, kind=kind, **usual) for _ in range(number))
    Answer.objects.filter(pk__in=[row.pk for row in rows]).update(created_at=at)


@pytest.mark.usefixtures("with_key")
@pytest.mark.parametrize(("quoted", "written", "seen"), [(9, 0, 0), (10, 0, 1), (5, 5, 1), (5, 6, 0), (10, 10, 1), (10, 11, 0)])
def test_half_of_ten_answers_quoted_is_a_model_that_does_not_write(quoted: int, written: int, seen: int, asha: Contact) -> None:
    given(asha, quoted, "extractive")
    given(asha, written, "generated")
    assert len(answers.model_fallback(NOW + MINUTE)) == seen


@pytest.mark.usefixtures("with_key")
def test_where_it_is_quoted_by_intention_nothing_is_wrong(asha: Contact) -> None:
    given(asha, 20, "extractive", language="hi")
    given(asha, 20, "declined")
    given(asha, 20, "fixed")
    assert answers.model_fallback(NOW + MINUTE) == []
    given(asha, 10, "extractive", language="hi", timings={"generate": 12000})
    assert len(answers.model_fallback(NOW + MINUTE)) == 1


def test_without_a_key_quoting_is_what_was_chosen(asha: Contact) -> None:
    given(asha, 50, "extractive")
    cache.set(llm.PROBLEM, {"reason": "Groq does not answer", "since": (NOW - HOUR).isoformat()})
    assert answers.model_fallback(NOW + MINUTE) == []


@pytest.mark.usefixtures("with_key")
def test_a_problem_that_lasts_ten_minutes_needs_no_answers() -> None:
    cache.set(llm.PROBLEM, {"reason": "Groq does not answer", "since": NOW.isoformat()})
    assert answers.model_fallback(NOW + 10 * MINUTE - SECOND) == []
    (signal,) = answers.model_fallback(NOW + 10 * MINUTE)
    assert signal.since == NOW


@pytest.mark.parametrize(("low", "high", "seen"), [(10, 9, 0), (11, 9, 1), (10, 10, 0), (12, 9, 1)])
def test_the_median_of_twenty_answers_is_looked_at(low: int, high: int, seen: int, asha: Contact) -> None:
    given(asha, low, "extractive", confidence=0.55)
    given(asha, high, "generated", confidence=0.65)
    assert len(answers.low_confidence(NOW + MINUTE)) == seen


def test_only_the_last_hour_and_only_answers_with_sources_count(asha: Contact) -> None:
    given(asha, 30, "declined", confidence=0.1)
    given(asha, 30, "extractive", confidence=0.1)
    assert len(answers.low_confidence(NOW + HOUR - SECOND)) == 1
    assert answers.low_confidence(NOW + HOUR) == []


def test_in_a_busy_hour_the_latest_answers_speak_for_it(asha: Contact) -> None:
    given(asha, answers.MOST_ANSWERS, "extractive", confidence=0.9)
    given(asha, answers.MOST_ANSWERS, "extractive", at=NOW - MINUTE, confidence=0.1)
    assert answers.low_confidence(NOW + MINUTE) == []
    given(asha, answers.MOST_ANSWERS, "extractive", at=NOW + MINUTE, confidence=0.1)
    assert len(answers.low_confidence(NOW + MINUTE)) == 1
