"""The second look: danger in words that no rule has, and nothing else. With the real model."""

from __future__ import annotations

import tomllib

import pytest

from conversations.rulebook import Level
from conversations.second_look import SENTENCES, again
from conversations.triage import Triage

DANGER = [
    "my pee has turned red",
    "my eyeballs turned yellow",
    "my unborn little one has not stirred at all today",
]
HARMLESS = [
    "what is a miscarriage?",
    "my shoes are too tight",
    "thank you, I feel fine now",
    "which bus goes to the clinic?",
    "I would like a recipe for lentil soup",
]


@pytest.mark.parametrize("text", DANGER)
def test_a_danger_is_raised_to_urgent_whatever_the_rules_know(text: str) -> None:
    found = again(text, Triage())
    assert found.level is Level.URGENT
    assert found.rules == (f"meaning.{found.concept}",)


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_message_is_left_alone(text: str) -> None:
    assert again(text, Triage()) == Triage()


def test_one_dangerous_sentence_in_a_long_message_is_enough() -> None:
    assert (
        again(f"Good morning. I planted tomatoes. The weather is nice. {DANGER[1]}. Thank you.", Triage()).level is Level.URGENT
    )


@pytest.mark.parametrize("level", [level for level in Level if level is not Level.ROUTINE])
def test_a_level_of_the_rules_is_never_changed(level: Level) -> None:
    verdict = Triage(level, "stroke", ("en.stroke.1",))
    assert again("which bus goes to the clinic?", verdict) is verdict
    assert again(DANGER[0], verdict) is verdict


def test_words_in_another_language_are_left_to_the_rules() -> None:
    assert again(DANGER[0], Triage(), spoken="sw") == Triage()


@pytest.mark.usefixtures("fake_embed")
def test_another_model_has_vectors_of_its_own() -> None:
    assert again("zzz", Triage()) == Triage()


def test_the_file_says_that_nobody_has_reviewed_it_and_repeats_nothing() -> None:
    data = tomllib.loads(SENTENCES.read_text("utf-8"))
    texts = [text for part in ("danger", "harmless") for group in data[part].values() for text in group]
    assert data["status"] == "unreviewed"
    assert len(texts) == len(set(texts))
