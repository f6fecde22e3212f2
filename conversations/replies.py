"""Fixed sentences in the patient's language, and the numbers to call in the country of the phone.

The wording is data (`texts/*.toml`, `emergency_numbers.toml`); no model ever words an emergency.
A text missing in a language is said in the base language and then in English; an unknown key is a KeyError.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import phonenumbers

TEXTS = Path(__file__).parent / "texts"
NUMBERS = Path(__file__).parent / "emergency_numbers.toml"


@dataclass(frozen=True)
class Numbers:
    ambulance: tuple[str, ...] = ()
    crisis: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def text(key: str, language: str, **values: str) -> str:
    """The sentence for `key` ("stop_confirmed", "buttons.person"), with its {placeholders} filled.

    {numbers} may be left out and is then "your local emergency number".
    """
    for name in chain(language):
        found = find(key, name)
        if found is not None:
            values.setdefault("numbers", find("local_number", name) or "")
            return found.format(**values)
    raise KeyError(key)


def chain(language: str) -> tuple[str, ...]:
    name = language.replace("-", "_").lower()
    return tuple(dict.fromkeys((name, name.split("_")[0], "en")))


@cache
def find(key: str, name: str) -> str | None:
    value: Any = load().get(name, {})
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, list):
        return "\n".join(value)
    return value if isinstance(value, str) else None


@cache
def load() -> dict[str, dict[str, Any]]:
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in TEXTS.glob("*.toml")}


def emergency(concept: str, *, language: str, country: str, override: str = "") -> str:
    """The number to call on the first line, then what to do now in three lines."""
    return "\n".join((call_now(language, country, override), steps(concept, language)))


def steps(concept: str, language: str) -> str:
    """First aid for the concept in the patient's own language, else the general lines, before any English."""
    for name in chain(language):
        found = find(f"emergency.{concept}", name) or find("emergency.general", name)
        if found:
            return found
    raise KeyError(concept)


def call_now(language: str, country: str, override: str = "") -> str:
    numbers = callable_numbers(language, country, override)
    return text("call_now", language, numbers=numbers) if numbers else text("call_now_unknown", language)


def callable_numbers(language: str, country: str, override: str = "") -> str:
    """ "112 or 108" as said in the language; empty when the country is unknown."""
    wanted = override.replace(",", " ").split() if override else list(numbers_for(country).ambulance)
    return f" {text('number_or', language)} ".join(wanted)


def to_call(language: str, country: str, override: str = "") -> str:
    """What to put for {numbers} inside a sentence, also where the country is unknown."""
    return callable_numbers(language, country, override) or text("local_number", language)


def self_harm(concept: str = "", *, language: str, country: str, override: str = "") -> str:
    """Kind words and a helpline; a concept may have words of its own, which never stand before the person's language."""
    crisis = f" {text('number_or', language)} ".join(numbers_for(country).crisis)
    helpline = text("helpline", language, crisis=crisis) if crisis else text("helpline_unknown", language)
    key = f"self_harm_{concept}" if find(f"self_harm_{concept}", chain(language)[0]) else "self_harm"
    return text(key, language, helpline=helpline, numbers=to_call(language, country, override))


def country_of(phone: str, default: str) -> str:
    """Region of a number as WhatsApp sends it (digits without "+"), else `default`."""
    try:
        number = phonenumbers.parse("+" + phone.lstrip("+"))
    except phonenumbers.NumberParseException:
        return default
    region = phonenumbers.region_code_for_number(number)
    return region if region and region != "001" else default


@cache
def numbers_for(country: str) -> Numbers:
    row = tomllib.loads(NUMBERS.read_text("utf-8")).get(country.upper())
    if not isinstance(row, dict):
        return Numbers()
    return Numbers(tuple(row["ambulance"]), tuple(row.get("crisis", ())), tuple(row["source"]))
