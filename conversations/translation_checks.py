"""May a translation be sent? The marks, numbers, units, denials and medicines of each line survive, and nothing is added. Pure.

Code cannot read thirteen languages: these are the errors that harm most and that it can see. What is in doubt is not sent.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from conversations.language import detect, script

# What the model is told to write, by the language of the reply.
NAMES = {
    "hi": "Hindi, in Devanagari letters",
    "hi-Latn": "Hindi, in Latin letters as people type it",
    "bn": "Bengali",
    "ta": "Tamil",
    "te": "Telugu",
    "mr": "Marathi",
    "gu": "Gujarati",
    "kn": "Kannada",
    "ml": "Malayalam",
    "pa": "Punjabi, in Gurmukhi letters",
    "es": "Spanish",
    "sw": "Swahili",
}
_IN_LATIN = ("hi-Latn", "es", "sw")
_BRACKETED = re.compile(r"\([^()]*\)")
_MARKS = re.compile(r"\[(\d{1,2})\]")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"(?:[^\W\d_]|['\u0900-\u0963\u0971-\u0dff])+")
_NUMBER_WORDS = {
    word: str(value) for value, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), 2)
} | {"fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60"}
_NUMBER_WORD = re.compile(r"\b(" + "|".join(_NUMBER_WORDS) + r")\b", re.I)
_TWICE = re.compile(r"\btwice\b", re.I)
_ONE = re.compile(r"\b(?:one|once|single|first)\b", re.I)
# An address, or what a phone makes one of: letters on both sides of a dot without a space. "मि.ली." is short on its left.
_ADDRESS = re.compile(r"https?:|www\.|\S@\S|//|[^\s.]{4,}\.[^\s.\d]{2,}|\b[\w-]+\.(?:com|org|net|in|gov|info|io|me|ly)\b", re.I)
_MEDICINE = re.compile(
    r"\b(\w+(?:cillin|mycin|micin|cycline|floxacin|azole|olol|sartan|statin|formin|dipine|profen|fenac|azepam|semide|oxetine)|"
    r"aspirin|paracetamol|acetaminophen|naproxen|insulin|warfarin|morphine|tramadol|codeine|quinine|chloroquine|adrenaline|ORS)\b",
    re.I,
)
_DENIES = re.compile(r"\b(?:not|no|never|cannot|without|avoid|nor|neither|none|nothing)\b|n't\b", re.I)
_ALMOST_DENIES = re.compile(
    r"\b(?:unless|except|only|rather|instead|prevent\w*|stop\w*|free|lack\w*|less|un\w+|in\w+able|too|before|hardly|rarely|fail\w*|"
    r"unable|non\w*|refus\w*|absen\w*|keep \w+ (?:away|from)|away|until|whether|or)\b",
    re.I,
)
_NEAR = 20
_SHORTEST, _LONGEST = 0.35, 2.6


def with_digits(text: str) -> str:
    """Number words as digits, so that a translation can be held against them: "three times" as "3 times"."""
    return _NUMBER_WORD.sub(lambda found: _NUMBER_WORDS[found[0].lower()], _TWICE.sub("2 times", text))


def wrong(english: Sequence[str], translated: Sequence[str], language: str) -> str:
    """Why the lines may not be sent as the translation of ours, or empty. `english`: with marks, as from `with_digits`."""
    if len(translated) != len(english):
        return "it has another number of lines"
    if not _is_in(language, translated):
        return "it is not in the language that was asked for"
    return next((why for pair in zip(english, translated, strict=True) if (why := _wrong_line(*pair, language))), "")


def _wrong_line(english: str, translated: str, language: str) -> str:
    translated = _ascii_digits(unicodedata.normalize("NFC", translated))
    if _MARKS.findall(english) != _MARKS.findall(translated):
        return "a citation mark is gone or new"
    ours, theirs = _MARKS.sub("", english), _MARKS.sub("", translated)
    if any(found[0] not in english for found in _ADDRESS.finditer(theirs)):
        return "it holds an address"
    if not _same_numbers(ours, theirs):
        return "a number is gone or new"
    if missing_units(ours, theirs, language):
        return "a unit is gone or another"
    if any(name.casefold() not in theirs.casefold() for name in _MEDICINE.findall(ours)):
        return "the name of a medicine is gone"
    if set(map(str.casefold, _MEDICINE.findall(theirs))) - set(map(str.casefold, _MEDICINE.findall(ours))):
        return "it names a medicine that ours does not"
    if denies_otherwise(ours, theirs, language):
        return "it denies where ours does not, or the other way round"
    if not _SHORTEST * len(ours) <= len(theirs) <= _LONGEST * len(ours) + 20:
        return "it is much longer or shorter"
    return ""


def _is_in(language: str, lines: Sequence[str]) -> bool:
    text = " ".join(lines)
    if language in _IN_LATIN:
        return detect(text) == language
    # Marks of vowels count; what stands in brackets is the English name of a medicine.
    signs = [[script(c) for c in _BRACKETED.sub("", line) if unicodedata.category(c)[0] in "LM"] for line in lines]
    own = "hi" if language == "mr" else language
    mostly = all(each and each.count(own) * 2 >= len(each) for each in signs)
    return mostly and (language not in ("hi", "mr") or detect(text, default=language) == language)


def _same_numbers(english: str, translated: str) -> bool:
    ours, theirs = (Counter(re.sub(r"[.,]", "", each) for each in _NUMBER.findall(text)) for text in (english, translated))
    # "One tablet" may become "1".
    new = theirs - ours
    return not ours - theirs and (not new or (set(new) == {"1"} and bool(_ONE.search(english))))


def missing_units(english: str, translated: str, language: str) -> set[str]:
    """ "24 hour" for each number with a unit that does not stand beside the same number in the translation."""
    missing: set[str] = set()
    folded = translated.casefold()
    for number, unit in _measures(english):
        places = re.finditer(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", folded)
        beside = [_beside(folded, found.start(), found.end(), language) for found in places]
        signs = (*_signs("units", language).get(unit, ()), *_signs("units", "all").get(unit, ()))
        if beside and not any(_has(text, signs) for text in beside):
            missing.add(f"{number} {unit}")
    return missing


def _beside(text: str, start: int, end: int, language: str) -> str:
    """What may be the unit of a number: the next signs up to another number; in Swahili the unit comes first."""
    after = re.split(r"\d", text[end : end + _NEAR])[0]
    before = re.split(r"\d", text[max(0, start - _NEAR) : start])[-1] if language == "sw" else ""
    return f"{before} {after}"


def _measures(english: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    text = english.casefold()
    for number in _NUMBER.finditer(text):
        after = text[number.end() :].lstrip(" -")
        for unit, signs in _signs("units", "en").items():
            if any(_begins(after, sign) for sign in signs):
                found.append((number[0], unit))
                break
    return found


def _begins(text: str, sign: str) -> bool:
    """Short signs stand alone: "g" is no "glass"; longer ones may go on: "hours"."""
    return text.startswith(sign) and (len(sign) > 2 or not text[len(sign) : len(sign) + 1].isalpha())


def denies_otherwise(english: str, translated: str, language: str) -> bool:
    denies = bool(_DENIES.search(english))
    if denies:
        return not _has(translated, _signs("denials", "")[language])
    return not _ALMOST_DENIES.search(english) and _has(translated, _signs("plain_denials", "")[language])


def _has(text: str, signs: Sequence[str]) -> bool:
    text = unicodedata.normalize("NFC", text).casefold()
    words = _WORD.findall(text)
    for sign in signs:
        if sign.startswith("="):
            found = sign[1:] in words
        elif sign.startswith("~"):
            found = any(word.endswith(sign[1:]) for word in words)
        elif sign.endswith("~"):
            found = any(word.startswith(sign[:-1]) for word in words)
        else:
            found = sign in text
        if found:
            return True
    return False


@cache
def _signs(group: str, language: str) -> dict[str, tuple[str, ...]]:
    data = tomllib.loads((Path(__file__).parent / "translation_signs.toml").read_text("utf-8"))[group]
    rows = data.get(language, {}) if language else data
    return {name: tuple(unicodedata.normalize("NFC", signs).casefold().split()) for name, signs in rows.items()}


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)
