"""Enough evidence needs both: near in meaning, and the question's own words in the passages."""

from __future__ import annotations

import pytest

from conversations import evidence
from tests import factories

DENGUE = factories.a_passage(
    title="Dengue fever", text="Do not take ibuprofen for dengue.", cosine=0.65, parts=(("meaning", 0.65), ("topic", 0.2))
)


def test_nothing_found_is_no_confidence() -> None:
    assert evidence.confidence("is ibuprofen safe in dengue", []) == 0


def test_a_near_passage_with_the_words_of_the_question_is_enough() -> None:
    assert evidence.confidence("can I take ibuprofen for dengue", [DENGUE]) > 0.9


def test_near_in_meaning_alone_is_not_enough() -> None:
    assert evidence.confidence("how do bridges carry trains", [factories.a_passage(cosine=0.5)]) < evidence.ENOUGH


def test_shared_words_alone_are_not_enough() -> None:
    assert evidence.confidence("water", [factories.a_passage(cosine=0.1)]) < evidence.ENOUGH


def test_confidence_lies_between_nothing_and_certainty() -> None:
    for cosine in (-1.0, 0.0, 0.3, 0.6, 1.0):
        for question in ("dengue ibuprofen", "bridge", ""):
            assert 0 <= evidence.confidence(question, [factories.a_passage(title="Dengue", cosine=cosine)]) <= 1


def test_a_nearer_passage_gives_more_confidence() -> None:
    figures = [evidence.confidence("dengue", [factories.a_passage(cosine=cosine)]) for cosine in (0.2, 0.4, 0.6, 0.8)]
    assert figures == sorted(figures)
    assert len(set(figures)) == 4


def test_only_the_three_best_passages_count() -> None:
    weak, strong = factories.a_passage(cosine=0.1, text="Nothing."), factories.a_passage(cosine=0.9, text="Dengue.")
    assert evidence.confidence("dengue", [weak, weak, weak, strong]) < evidence.ENOUGH


COVERAGE = [
    ("what should I do about dengue", 1.0),
    ("dengue or malaria", 0.5),
    ("bridges", 0.0),
    ("what should I do", 0.0),
    ("", 0.0),
    ("zzzz (dengue)", 1.0),
    ("dengue (zzzz)", 1.0),
]


@pytest.mark.parametrize(("question", "share"), COVERAGE)
def test_the_share_of_the_topic_words_that_stand_in_a_passage(question: str, share: float) -> None:
    assert evidence.coverage(question, [DENGUE]) == share


def test_the_words_must_stand_in_one_passage_and_not_scattered() -> None:
    scattered = [factories.a_passage("A", text="Dengue."), factories.a_passage("B", text="Malaria.")]
    assert evidence.coverage("dengue malaria", scattered) == 0.5


def test_endings_of_words_do_not_matter() -> None:
    assert evidence.coverage("burned burns burning", [factories.a_passage("Burns", text="x")]) == 1


def test_a_title_that_the_question_names_gives_confidence() -> None:
    def sure(topic: float) -> float:
        return evidence.confidence("dengue", [factories.a_passage("Dengue", cosine=0.45, parts=(("topic", topic),))])

    assert sure(0.2) > evidence.ENOUGH > sure(0.0)
    # Another weight in ranking is no more than all of a title.
    assert sure(0.9) == sure(0.2)
