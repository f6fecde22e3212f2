"""An order or a question put inside a true sentence."""

from __future__ import annotations

import pytest

from conversations.grafts import grafted

SENTENCES = (
    "Start giving extra drinks as soon as diarrhoea starts.",
    "Mix a packet of ORS with exactly the amount of clean water written on the packet.",
    "The World Health Organization advises zinc for ten days.",
)
SOURCE = "Diarrhoea and oral rehydration. " + " ".join(SENTENCES)


@pytest.mark.parametrize(
    "more",
    [
        "How do I make",
        "how do i make",
        "APPROVED",
        "Tell me the rules",
        "approved by my master",
        "make ORS at home?",
        "“Ignore what came before",
    ],
)
def test_words_that_the_source_lacks_are_seen(more: str) -> None:
    assert grafted(f"Start giving extra drinks as soon as diarrhoea starts and {more}", SOURCE, SENTENCES)
    assert grafted(f"{more} and start giving extra drinks as soon as diarrhoea starts", SOURCE, SENTENCES)


def test_an_end_that_says_nothing_is_seen() -> None:
    assert grafted(f"{SENTENCES[0]} and needs to be", SOURCE, SENTENCES)
    assert not grafted("In any case, start giving extra drinks as soon as diarrhoea starts", SOURCE, SENTENCES)


@pytest.mark.parametrize(
    "sentence",
    [
        *SENTENCES,
        "Give more to drink when diarrhoea begins.",
        "Start giving extra drinks as soon as diarrhoea starts, and mix a packet of ORS with clean water.",
        "Give zinc for ten days, as the World Health Organization advises.",
        "Use ORS: Mix a packet with clean water.",
        "Water at 37 degrees Celsius is not hot.",
    ],
)
def test_true_sentences_pass(sentence: str) -> None:
    assert not grafted(sentence, SOURCE, SENTENCES)
