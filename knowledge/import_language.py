"""Which language a text is in, as far as its letters say: a script that the stated language is not written in overrules it.

Pure. Languages that share a script are not told apart; there the stated one stands.
"""

from __future__ import annotations

import re
from collections import Counter

# What the form offers, by the codes that documents carry.
LANGUAGES = {
    "en": "English",
    "hi": "Hindi",
    "ar": "Arabic",
    "as": "Assamese",
    "bn": "Bengali",
    "es": "Spanish",
    "fr": "French",
    "gu": "Gujarati",
    "kn": "Kannada",
    "ml": "Malayalam",
    "mr": "Marathi",
    "ne": "Nepali",
    "or": "Odia",
    "pa": "Punjabi",
    "pt": "Portuguese",
    "ru": "Russian",
    "si": "Sinhala",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "ur": "Urdu",
    "zh": "Chinese",
}
# The languages of each script; the first is the one it is taken for when the stated one is not among them.
_SCRIPTS = {
    "Devanagari": (0x0900, 0x097F, ("hi", "mr", "ne", "sa")),
    "Bengali": (0x0980, 0x09FF, ("bn", "as")),
    "Gurmukhi": (0x0A00, 0x0A7F, ("pa",)),
    "Gujarati": (0x0A80, 0x0AFF, ("gu",)),
    "Odia": (0x0B00, 0x0B7F, ("or",)),
    "Tamil": (0x0B80, 0x0BFF, ("ta",)),
    "Telugu": (0x0C00, 0x0C7F, ("te",)),
    "Kannada": (0x0C80, 0x0CFF, ("kn",)),
    "Malayalam": (0x0D00, 0x0D7F, ("ml",)),
    "Sinhala": (0x0D80, 0x0DFF, ("si",)),
    "Thai": (0x0E00, 0x0E7F, ("th",)),
    "Arabic": (0x0600, 0x06FF, ("ar", "ur", "fa", "ps", "sd", "ks")),
    "Cyrillic": (0x0400, 0x04FF, ("ru", "uk", "bg", "sr", "kk")),
    "Chinese": (0x4E00, 0x9FFF, ("zh", "ja")),
}
# Written in Latin letters as well, so those say nothing.
_TWO_SCRIPTS = {"sr", "kk"}
_NOT_IN_LATIN = {language for _, _, languages in _SCRIPTS.values() for language in languages} - _TWO_SCRIPTS
_ENOUGH, _SAMPLE = 40, 5000
_LETTERS = re.compile(r"[^\W\d_]")


def of(text: str, *, stated: str, file_says: str = "") -> tuple[str, str]:
    """The language's code, and a sentence for the reviewer where the statements differ, or none."""
    said = _base(file_says) or stated
    script = _script(text)
    if script and script != "Latin" and said not in (languages := _SCRIPTS[script][2]):
        found = stated if stated in languages else languages[0]
        return found, f"It is written in {script} letters, so it was taken as {name(found)} and not as {name(said)}. Check it."
    if script == "Latin" and said in _NOT_IN_LATIN:
        return said, f"It is called {name(said)} and written in Latin letters. Check its language."
    if said != _base(stated):
        return said, f"The file calls itself {name(said)}, and the import said {name(stated)}. It was taken as {name(said)}."
    return stated, ""


def name(code: str) -> str:
    return LANGUAGES.get(code, code)


def _base(code: str) -> str:
    """ "en" of "en-GB"; nothing of what is no code."""
    base = re.split(r"[-_]", code.strip().lower())[0]
    return base if re.fullmatch(r"[a-z]{2,3}", base) and base not in ("und", "mul", "zxx") else ""


def _script(text: str) -> str:
    """The script of most letters, or nothing where there are too few or too many of them."""
    letters = _LETTERS.findall(text[:_SAMPLE])
    if len(letters) < _ENOUGH:
        return ""
    if text[:_SAMPLE].isascii():
        return "Latin"
    (script, count), *_ = Counter(map(_script_of, letters)).most_common(1)
    return script if count * 2 > len(letters) else ""


def _script_of(letter: str) -> str:
    place = ord(letter)
    if place < 0x250:
        return "Latin"
    return next((script for script, (first, last, _) in _SCRIPTS.items() if first <= place <= last), "")
