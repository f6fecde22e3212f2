"""One word put in the place of another, in a sentence that follows its source."""

from __future__ import annotations

import pytest

from conversations.exchanges import exchanged

SOURCE = "Some people with severe dengue lose blood from the nose and need a drip in hospital."
FOLLOWS = [
    SOURCE,
    "Some patients with severe dengue lose blood from the nose and need a drip in hospital.",
    "With severe dengue, some people lose blood from the nose and need a drip in hospital.",
    "People with severe dengue lose blood from the nose.",
    "Some people with serious dengue lose blood from the nose and need a drip in hospital.",
]
EXCHANGED = [
    "Some people with severe measles lose blood from the nose and need a drip in hospital.",
    "Some people with severe dengue lose weight from the nose and need a drip in hospital.",
    "Some people with severe dengue lose blood from the nose and need a drip in dengue.",
    "Some people with severe dengue lose blood from the kind and need a drip in hospital.",
]


@pytest.mark.parametrize("sentence", FOLLOWS)
def test_the_same_in_other_words_exchanges_nothing(sentence: str) -> None:
    assert not exchanged(sentence, SOURCE)


@pytest.mark.parametrize("sentence", EXCHANGED)
def test_another_word_in_the_place_of_one_is_seen(sentence: str) -> None:
    assert exchanged(sentence, SOURCE)


def test_what_a_general_word_stands_for_may_be_named() -> None:
    source = "The disease spreads by mosquitoes that bite in the day."
    assert not exchanged("Dengue spreads by mosquitoes that bite in the day.", source, known=["dengue"])


def test_a_sentence_of_another_build_is_not_laid_beside_it() -> None:
    assert not exchanged("Go to hospital when you bleed.", SOURCE)
