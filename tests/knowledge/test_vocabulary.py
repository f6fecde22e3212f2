"""Everyday words are searched beside the guideline's words, and nothing a person wrote is taken away."""

from __future__ import annotations

import tomllib

import pytest

from knowledge import vocabulary

WIDENED = [
    ("my son has loose motions", "my son has loose motions (diarrhoea)"),
    ("My BP is high", "My BP is high (blood pressure)"),
    ("is TB curable", "is TB curable (tuberculosis)"),
    ("loose motion and throwing up", "loose motion and throwing up (diarrhoea, vomiting)"),
]


@pytest.mark.parametrize(("question", "expected"), WIDENED)
def test_a_lay_word_brings_the_word_of_the_guideline(question: str, expected: str) -> None:
    assert vocabulary.widened(question) == expected


def test_the_longest_phrase_wins() -> None:
    assert vocabulary.widened("high bp") == "high bp (high blood pressure)"


@pytest.mark.parametrize("question", ["", "how to treat a fever", "where is the BPO office", "a worsening rash", "subtitles"])
def test_other_words_are_left_alone_also_when_they_hold_a_term(question: str) -> None:
    assert vocabulary.widened(question) == question


def test_a_term_the_person_used_already_is_not_repeated() -> None:
    assert vocabulary.widened("diarrhoea or loose motion") == "diarrhoea or loose motion"


def test_a_term_is_added_once_however_often_it_is_said() -> None:
    assert vocabulary.widened("tb and tb again").count("tuberculosis") == 1


def test_every_term_of_the_list_is_reachable_and_in_lower_case() -> None:
    with vocabulary.FILE.open("rb") as file:
        terms: dict[str, str] = tomllib.load(file)["terms"]
    assert [term for term in terms if term != term.casefold()] == []
    assert [term for term, means in terms.items() if term not in means and means not in vocabulary.widened(term)] == []
