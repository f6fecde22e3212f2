"""A translation that lost or gained something that may harm is not sent; a true one is."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import pytest

from conversations import replies, translation_checks
from conversations.translation_checks import NAMES, with_digits, wrong

DATA = Path(os.environ.get("JEEVO_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
ENGLISH = ["Give 10 ml every 4 hours, at most 3 times in 24 hours. [1]", "Do not give ibuprofen (brufen). [2]"]
HINDI = [
    "हर 4 घंटे में 10 ml दें, 24 घंटे में अधिक से अधिक 3 बार। [1]",
    "आइबुप्रोफेन (ibuprofen) न दें (brufen)। [2]",
]


def test_a_true_translation_passes() -> None:
    assert wrong(ENGLISH, HINDI, "hi") == ""


def test_digits_of_the_script_are_digits() -> None:
    assert wrong(ENGLISH, [HINDI[0].replace("24", "२४"), HINDI[1]], "hi") == ""


@pytest.mark.parametrize(
    ("line", "old", "new", "why"),
    [
        (0, "[1]", "[2]", "mark"),
        (0, "[1]", "", "mark"),
        (0, "10 ml", "100 ml", "number"),
        (0, "3 बार", "", "number"),
        (0, "10 ml", "10 mg", "unit"),
        (0, "हर 4 घंटे में", "हर 4 दिन में", "unit"),
        (0, "दें,", "दें, 5 दिन तक,", "number"),
        (0, "बार।", "बार। https://evil.example", "address"),
        (0, "बार।", "बार। evil.example/pay", "address"),
        (0, "बार।", "बार। भारत.कॉमर्स", "address"),
        (0, "बार।", "बार। 98765 43210", "number"),
        (1, "न दें", "दें", "denies"),
        (1, "(ibuprofen)", "", "medicine"),
        (1, "(ibuprofen)", "(ibuprofen, aspirin)", "medicine"),
        (1, "न दें", "न दें" + " और अपना ध्यान रखें" * 12, "longer"),
        (1, "आइबुप्रोफेन (ibuprofen) न दें (brufen)।", "Do not give ibuprofen (brufen).", "language"),
    ],
)
def test_what_is_lost_or_added_is_seen(line: int, old: str, new: str, why: str) -> None:
    changed = list(HINDI)
    assert old in changed[line]
    changed[line] = changed[line].replace(old, new)
    assert why in wrong(ENGLISH, changed, "hi")


def test_a_line_more_or_less_is_seen() -> None:
    assert "lines" in wrong(ENGLISH, HINDI[:1], "hi")
    assert "lines" in wrong(ENGLISH, [*HINDI, "और सुनें। [2]"], "hi")


def test_a_denial_that_ours_does_not_have_is_seen() -> None:
    assert "denies" in wrong(["Give water often. [1]"], ["बार-बार पानी नहीं दें। [1]"], "hi")


def test_marathi_is_no_hindi() -> None:
    assert "language" in wrong(["Give water often. [1]"], ["उसे बार-बार पानी दें और आराम करने दें, यह ज़रूरी है। [1]"], "mr")


@pytest.mark.parametrize(
    ("english", "spoken", "line"),
    [
        ("Drink water and rest for 2 days. [1]", "es", "Bebe agua y descansa por 2 días, es muy bueno para ti. [1]"),
        ("Give water every 2 hours. [1]", "hi-Latn", "Bachche ko har 2 ghante mein pani dein. [1]"),
        ("Give water every 2 hours. [1]", "ta", "ஒவ்வொரு 2 மணி நேரத்திற்கும் தண்ணீர் கொடுங்கள். [1]"),
        ("Give water every 2 hours. [1]", "bn", "প্রতি 2 ঘণ্টায় পানি দিন। [1]"),
    ],
)
def test_each_script_has_its_own_way_to_pass(english: str, spoken: str, line: str) -> None:
    assert wrong([english], [line], spoken) == ""


def test_number_words_become_digits_that_can_be_compared() -> None:
    assert with_digits("Give it three times, or Twice a day to one child.") == "Give it 3 times, or 2 times a day to one child."


@pytest.mark.parametrize("language", sorted(NAMES))
def test_every_language_we_translate_into_has_texts_units_and_denials(language: str) -> None:
    assert language.replace("-", "_").lower() in replies.load()
    assert {"minute", "hour", "day", "week", "month", "year", "time", "tablet"} <= set(
        translation_checks._signs("units", language)
    )
    assert translation_checks._signs("denials", "")[language]
    assert translation_checks._signs("plain_denials", "")[language]


# On the parallel texts (docs/adr/0024): the share of true translations that pass. They were not asked to write digits or
# English names, so this is less than what a model can do that was.
FLOORS = {"hi": 0.9, "bn": 0.89, "mr": 0.89, "ta": 0.8, "es": 0.87, "sw": 0.88}


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder named by JEEVO_DATA is not here")
@pytest.mark.parametrize("language", sorted(FLOORS))
def test_true_translations_pass_and_changed_numbers_never_do(language: str) -> None:
    passed = total = 0
    with gzip.open(DATA / "tico19_parallel.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        if not row.get(language) or len(row["en"].split()) > 30:
            continue
        ours, theirs = (translation_checks._MEDICINE.sub("it", text) + " [1]" for text in (with_digits(row["en"]), row[language]))
        passed += not translation_checks._wrong_line(ours, theirs, language)
        total += 1
        changed = re.sub(r"\d", lambda found: str((int(found[0]) + 1) % 10), theirs.removesuffix(" [1]"), count=1) + " [1]"
        if changed != theirs:
            assert translation_checks._wrong_line(ours, changed, language)
    assert passed >= FLOORS[language] * total
