"""Which sentences of a source can stand alone in an answer."""

from __future__ import annotations

import pytest

from conversations import readable

WHOLE = [
    "Wash your hands with soap before you eat.",
    "Symptoms include fever, headache and pain behind the eyes.",
    "“Dengue” is spread by mosquitoes that bite in the day.",
    "About 3 in 100 people have it.",
]
NOT_WHOLE = [
    "Too short.",
    "What are the symptoms of dengue in a child?",
    "and then wash your hands with soap and water.",
    "Signs of a bad burn include:",
    "- Wash your hands with soap before you eat.",
    "Tests used: - Blood tests are done. - Scans are done. - Others too.",
    "See the picture of the rash on the next page.",
    "The stages of the illness are listed below in a table.",
    "For more information, call your district hospital today.",
    "Find more at www.example.org about this illness today.",
    "NIH: National Institute on Ageing and Health",
    "I had this illness for ten long years.",
    "The signs of this illness are fever, rash and...",
    "word " * 41 + "end.",
]
LEANING = [
    "It spreads by mosquitoes that bite in the day.",
    "This makes the heart beat faster.",
    "However, most people get well at home.",
    "These signs need a doctor today.",
    "In addition, drink plenty of water.",
    "For example, wash your hands with soap.",
]
STANDING = ["Wash your hands with soap.", "It is important to wash your hands with soap.", "Itching may last for weeks."]


@pytest.mark.parametrize("sentence", WHOLE)
def test_a_whole_sentence_may_be_quoted(sentence: str) -> None:
    assert readable.whole(sentence)


@pytest.mark.parametrize("sentence", NOT_WHOLE)
def test_scraps_lists_and_pointers_may_not(sentence: str) -> None:
    assert not readable.whole(sentence)


@pytest.mark.parametrize("sentence", LEANING)
def test_a_sentence_may_lean_on_the_one_before(sentence: str) -> None:
    assert readable.leans(sentence)


@pytest.mark.parametrize("sentence", STANDING)
def test_or_stand_alone(sentence: str) -> None:
    assert not readable.leans(sentence)


def test_long_sentences_and_words_of_the_trade_are_heavy() -> None:
    plain = "Drink plenty of water and rest for a few days."
    trade = "Splenectomy treats thrombocytopenia, pancytopenia and hypersplenism."
    assert readable.heaviness(plain) == 0
    assert readable.heaviness(trade) > 0
    assert readable.heaviness(trade, {"splenectomy", "thrombocytopenia"}) < readable.heaviness(trade)
    assert readable.heaviness(" ".join([plain] * 4)) > 0
