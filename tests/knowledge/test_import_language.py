"""The letters of a text overrule a language that is not written in them; otherwise what was said stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge import import_language

ENGLISH = "Give the child plenty of fluids and see a doctor if the fever lasts three days."
HINDI = "बच्चे को खूब पानी पिलाएँ और तीन दिन तक बुखार रहे तो डॉक्टर को दिखाएँ। आराम करने दें और हल्का भोजन दें।"
TAMIL = "குழந்தைக்கு நிறைய தண்ணீர் கொடுங்கள். மூன்று நாட்கள் காய்ச்சல் இருந்தால் மருத்துவரைப் பாருங்கள்."


@pytest.mark.parametrize(
    ("text", "stated", "file_says", "found"),
    [
        (ENGLISH, "en", "", "en"),
        (ENGLISH, "en", "en-GB", "en"),
        (ENGLISH, "sw", "", "sw"),
        (HINDI, "hi", "", "hi"),
        (HINDI, "mr", "", "mr"),
        (HINDI, "hi", "und", "hi"),
        ("Rest.", "hi", "", "hi"),
    ],
)
def test_what_was_said_stands_where_the_letters_do_not_speak_against_it(
    text: str, stated: str, file_says: str, found: str
) -> None:
    assert import_language.of(text, stated=stated, file_says=file_says) == (found, "")


@pytest.mark.parametrize(
    ("text", "stated", "file_says", "found", "words"),
    [
        (HINDI, "en", "", "hi", "written in Devanagari letters, so it was taken as Hindi and not as English"),
        (HINDI, "en", "en-US", "hi", "taken as Hindi"),
        (HINDI, "ne", "en", "ne", "taken as Nepali and not as English"),
        (TAMIL, "hi", "", "ta", "written in Tamil letters"),
        (ENGLISH, "hi", "", "hi", "called Hindi and written in Latin letters"),
        (ENGLISH, "en", "fr", "fr", "calls itself French, and the import said English"),
    ],
)
def test_a_difference_is_decided_and_said(text: str, stated: str, file_says: str, found: str, words: str) -> None:
    language, sentence = import_language.of(text, stated=stated, file_says=file_says)
    assert language == found
    assert words in sentence


@given(st.text(max_size=400), st.sampled_from(sorted(import_language.LANGUAGES)), st.text(max_size=8))
def test_any_text_gets_a_code_that_fits_its_column(text: str, stated: str, file_says: str) -> None:
    language, _ = import_language.of(text, stated=stated, file_says=file_says)
    assert language
    assert len(language) <= 12
