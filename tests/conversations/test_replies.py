"""The fixed sentences: complete, short, placeholders filled, and the right number first."""

import re
import tomllib
from string import Formatter
from typing import Any

import pytest

from conversations.replies import (
    NUMBERS,
    TEXTS,
    Numbers,
    country_of,
    emergency,
    load,
    numbers_for,
    self_harm,
    text,
)

LANGUAGES = ["en", "hi", "hi-Latn", "bn", "ta", "te", "mr", "gu", "kn", "ml", "pa", "es", "sw"]
COMPLETE = ["en", "hi", "hi-Latn"]
SMALLER = [
    "language_unsupported",
    "emergency.general",
    "self_harm",
    "handover_waiting",
    "stop_confirmed",
    "start_confirmed",
    "apology",
    "greeting",
    "buttons.helpful",
    "buttons.not_helpful",
    "buttons.person",
    "call_now",
    "call_now_unknown",
]
KINDS = ["audio", "image", "document", "sticker", "video", "location", "contacts"]


def flat(data: dict[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = "\n".join(value) if isinstance(value, list) else value
    return found


def own(language: str) -> dict[str, str]:
    return flat(load()[language.replace("-", "_").lower()])


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", COMPLETE)
def test_the_three_main_languages_say_everything(language: str) -> None:
    wanted = {key for key in own("en") if not key.startswith(("source.", "passage."))}
    assert wanted - own(language).keys() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_smaller_set_itself(language: str) -> None:
    assert [key for key in SMALLER if key not in own(language)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_the_same_in_every_language(language: str) -> None:
    english = own("en")
    for key, sentence in own(language).items():
        assert fields(sentence) == fields(english[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_buttons_fit_whatsapp_and_sentences_stay_short_and_calm(language: str) -> None:
    for key, sentence in own(language).items():
        assert len(sentence) <= (20 if key.startswith("buttons.") else 900), key
        assert "!" not in sentence, key


@pytest.mark.parametrize("language", LANGUAGES)
def test_stop_says_how_to_come_back(language: str) -> None:
    assert "START" in text("stop_confirmed", language)


def test_the_emergency_reply_names_the_number_first_and_then_three_lines() -> None:
    lines = emergency("stroke", language="en", country="IN").splitlines()
    assert lines[0] == "Call 112 or 108 now."
    assert len(lines) == 4


def test_an_unknown_country_gets_its_local_number_in_words() -> None:
    assert emergency("stroke", language="en", country="ZZ").startswith("Call your local emergency number now.")
    assert "your local emergency number" in self_harm(language="en", country="ZZ")


def test_a_set_number_rules() -> None:
    first = emergency("burns", language="en", country="IN", override="911, 102").splitlines()[0]
    assert first == "Call 911 or 102 now."


def test_a_language_without_the_concept_says_the_general_lines_itself() -> None:
    said = emergency("something new", language="ta", country="IN").splitlines()
    assert said[1:] == text("emergency.general", "ta").splitlines()


def test_an_unknown_concept_gets_the_general_lines() -> None:
    assert text("emergency.general", "hi") in emergency("something new", language="hi", country="IN")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reply_is_short_enough(language: str) -> None:
    for country in ("IN", "US", "ZZ"):
        for concept in load()["en"]["emergency"]:
            assert len(emergency(concept, language=language, country=country)) < 1000
        assert len(self_harm(language=language, country=country)) < 1000


@pytest.mark.parametrize("language", LANGUAGES)
def test_self_harm_names_the_helpline_of_the_country(language: str) -> None:
    assert "14416" in self_harm(language=language, country="IN")
    assert "988" in self_harm(language=language, country="US")


@pytest.mark.parametrize("language", COMPLETE)
def test_every_kind_of_media_has_a_name(language: str) -> None:
    for kind in KINDS:
        name = text(f"kinds.{kind}", language)
        assert name in text("media_not_yet", language, kind=name)


def test_waiting_says_how_long() -> None:
    assert "12 hours" in text("handover_waiting", "en", hours="12")


def test_missing_texts_fall_back_to_english_and_unknown_keys_are_errors() -> None:
    assert text("goodbye", "xx") == text("goodbye", "en")
    with pytest.raises(KeyError):
        text("no_such_key", "en")


@pytest.mark.parametrize(
    ("phone", "country"),
    [
        ("919876543210", "IN"),
        ("14155552671", "US"),
        ("447400123456", "GB"),
        ("254712345678", "KE"),
        ("12", "XX"),
        ("", "XX"),
    ],
)
def test_the_country_is_read_from_the_number(phone: str, country: str) -> None:
    assert country_of(phone, "XX") == country


def test_sixty_countries_have_a_number_and_a_source() -> None:
    rows = {k: v for k, v in tomllib.loads(NUMBERS.read_text("utf-8")).items() if isinstance(v, dict)}
    assert len(rows) >= 60
    for country, row in rows.items():
        assert all(row[key] for key in ("ambulance", "source")), country
        assert all(re.fullmatch(r"\d{2,5}", number) for number in row["ambulance"]), country
        assert all(url.startswith("https://") for url in row["source"]), country


def test_numbers_of_an_unknown_country_are_empty_and_india_has_both() -> None:
    assert numbers_for("ZZ") == Numbers()
    assert numbers_for("status") == Numbers()
    assert numbers_for("in").ambulance == ("112", "108")
    assert "14416" in numbers_for("IN").crisis[0]


def test_first_aid_has_a_source_and_every_file_says_that_it_is_unreviewed() -> None:
    english = load()["en"]
    assert english["source"].keys() == english["emergency"].keys()
    assert all(url.startswith("https://") for url in english["source"].values())
    assert {tomllib.loads(path.read_text("utf-8"))["status"] for path in TEXTS.glob("*.toml")} == {"unreviewed"}
