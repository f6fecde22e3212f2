"""A body of Markdown becomes passages: within one section, ended where a sentence ends, and nothing lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import starter
from knowledge.chunking import LONGEST_PASSAGE, BadFrontMatter, front_matter, passages, split_sentences

ARTICLES = sorted(starter.FOLDER.glob("*.md"))


def words_of(body: str) -> list[str]:
    """The words of a Markdown body without its headings and list marks."""
    lines = [line for line in body.splitlines() if not line.startswith("#")]
    return re.sub(r"^\s*(?:[-*]|\d+\.)\s+", "", "\n".join(lines), flags=re.MULTILINE).split()


def test_a_passage_carries_the_path_of_its_headings() -> None:
    found = passages(
        "# Fever\n\nIntro here.\n\n## Care\n\nRest well.\n\n### Children\n\nGive fluids.\n\n## Help\n\nSee a doctor."
    )
    assert [(each.heading, each.text) for each in found] == [
        ("", "Intro here."),
        ("Care", "Rest well."),
        ("Care > Children", "Give fluids."),
        ("Help", "See a doctor."),
    ]


def test_a_passage_never_crosses_a_heading() -> None:
    found = passages("## One\n\nShort.\n\n## Two\n\nAlso short.")
    assert [each.text for each in found] == ["Short.", "Also short."]


def test_each_item_of_a_list_is_a_sentence_of_its_own() -> None:
    (found,) = passages("## Care\n\n- Rest in bed.\n- Drink water\n- Eat. Sleep.\n")
    assert found.sentences == ("Rest in bed.", "Drink water", "Eat.", "Sleep.")


def test_numbered_steps_keep_their_order() -> None:
    (found,) = passages("1. Wash the wound.\n2. Press on it.\n3. Cover it.")
    assert found.sentences == ("Wash the wound.", "Press on it.", "Cover it.")


def test_marks_of_emphasis_and_addresses_of_links_are_left_out() -> None:
    (found,) = passages("Use **only** *paracetamol*, `ORS` and [this leaflet](https://example.org).")
    assert found.text == "Use only paracetamol, ORS and this leaflet."


def test_a_line_that_wraps_stays_one_sentence() -> None:
    (found,) = passages("Drink plenty\nof water\nevery day.")
    assert found.sentences == ("Drink plenty of water every day.",)


SENTENCES = [
    ("Rest. Drink! Why? Because.", ["Rest.", "Drink!", "Why?", "Because."]),
    ("Use salts, e.g. ORS, often. Then rest.", ["Use salts, e.g. ORS, often.", "Then rest."]),
    ("Ask Dr. Rao or Mrs. Das. She knows.", ["Ask Dr. Rao or Mrs. Das.", "She knows."]),
    ("Give 2.5 ml now. Wait.", ["Give 2.5 ml now.", "Wait."]),
    ("पानी पिएँ। आराम करें। डॉक्टर को दिखाएँ।", ["पानी पिएँ।", "आराम करें।", "डॉक्टर को दिखाएँ।"]),
    ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
    ("It is 38 °C. (That is 100.4 °F.) Call.", ["It is 38 °C.", "(That is 100.4 °F.)", "Call."]),
    ("No full stop at the end", ["No full stop at the end"]),
    ("   ", []),
    ("", []),
]


@pytest.mark.parametrize(("text", "expected"), SENTENCES)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


def test_a_long_section_is_divided_between_sentences() -> None:
    sentence = "This sentence has exactly ten words in it, I believe."
    found = passages("## Long\n\n" + " ".join([sentence] * 30))
    assert [len(each.sentences) for each in found] == [13, 13, 4]
    assert {each.heading for each in found} == {"Long"}


def test_one_endless_sentence_is_divided_and_keeps_every_word() -> None:
    text = " ".join(f"w{number}" for number in range(300))
    found = passages(text)
    assert [len(each.text.split()) for each in found] == [130, 130, 40]
    assert " ".join(each.text for each in found) == text


@pytest.mark.parametrize("body", ["", "\n\n", "## Only a heading", "---"])
def test_a_body_without_words_has_no_passages(body: str) -> None:
    assert passages(body) == []


@pytest.mark.parametrize("path", ARTICLES, ids=lambda path: path.stem)
def test_every_word_of_an_article_is_in_its_passages_in_order(path: Path) -> None:
    _, body = front_matter(path.read_text())
    found = passages(body)
    assert " ".join(each.text for each in found).split() == words_of(body)
    assert max(len(each.text.split()) for each in found) <= LONGEST_PASSAGE


@given(
    st.lists(
        st.lists(st.text(st.characters(categories=["Lu", "Ll", "Lo", "Mc"]), min_size=1, max_size=9), min_size=1), max_size=12
    )
)
def test_no_word_is_lost_whatever_the_paragraphs(paragraphs: list[list[str]]) -> None:
    body = "\n\n".join(" ".join(words) + "." for words in paragraphs)
    found = passages(body)
    assert " ".join(each.text for each in found).split() == body.split()
    assert all(len(each.text.split()) <= LONGEST_PASSAGE for each in found)


def test_the_front_matter_is_taken_off_the_body() -> None:
    assert front_matter("---\ntitle: Fever\nn: 1\n---\nBody\n---\nrest") == ({"title": "Fever", "n": 1}, "Body\n---\nrest")


def test_a_body_without_front_matter_is_left_whole() -> None:
    assert front_matter("## Fever\n\n---\n") == ({}, "## Fever\n\n---\n")


@pytest.mark.parametrize(
    "source", ["---\ntitle: [\n---\nbody", "---\n- a\n- b\n---\nbody", "---\ntitle: x\nno end", "---\n\n---\nbody"]
)
def test_front_matter_that_is_no_mapping_is_refused(source: str) -> None:
    with pytest.raises(BadFrontMatter):
        front_matter(source)


TABLE = "| Age | Dose | Note |\n|---|---|---|\n| 1 year | 120 mg | |\n| 2 years | 240 mg. | at most 4 a day |\n"


def test_a_row_of_a_table_is_a_sentence_that_can_be_read_alone() -> None:
    (found,) = passages("## Paracetamol\n\n" + TABLE)
    assert found.sentences == ("Age: 1 year; Dose: 120 mg.", "Age: 2 years; Dose: 240 mg.; Note: at most 4 a day.")


def test_a_cell_without_a_header_keeps_its_words() -> None:
    (found,) = passages("| | Dose |\n|---|---|\n| 1 year | 120 mg |\n")
    assert found.text == "1 year; Dose: 120 mg."


def test_a_passage_knows_its_page_and_never_crosses_one() -> None:
    found = passages("Before.\n\n<!-- page 3 -->\n\n## Care\n\nRest.\n\n<!-- page 4 -->\n\nDrink.\n")
    assert [(each.page, each.heading, each.text) for each in found] == [
        (None, "", "Before."),
        (3, "Care", "Rest."),
        (4, "Care", "Drink."),
    ]


def test_a_page_mark_inside_a_sentence_is_no_page() -> None:
    (found,) = passages("See `<!-- page 9 -->` there.")
    assert found.page is None


def test_indented_and_fenced_text_is_not_lost() -> None:
    (found,) = passages("Take this.\n\n    Rest in bed. Drink water.\n\n```\nEat well.\n```\n")
    assert found.sentences == ("Take this.", "Rest in bed.", "Drink water.", "Eat well.")


def by_words(texts: list[str]) -> list[int]:
    """A tokenizer that knows five letters at a time and adds two marks."""
    return [sum(-(-len(word) // 5) for word in text.split()) + 2 for text in texts]


RUNS_OF_WORDS = st.lists(st.text("abc", min_size=1, max_size=30), min_size=1, max_size=60).map(
    lambda words: " ".join(words) + "."
)


@given(st.lists(RUNS_OF_WORDS, min_size=1, max_size=8), st.integers(24, 120))
def test_every_passage_fits_the_window_and_no_letter_is_lost(sentences: list[str], window: int) -> None:
    body = "## Care\n\n" + " ".join(sentences)
    found = passages(body, title="Fever", count=by_words, window=window)
    head = by_words(["Fever > Care. "])[0]
    assert all(sum(by_words(list(each.sentences))) <= max(window - head, window // 2) for each in found)
    assert "".join("".join(each.text.split()) for each in found) == "".join("".join(sentences).split())


def test_a_window_that_is_wide_enough_changes_nothing() -> None:
    for path in ARTICLES[::9]:
        _, body = front_matter(path.read_text(encoding="utf-8"))
        assert passages(body, title="Any", count=lambda texts: [1] * len(texts), window=512) == passages(body)
