"""What is clearly no question about health, and everything where health may be meant."""

from __future__ import annotations

import pytest

from conversations.off_topic import is_off_topic


@pytest.mark.parametrize(
    "text",
    ["who won the cricket match", "What is the capital of France?", "write me a poem", "tell me a joke", "how do I get a loan"],
)
def test_another_subject_is_told(text: str) -> None:
    assert is_off_topic(text)


@pytest.mark.parametrize(
    "text",
    [
        "Will the new bridge open this year?",
        "best movie to watch with back pain",
        "I am feeling under the weather",
        "my salary is gone and I want to die",
        "exam results make me anxious",
        "is cricket safe with asthma",
        "how do I treat kidney stones",
        "zorbitis",
    ],
)
def test_where_health_may_be_meant_nothing_is_told(text: str) -> None:
    assert not is_off_topic(text)
