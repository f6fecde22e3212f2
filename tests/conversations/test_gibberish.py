"""A hand on the keyboard is told from words, in any script, and no real message is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from conversations.gibberish import is_gibberish
from conversations.questions import Sort, sort

DATA = Path(os.environ.get("JEEVO_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


@pytest.mark.parametrize(
    "text",
    ["asdf", "asdfgh jkl", "aaaaaa", "sdfghjk", "qwerty", "asdasdasd", "zzzz zz", "lkjh", "हहहहहह", "fgfgfgfg!", "ggggg hhhh"],
)
def test_mashed_keys_are_gibberish(text: str) -> None:
    assert is_gibberish(text)
    assert sort(text) is Sort.GIBBERISH


@pytest.mark.parametrize(
    "text",
    [
        "BP",
        "TB test",
        "COPD",
        "HIV",
        "hmm",
        "puberty",
        "banana",
        "no",
        "fever asdf",
        "ताप",
        "rhythm",
        "fgkl 500",
        "",
        "👍",
        "mjhe bkhr",
    ],
)
def test_words_and_abbreviations_are_not(text: str) -> None:
    assert not is_gibberish(text)


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder named by JEEVO_DATA is not here")
@pytest.mark.parametrize(
    ("name", "key"),
    [("healthsearchqa", "question"), ("medicationqa", "question"), ("kqa_questions", "question"), ("urgency_idinsight", "text")],
)
def test_no_question_of_a_real_person_is_gibberish(name: str, key: str) -> None:
    with (DATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    assert [row[key] for row in rows if is_gibberish(row.get(key) or "fever")] == []
