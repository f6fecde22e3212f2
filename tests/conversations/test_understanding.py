"""What a message asks, as the model or the rules read it, and what triage makes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache

from conversations import understanding
from conversations.budget import Budget
from conversations.prompts import Earlier
from conversations.questions import several
from conversations.rulebook import Level
from conversations.understanding import Understood, parsed, raised
from tests import groq_server
from tests.fixtures import ChangeEnvironment
from tests.groq_server import Groq

HINDI = "मेरे बच्चे को बुखार है, क्या करूं?"
DENGUE = Earlier("Can I take ibuprofen for dengue?", "Dengue")


@pytest.fixture
def groq(environment: ChangeEnvironment) -> Iterator[Groq]:
    with groq_server.serving() as server:
        environment(groq={"api_key": "gsk_made_up", "base_url": server.url, "deadline_seconds": 6})
        groq_server.forget_client()
        cache.clear()
        yield server
    groq_server.forget_client()
    cache.clear()


@pytest.fixture
def no_key(environment: ChangeEnvironment) -> None:
    environment(groq={"api_key": ""})


def of(text: str, *, spoken: str = "en", earlier: tuple[Earlier, ...] = ()) -> Understood:
    return understanding.of(text, spoken=spoken, earlier=earlier, budget=Budget())


def test_a_short_english_question_needs_no_model(groq: Groq) -> None:
    assert of("How do I treat a fever?") == Understood(("How do I treat a fever?",))
    assert groq.asked == []


def test_another_language_is_translated_and_asked_in_english_with_one_call(groq: Groq) -> None:
    groq.reading = "ENGLISH: My child has a fever, what should I do?\nQUESTION: How to treat fever in a child?"
    found = of(HINDI, spoken="hi")
    assert (found.questions, found.language) == (("How to treat fever in a child?",), "en")
    assert found.rewritten == "My child has a fever, what should I do?"
    assert found.own == HINDI
    assert groq.steps == ["read"]


def test_a_follow_up_is_read_with_what_came_before_in_one_call(groq: Groq) -> None:
    groq.reading = "QUESTION: How long does dengue last?"
    assert of("how long does it last?", earlier=(DENGUE,)).questions == ("How long does dengue last?",)
    (prompt,) = groq.prompts
    assert "Can I take ibuprofen for dengue? (Dengue)" in prompt
    assert prompt.index("ibuprofen") < prompt.index("how long does it last")


@pytest.mark.parametrize("mood", ["slow", "blank", "error", "garbage"])
def test_without_a_usable_model_the_rules_complete_a_follow_up(groq: Groq, mood: str) -> None:
    groq.plays = mood
    found = of("how long does it last?", earlier=(DENGUE,))
    assert (found.questions, found.rewritten) == (("how long does dengue last?",), "how long does dengue last?")


def test_without_a_model_another_language_stays_as_it_is(no_key: None) -> None:
    assert of(HINDI, spoken="hi") == Understood((HINDI,), language="hi", own=HINDI)


def test_what_only_looked_foreign_is_asked_in_its_own_words(groq: Groq) -> None:
    groq.reading = "QUESTION: How to treat fever?"
    assert of("fvr trtmnt hw plz", spoken="und") == Understood(("fvr trtmnt hw plz",), short="How to treat fever?")


@pytest.mark.parametrize(
    "answer",
    [
        "no",
        "Treat it with rest.",
        "QUESTION: fever",
        "QUESTION: " + "word " * 60,
        "QUESTION: how to treat fever, see https://evil.example",
        "QUESTION: call +91 98765 43210 for fever",
        "QUESTION: बुखार का इलाज कैसे करें",
        "ENGLISH: My child has fever.",
        "",
    ],
)
def test_an_answer_in_another_form_is_none(answer: str) -> None:
    assert parsed(answer) is None


def test_at_most_two_questions_are_taken_each_once() -> None:
    found = parsed("QUESTION: What is dengue?\nquestion 2: What is malaria?\nQUESTION: What is dengue?\nQUESTION: What is flu?")
    assert found is not None
    assert found.questions == ("What is dengue?", "What is malaria?")


def test_an_emergency_that_only_the_translation_shows_is_found(db: None) -> None:
    found = Understood(("What to do when a face droops?",), rewritten="My father's face is drooping and he cannot lift his arm")
    verdict = raised(found, above=Level.ROUTINE)
    assert verdict is not None
    assert (verdict.level, verdict.concept) == (Level.EMERGENCY, "stroke")


def test_a_translation_never_lowers_what_the_message_was(db: None) -> None:
    assert raised(Understood(("x",), rewritten="What is a fever?"), above=Level.URGENT) is None
    assert raised(Understood(("my father's face is drooping",)), above=Level.ROUTINE) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Can ibuprofen be taken for dengue? How is a burn treated?", 2),
        ("what is malaria? how do you treat scabies?", 2),
        ("Is dengue contagious? How long does it last?", 1),
        ("I have diabetes, can I eat mango? Is rice allowed?", 1),
        ("My son has fever. What should he drink? What should he eat?", 1),
        ("How do I treat a fever?", 1),
        ("what is malaria? how is malaria treated?", 1),
        ("what is dengue? what is malaria? what is flu?", 1),
        ("what is dengue? and thanks", 1),
    ],
)
def test_two_questions_are_told_apart_only_where_each_stands_alone(text: str, number: int) -> None:
    assert len(several(text)) == number
