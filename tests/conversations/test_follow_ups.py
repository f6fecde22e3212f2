"""A question that leans on an earlier one stands alone after the rules have read both."""

from __future__ import annotations

import pytest

from conversations.follow_ups import standalone
from conversations.prompts import Earlier

FEVER = Earlier("How do I bring down a fever in a two-year-old?", "Fever in children")
DENGUE = Earlier("Can I take ibuprofen for dengue?", "Dengue")


@pytest.mark.parametrize(
    ("text", "earlier", "question"),
    [
        ("and for adults?", FEVER, "How do I bring down a fever for adults?"),
        ("what about pregnant women?", DENGUE, "Can I take ibuprofen for dengue for pregnant women?"),
        ("and if she is pregnant?", DENGUE, "Can I take ibuprofen for dengue when pregnant?"),
        ("for 5 year old?", DENGUE, "Can I take ibuprofen for dengue for 5 year old?"),
        ("how long does it last?", DENGUE, "how long does dengue last?"),
        ("is it contagious?", DENGUE, "is dengue contagious?"),
        ("what can I take for it?", DENGUE, "what can I take for dengue?"),
        ("how many times a day", FEVER, "fever in children: how many times a day"),
        ("why", Earlier("is cholera dangerous?"), "is cholera dangerous: why"),
    ],
)
def test_what_is_left_out_is_put_in(text: str, earlier: Earlier, question: str) -> None:
    assert standalone(text, earlier) == question


def test_an_endless_title_does_not_become_the_question() -> None:
    assert len(standalone("is it contagious?", Earlier("x", "word " * 500))) < 200


def test_a_title_with_signs_of_patterns_is_taken_as_it_is() -> None:
    assert standalone("is it contagious?", Earlier("x", r"Fever \1 (acute)")) == r"is fever \1 (acute) contagious?"
