"""Which language a message is in: its script first, then everyday words, then the language of the conversation.

Letters of one script decide alone, but for Devanagari (Hindi, Marathi) and Arabic (Urdu); in Latin letters a word
counts less the more languages know it, and a short or doubtful message stays with the default. Pure.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from pathlib import Path

from conversations.wordforms import INVISIBLE

_SCRIPTS = [
    (0x0900, 0x097F, "hi"),
    (0x0980, 0x09FF, "bn"),
    (0x0A00, 0x0A7F, "pa"),
    (0x0A80, 0x0AFF, "gu"),
    (0x0B80, 0x0BFF, "ta"),
    (0x0C00, 0x0C7F, "te"),
    (0x0C80, 0x0CFF, "kn"),
    (0x0D00, 0x0D7F, "ml"),
    (0x0600, 0x06FF, "ar"),
    (0x0750, 0x077F, "ar"),
    (0xFB50, 0xFDFF, "ar"),
    (0xFE70, 0xFEFC, "ar"),
]
# Letters Urdu writes and Arabic and Persian do not.
_URDU_LETTERS = frozenset("ٹڈڑںےھۓ")
# Of words in Devanagari, where Hindi has none that would do.
_ENDINGS = {"hi": (), "mr": ("च्या", "ांना", "ांनी", "ळ", "ळे", "ळा", "ळी", "ण्यासाठी", "ण्याची"), "ne": ("हरू", "लाई", "एको", "न्छ")}
_WORD = re.compile(r"(?:[^\W\d_]|['\u0900-\u0963\u0971-\u0dff\u064b-\u0652])+")
# A message of so many words has some that its language uses every day; below it nothing is concluded from their absence.
_LONG_ENOUGH = 4
_LEAST_SHARE = 0.2
_MIXED_SHARE = 0.3
_WORDS: dict[str, dict[str, frozenset[str]]] = {
    group: {code: frozenset(words.split()) for code, words in lists.items()}
    for group, lists in tomllib.loads((Path(__file__).parent / "everyday_words.toml").read_text("utf-8")).items()
    if group != "status"
}
_LISTS = _WORDS["latin"]
_WEIGHTS = {word: 1 / known for word, known in Counter(word for words in _LISTS.values() for word in words).items()}


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def has_letters(text: str) -> bool:
    """False for an empty message, or one of emoji, digits and signs only."""
    return any(unicodedata.category(letter)[0] == "L" for letter in text)


def detect(text: str, *, default: str = "en") -> str:
    """A code such as "hi", "hi-Latn" or "en"; "und" when it is clearly something we have no texts for.

    A code with "-Latn" is an Indian language in Latin letters; `default` is the language of the conversation.
    """
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text)).replace("’", "'")
    # Vowel signs count, or the name of one medicine would outweigh a sentence in an Indian script.
    scripts = Counter(script(sign) for sign in text if _is_of_a_script(sign))
    if not scripts:
        return default
    winner = max(scripts, key=lambda name: (scripts[name], name != "latin"))
    words = _WORD.findall(text.casefold())
    if winner == "latin":
        return _in_latin_letters(words, default)
    if winner == "hi":
        return _in_devanagari(words, default)
    if winner == "ar":
        return "ur" if any(word in _WORDS["arabic"]["ur"] or _URDU_LETTERS & set(word) for word in words) else "und"
    return winner


def _is_of_a_script(sign: str) -> bool:
    kind = unicodedata.category(sign)[0]
    return kind == "L" or (kind == "M" and script(sign) not in ("latin", "und"))


def is_certain(text: str, spoken: str) -> bool:
    """Whether the message alone, long enough, says that it is in this language: then the conversation goes on in it."""
    alone = detect(text, default="und")
    return spoken != "und" and alone == spoken and (spoken not in _LISTS or len(text.split()) >= _LONG_ENOUGH)


def script(letter: str) -> str:
    """The language that stands for a script ("hi" for Devanagari), "latin", or "und"."""
    point = ord(letter)
    for first, last, name in _SCRIPTS:
        if first <= point <= last:
            return name
    return "latin" if point < 0x250 or 0x1E00 <= point <= 0x1EFF else "und"


def _in_devanagari(words: list[str], default: str) -> str:
    lists = _WORDS["devanagari"]
    scores = {code: sum(word in known or word.endswith(_ENDINGS[code]) for word in words) for code, known in lists.items()}
    usual = default if default in ("hi", "mr") else "hi"
    best: str = max(scores, key=lambda code: (scores[code], code == usual))
    if best == "ne":
        # One word of Nepali may be a slip; Hindi and Marathi have texts.
        return "und" if scores[best] >= 2 else usual
    return best if scores[best] else usual


def _in_latin_letters(words: list[str], default: str) -> str:
    counts = {code: sum(word in known for word in words) for code, known in _LISTS.items()}
    scores = {code: sum(_WEIGHTS[word] for word in words if word in known) for code, known in _LISTS.items()}
    best = max(scores, key=lambda code: (scores[code], code == default, code == "en"))
    # Who writes Hindi and English in one message is answered in the language of the conversation.
    mixed = best == "en" and scores.get(default, 0) >= _MIXED_SHARE * scores["en"]
    if scores[best] and (best == default or mixed):
        return default
    if best == "en" and (len(words) < _LONG_ENOUGH or counts["en"] >= _LEAST_SHARE * len(words)):
        return "en" if scores["en"] else default
    if best not in ("en", "und") and _is_clear(best, words, scores):
        return best
    foreign = len(words) >= _LONG_ENOUGH and counts["en"] < _LEAST_SHARE * len(words)
    return "und" if foreign and default == "en" else default


def _is_clear(code: str, words: list[str], scores: dict[str, float]) -> bool:
    """Particles such as "na" and "ya" live in many languages: one real word must agree, and a fair share of the message."""
    known = [word for word in words if word in _LISTS[code]]
    real = any(len(word) > 2 for word in known) and len(known) > (len(words) > 3)
    enough = (len(words) >= 3 or len(known) >= 2) and len(known) >= _LEAST_SHARE * len(words)
    return real and enough and scores[code] > max(score for other, score in scores.items() if other != code)
