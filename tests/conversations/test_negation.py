"""A denial put in, taken out or moved, and a word changed for its opposite."""

from __future__ import annotations

import pytest

from conversations import negation

KEPT = [
    ("Never give a child tea.", "Do not give a child tea."),
    ("Don't give tea to a child.", "Do not give a child tea."),
    ("Aspirin is not safe in dengue.", "Do not take aspirin or ibuprofen for dengue."),
    ("Dengue can cause bleeding.", "Dengue can cause bleeding but does not cause a cough."),
    ("It is rarely fatal.", "It is seldom fatal."),
    ("Not only adults get it.", "Adults and children get it."),
    ("Wait a few days.", "Wait for some days."),
    ("Raise the leg before you rest.", "Raise the leg before resting."),
]
TURNED = [
    ("Give a child tea.", "Do not give a child tea."),
    ("Do not give a child tea.", "Give a child tea."),
    ("Give a child tea unless a doctor agrees.", "Do not give a child tea unless a doctor agrees."),
    ("Take ibuprofen for dengue.", "Do not take aspirin, ibuprofen or diclofenac for dengue."),
    ("Sleep with a net.", "Do not sleep without a net."),
    ("It heals without treatment.", "It heals with treatment."),
    ("Take it after meals.", "Take it before meals."),
    ("Drink more water.", "Drink less water."),
    ("Hold it under hot water.", "Hold it under cold water."),
    ("It lowers the pressure.", "It lowers the sugar but does not lower the pressure."),
    ("Look up.", "Look down."),
    ("Not all who drink get it, and all who get it drink.", "Not all who drink get it, and not all who get it drink."),
]


@pytest.mark.parametrize(("sentence", "source"), KEPT)
def test_the_same_meaning_is_not_called_turned(sentence: str, source: str) -> None:
    assert not negation.turned(sentence, [source])


@pytest.mark.parametrize(("sentence", "source"), TURNED)
def test_a_turned_meaning_is_seen(sentence: str, source: str) -> None:
    assert negation.turned(sentence, [source])


def test_without_a_source_a_denial_stands_on_nothing() -> None:
    assert negation.turned("Do not drink it.", [])
    assert not negation.turned("Drink it.", [])
