"""Errors are planted the same way for the same seed, and true sentences stay true."""

from __future__ import annotations

import random

import pytest

from conversations.evaluation import planted
from conversations.evaluation.planted import Source

SENTENCE = "If the fever lasts 3 days, the doctor may give 20 mg of zinc twice a day."
CORPUS = [
    Source(
        "a", "Dengue", "", tuple(f"The liver of patient {n} is large and the spleen of a person was small." for n in range(9))
    ),
    Source("b", "Measles", "", tuple(f"The tests of clinic {n} and the kidneys of women are good." for n in range(9))),
]


def draw(seed: int = 1) -> random.Random:
    return random.Random(seed)


@pytest.mark.parametrize("seed", range(20))
def test_another_number_changes_a_number_and_nothing_else(seed: int) -> None:
    changed = planted.wrong_number(SENTENCE, draw(seed))
    assert changed is not None
    before, after = SENTENCE.split(), changed.split()
    different = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert len(different) == 1
    assert different[0][0] in ("3", "20")


@pytest.mark.parametrize("seed", range(20))
def test_another_dose_changes_an_amount_a_unit_or_a_frequency(seed: int) -> None:
    changed = planted.wrong_dose(SENTENCE, draw(seed))
    assert changed not in (None, SENTENCE)


def test_a_sentence_without_a_number_has_none_to_change() -> None:
    assert planted.wrong_number("Rest and drink water.", draw()) is None
    assert planted.wrong_dose("Rest and drink water.", draw()) is None


@pytest.mark.parametrize(
    ("sentence", "changed"),
    [
        ("Do not take aspirin.", "Do take aspirin."),
        ("You cannot catch it.", "You can catch it."),
        ("Never share needles.", "Always share needles."),
        ("It heals without scars.", "It heals with scars."),
    ],
)
def test_a_denial_is_taken_out_first(sentence: str, changed: str) -> None:
    assert planted.turned(sentence, draw()) == changed


def test_a_denial_is_put_in_where_there_is_none() -> None:
    assert planted.turned("Dengue can kill.", draw()) == "Dengue can not kill."
    assert planted.turned("Rest well.", draw()) is None


def test_names_come_from_the_corpus() -> None:
    names = planted.inventory(CORPUS)
    assert {"liver", "spleen"} <= set(names.singular)
    assert "kidneys" in names.plural
    changed = {planted.wrong_name("The liver is large.", draw(n), names=names, title="Dengue") for n in range(9)}
    assert None not in changed
    assert "The liver is large." not in changed


def test_the_topic_is_exchanged_for_another() -> None:
    names = planted.inventory(CORPUS)
    found = {planted.wrong_name("Dengue is spread by mosquitoes.", draw(n), names=names, title="Dengue") for n in range(9)}
    assert "Measles is spread by mosquitoes." in found


def test_the_same_seed_plants_the_same() -> None:
    names = planted.inventory(CORPUS)
    for way in (planted.wrong_number, planted.wrong_dose, planted.turned):
        assert way(SENTENCE, draw(5)) == way(SENTENCE, draw(5))
    one, other = (planted.wrong_name("The liver is large.", draw(5), names=names, title="") for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("way", "sentence", "changed"),
    [
        ("the condition last", "If you bleed, go to hospital.", "Go to hospital if you bleed."),
        ("the condition first", "Go to hospital if you bleed.", "If you bleed, go to hospital."),
        ("brackets left out", "Zinc (a mineral) helps.", "Zinc helps."),
        ("a number in words", "Wait 2 days.", "Wait two days."),
        ("a number in digits", "Wait two days.", "Wait 2 days."),
        ("not shortened", "It is not bad.", "It isn't bad."),
        ("a list reordered", "You need rest, water and salt.", "You need water, rest and salt."),
    ],
)
def test_a_true_sentence_is_said_differently(way: str, sentence: str, changed: str) -> None:
    assert planted.WAYS[way](sentence, draw()) == changed


def test_what_is_said_differently_names_its_ways() -> None:
    text, ways = planted.said_differently("If you bleed a lot (or faint), go to a hospital within 2 hours.", draw())
    assert text != "If you bleed a lot (or faint), go to a hospital within 2 hours."
    assert 1 <= len(ways) <= 3
    assert planted.said_differently("Zzz zzz.", draw()) == ("Zzz zzz.", ())
