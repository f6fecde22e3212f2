"""Rules as books: which language reads which message, and that one language's small words stay out of another's."""

from __future__ import annotations

from typing import Any

import pytest

from conversations import rulebook
from conversations.lexicon import Lexicon
from conversations.rulebook import Book, Level
from conversations.triage import judge
from conversations.wordforms import plain, sound, tokens

PARTS = "filler deny deny_after not_denial denial_ends list_or past had present opens greeting general frame personal"
CONTEXT: dict[str, list[str]] = {name: [] for name in PARTS.split()}


def language(words: dict[str, list[str]], patterns: list[str], **more: Any) -> dict[str, Any]:
    row = {"id": "heart_attack", "level": "emergency", "source": "https://example.org", "patterns": patterns}
    return {"context": CONTEXT | more.pop("context", {}), "sets": words, "concepts": [row], **more}


@pytest.fixture(scope="module")
def books() -> tuple[Book, ...]:
    files = rulebook.read_files()
    made_up = language({"chest": ["nenju", "chest"], "pain": ["vali", "pain"]}, ["<chest> .. <pain>"], denies_english=["illaiyo"])
    return rulebook.made({name: files[name] for name in rulebook.COMMON} | {"xx_latn": made_up})


def test_a_language_reads_only_what_has_enough_of_its_words(books: tuple[Book, ...]) -> None:
    _, other = books
    assert other.share(tokens("appa ku nenju vali")) == 0.5
    assert other.share(tokens("hello doctor. nenju pain")) == 0.5
    assert other.share(tokens("what helps against a cold that my vali had for many days now")) == 0
    assert other.share(tokens("chest pain")) == 0


def test_its_rules_find_what_the_common_book_cannot(books: tuple[Book, ...]) -> None:
    common, _ = books
    assert judge("nenju romba vali", books=[common]).level is Level.ROUTINE
    found = judge("nenju romba vali", books=books)
    assert found.level is Level.EMERGENCY
    assert found.rules == ("xx_latn.heart_attack.1",)


def test_a_denial_that_people_put_after_english_words_holds_in_the_common_book(books: tuple[Book, ...]) -> None:
    assert judge("chest pain", books=books).level is Level.EMERGENCY
    assert judge("chest pain illaiyo", books=books).level is Level.ROUTINE


def test_words_in_latin_letters_are_known_by_their_sound(books: tuple[Book, ...]) -> None:
    assert judge("nenjju romba valii", books=books).level is Level.EMERGENCY
    assert sound("dhaan") == sound("daan") == sound("dan")
    assert sound("neer") == sound("nir") != sound("nor")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("জ্বর নীল", "জ্বর নিল"),
        ("છાતીમાં", "છાતિમા"),
        ("ਸਾਂਹ", "ਸਾਹ"),
        ("ഹൃദയത്തിൽ", "ഹൃദയത്തില്\u200d"),
        ("మూర్ఛ", "ముర్ఛ"),
    ],
)
def test_spellings_of_one_word_in_indian_scripts_are_one_word(one: str, other: str) -> None:
    assert plain(one) == plain(other)


def test_the_last_word_of_a_phrase_may_be_a_stem() -> None:
    lexicon = Lexicon()
    lexicon.add("falls unconsc*", "=out")
    assert list(lexicon.at(["falls", "unconscious"], 0)) == [("=out", 2)]
    assert list(lexicon.at(["falls", "asleep"], 0)) == list(lexicon.at(["falls"], 0)) == []


def test_where_two_languages_know_a_word_the_one_with_more_words_reads(books: tuple[Book, ...]) -> None:
    files = rulebook.read_files()
    one = language({"out": ["murcha"]}, ["<out>"])
    two = language({"out": ["lost"], "more": ["vyadhi", "enduku"]}, ["<out> + <more>"])
    both = rulebook.made({name: files[name] for name in rulebook.COMMON} | {"xx_latn": one, "yy_latn": two})
    assert judge("murcha", books=both).level is Level.EMERGENCY
    assert judge("murcha vyadhi enduku", books=both).level is Level.ROUTINE


def test_a_file_that_lacks_a_part_is_an_error_that_names_it() -> None:
    files = rulebook.read_files()
    broken: dict[str, Any] = {name: dict(files[name]) for name in rulebook.COMMON}
    del broken["hi"]["sets"]
    with pytest.raises(KeyError, match="sets"):
        rulebook.made(broken)
