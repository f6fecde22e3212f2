"""Why a passage was found: in words that name what is shared, and as bars on one scale."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import reasons

Json = dict[str, Any]


def a_passage(parts: list[list[Any]], *, text: str = "Give the child plenty to drink when feverish.", **fields: str) -> Json:
    return {"title": "Fever in children", "heading": "What to do", "text": text, "parts": parts} | fields


def said(parts: list[list[Any]], question: str = "my child has fever") -> list[str]:
    (only,) = reasons.explained(question, [a_passage(parts)])
    return [each.said for each in only.parts]


def test_the_words_that_are_shared_are_named_as_they_were_asked() -> None:
    assert said([["meaning", 0.6], ["words", 0.2]]) == ["close in meaning", "shares the words child, fever"]


def test_words_that_only_the_stem_shares_and_long_lists_are_told_shortly() -> None:
    assert said([["words", 0.2]], "fevers and drinking") == ["shares the words fevers, drinking"]
    words = "alpha bravo carol delta eagle falcon gamma hotel"
    (only,) = reasons.explained(words, [a_passage([["words", 0.3]], text=words)])
    assert only.parts[0].said == "shares the words alpha, bravo, carol, delta, eagle, falcon and 2 more"


def test_a_reason_nobody_described_keeps_its_name_and_common_words_are_no_reason() -> None:
    assert said([["freshness", 0.1]]) == ["freshness"]
    assert said([["words", 0.1]], "what does the year have") == ["shares words"]


def test_the_best_passage_fills_the_bar_and_the_others_are_on_its_scale() -> None:
    first, second = reasons.explained("x", [a_passage([["meaning", 0.6], ["words", 0.2]]), a_passage([["meaning", 0.4]])])
    assert [(each.x, each.width, each.tint) for each in first.parts] == [(0, 75, 1), (75, 25, 2)]
    assert [(each.x, each.width) for each in second.parts] == [(0, 50)]


def test_what_held_a_passage_back_is_told_apart() -> None:
    (only,) = reasons.explained("x", [a_passage([["meaning", 0.6], ["section", -0.1], ["topic", 0.0]])])
    assert [each.said for each in only.parts] == ["close in meaning"]
    assert [(each.said, each.figure) for each in only.against] == [("the section is about what is asked", -0.1)]


@given(figures=st.lists(st.lists(st.floats(-2, 2), max_size=6), max_size=5))
def test_a_bar_never_leaves_its_frame(figures: list[list[float]]) -> None:
    passages = [a_passage([[f"p{place}", figure] for place, figure in enumerate(each)]) for each in figures]
    for each in reasons.explained("x", passages):
        assert all(part.width >= 0 and part.x + part.width <= 100.2 for part in each.parts)


@pytest.mark.parametrize("question", ["", "123 456", "?!", "ab"])
def test_a_question_without_words_shares_none(question: str) -> None:
    assert reasons.shared_words(question, "fever 123 ab") == []
