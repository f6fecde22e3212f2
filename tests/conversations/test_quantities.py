"""A number belongs to a unit, a bound and a thing: what a source does not carry is named."""

from __future__ import annotations

import pytest

from conversations import quantities

SAME = [
    ("two tablets", "take 2 tablets"),
    ("2 tablets", "take two tablets"),
    ("twice a day", "two times a day"),
    ("twice daily", "2 times per day"),
    ("daily", "each day"),
    ("40 °C", "a temperature of 40C"),
    ("20 min", "20 minutes"),
    ("1 liter", "1 litre"),
    ("5 mL", "5 ml"),
    ("6-8 cups", "6 to 8 cups"),
    ("between 5 and 10 mg", "5-10 mg"),
    ("1,000 mg", "1000 mg"),
    ("0.50 ml", "0.5 ml"),
    ("1/2 tablet", "half a tablet"),
    ("twenty-five days", "25 days"),
    ("two hundred people", "200 people"),
    ("10 percent", "10%"),
    ("20 minutes or more", "at least 20 minutes"),
    ("20 minutes", "at least 20 minutes"),
    ("once the fever is gone", "when the fever is gone"),
    ("one should rest", "rest"),
    ("no numbers here", "nor here"),
]
DIFFERENT = [
    ("20 tablets", "2 tablets"),
    ("2 tablets", "some tablets"),
    ("5 g", "5 mg"),
    ("5 hours", "5 days"),
    ("once a day", "twice a day"),
    ("daily", "weekly"),
    ("every 6 hours", "every 4 hours"),
    ("for 4 hours", "every 4 hours"),
    ("half a tablet", "a tablet"),
    ("a tablet", "half a tablet"),
    ("double the dose", "the dose"),
    ("10 to 5 mg", "5 to 10 mg"),
    ("children under 5 years", "children over 5 years"),
    ("at most 38 degrees", "at least 38 degrees"),
    # The most that may be taken is not what is to be taken.
    ("take 4 g of paracetamol", "take up to 4 g of paracetamol"),
    ("0.5 ml", "5 ml"),
    ("50 percent", "50 people"),
    ("the third trimester", "the second trimester"),
    ("10 mg of zinc", "20 mg of zinc and 10 mg of iron"),
]


@pytest.mark.parametrize(("sentence", "source"), SAME)
def test_the_same_amount_may_be_written_in_another_way(sentence: str, source: str) -> None:
    assert quantities.missing(sentence, [source]) == []


@pytest.mark.parametrize(("sentence", "source"), DIFFERENT)
def test_another_amount_is_missing_in_the_source(sentence: str, source: str) -> None:
    assert quantities.missing(sentence, [source])


def test_a_number_may_not_move_to_another_thing() -> None:
    source = ["Boys need 8 vaccine visits at school.", "Adults sleep 7 hours."]
    assert quantities.missing("Adults sleep 8 hours.", source)
    assert not quantities.missing("Adults sleep 7 hours.", source)


@pytest.mark.parametrize(
    "text", ["", "-", "1/", "½", "%", "between", "1-", "5 to", "twenty-", "1,2,3", "٣", "10⁵", "1.2.3", "°", "one"]
)
def test_no_text_is_too_odd(text: str) -> None:
    quantities.quantities(text)
    assert quantities.missing(text, [text]) == []
