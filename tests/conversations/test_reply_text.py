"""One WhatsApp message holds the answer, its sources, the disclaimer and the buttons, within WhatsApp's limits."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from conversations import replies, reply_text
from conversations.draft import Draft
from tests.factories import a_draft, a_passage
from tests.fakes import spoken

SENTENCE = "Give the child small sips of water or oral rehydration solution every few minutes, day and night"
LANGUAGES = sorted(replies.load())


def body_of(draft: Draft) -> dict[str, Any]:
    return reply_text.body(draft, answer_key=uuid4())


def words_of(draft: Draft) -> str:
    return spoken(body_of(draft))


def buttons_of(draft: Draft) -> list[dict[str, str]]:
    buttons: list[dict[str, Any]] = body_of(draft)["interactive"]["action"]["buttons"]
    return [each["reply"] for each in buttons]


def test_an_answer_has_text_sources_and_disclaimer_in_this_order() -> None:
    words = words_of(a_draft("Drink water. [1]", cited=(a_passage("Fever"),)))
    assert words == (
        "Drink water. [1]\n\nSources\n[1] Fever, WHO\nhttps://example.org/fever\n\n" + replies.text("disclaimer", "en")
    )


def test_starter_content_is_named_as_unreviewed() -> None:
    words = words_of(a_draft(cited=(a_passage(), a_passage("Water", unreviewed=True))))
    assert words.endswith(replies.text("starter_disclaimer", "en"))


def test_a_preface_comes_first() -> None:
    assert words_of(a_draft("Drink water.", preface="See a doctor today.")) == "See a doctor today.\n\nDrink water."
    assert words_of(a_draft("Hello.", preface="See a doctor today.", buttons=False)) == "See a doctor today.\n\nHello."


def test_passages_of_one_document_are_one_source_with_all_their_numbers() -> None:
    fever = a_passage("Fever")
    cited = (fever, a_passage("Dengue"), a_passage("Fever", chunk=uuid4()))
    words = words_of(a_draft("One. [1]\nTwo. [2]\nThree. [3]", cited=cited))
    assert "[1][3] Fever, WHO\nhttps://example.org/fever\n[2] Dengue, WHO\nhttps://example.org/dengue\n" in words


def test_a_source_without_publisher_or_address_is_named_by_its_title() -> None:
    words = words_of(a_draft(cited=(a_passage("Fever", publisher="", url=""),)))
    assert "Sources\n[1] Fever\n\n" in words


def test_a_passage_that_no_sentence_cites_is_no_source() -> None:
    assert "Dengue" not in words_of(a_draft("Drink. [1]", cited=(a_passage("Fever"), a_passage("Dengue"))))


@pytest.mark.parametrize("sentences", [1, 5, 12, 40, 200])
@pytest.mark.parametrize("documents", [1, 4])
def test_an_answer_of_any_length_fits_and_no_sentence_is_cut(sentences: int, documents: int) -> None:
    lines = [f"{SENTENCE} {n}. [{1 + n % documents}]" for n in range(sentences)]
    cited = tuple(a_passage(f"A document with quite a long title, number {n}") for n in range(documents))
    words = words_of(a_draft("\n".join(lines), cited=cited))
    text, sources, disclaimer = re.split(r"\n\n(?:Sources\n)?", words)
    assert len(words) <= reply_text.LONGEST_INTERACTIVE
    assert set(text.split("\n")) <= set(lines)
    assert text.split("\n")[-1] == lines[-1], "the last sentence says when to get help"
    assert set(re.findall(r"\[\d\]", text)) == set(re.findall(r"\[\d\]", sources)), (
        "every mark has its source, every source its mark"
    )
    assert disclaimer == replies.text("disclaimer", "en")


def test_an_answer_that_fits_loses_nothing() -> None:
    lines = [f"{SENTENCE} {n}. [1]" for n in range(5)]
    assert words_of(a_draft("\n".join(lines), cited=(a_passage(),))).startswith("\n".join(lines))


def test_an_address_of_a_thousand_characters_goes_before_the_disclaimer_does() -> None:
    cited = (a_passage("Fever", url="https://example.org/" + "x" * 980),)
    words = words_of(a_draft("One. [1]\nTwo. [1]", cited=cited))
    assert words == "Two. [1]\n\nSources\n[1] Fever, WHO\n\n" + replies.text("disclaimer", "en")


def test_even_a_sentence_without_an_end_fits() -> None:
    words = words_of(a_draft("word " * 900))
    assert len(words) <= reply_text.LONGEST_INTERACTIVE
    assert words.endswith("word…")


def test_an_answer_offers_feedback_and_a_person() -> None:
    key = uuid4()
    body = reply_text.body(a_draft(cited=(a_passage(),)), answer_key=key)
    names = [each["reply"]["id"] for each in body["interactive"]["action"]["buttons"]]
    assert names == [f"helpful:{key}", f"not_helpful:{key}", f"person:{key}"]


def test_what_cites_nothing_offers_a_person_alone() -> None:
    assert [each["id"].split(":")[0] for each in buttons_of(a_draft("I do not know."))] == ["person"]


@pytest.mark.parametrize("language", [*LANGUAGES, "hi-Latn", "fr", "und"])
def test_buttons_are_short_enough_in_every_language(language: str) -> None:
    buttons = buttons_of(a_draft(language=language, cited=(a_passage(),)))
    assert len(buttons) == 3
    assert all(0 < len(each["title"]) <= 20 and len(each["id"]) <= 256 for each in buttons)
    assert len({each["title"] for each in buttons}) == 3


def test_plain_text_keeps_within_the_limit_and_shows_no_preview() -> None:
    body = reply_text.plain("x" * 5_000)
    assert (len(body["text"]["body"]), body["text"]["preview_url"]) == (4_096, False)


def test_a_source_with_pages_names_the_page_of_each_sentence_once() -> None:
    guideline = a_passage("Malaria", page=7)
    same = replace(guideline, page=3, chunk=uuid4())
    draft = a_draft("Sleep under a net. [1]\nSee a doctor. [2]\nRest. [3]", cited=(guideline, same, guideline))
    assert "[1][2][3] Malaria, WHO, page 3, 7\n" in words_of(draft)


def test_the_page_is_named_in_the_language_of_the_reply() -> None:
    draft = a_draft("पानी पिएँ। [1]", language="hi", cited=(a_passage("Malaria", page=7),))
    assert "Malaria, WHO, पृष्ठ 7\n" in words_of(draft)
