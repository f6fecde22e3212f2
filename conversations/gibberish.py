"""Messages that say nothing in any language: a key held down, a hand on the keyboard, letters nobody can pronounce. Pure.

Told only where every word of the message is such; one real word makes it a question.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {pair for row in _ROWS for pair in pairwise(row)} | {pair for row in _ROWS for pair in pairwise(row[::-1])}
_VOWELS = frozenset("aeiouy")
_REPEATED = re.compile(r"(.{1,4}?)\1{2,}.{0,3}")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}")
# Shorter ones without a vowel are abbreviations: "BP", "COPD".
_LONG = 5
_LEAST_RUN, _LEAST_SHARE_OF_RUN = 4, 0.7


def is_gibberish(text: str) -> bool:
    """False for a message without letters, and for one that has a digit: "fgkl 500" may be a medicine."""
    if any(c.isdigit() for c in text):
        return False
    words = ["".join(filter(str.isalpha, word)) for word in _unaccented(text).split()]
    words = [word for word in words if word]
    long_enough = max(map(len, words), default=0) >= _LEAST_RUN
    return long_enough and all(_says_nothing(word, alone=len(words) == 1) for word in words)


def _says_nothing(word: str, *, alone: bool) -> bool:
    if len(set(word)) == 1:
        # One letter many times; "aa" beside real words is a sigh.
        return len(word) >= 3 or not alone
    if not word.isascii():
        return len(word) >= 6 and bool(_REPEATED.fullmatch(word))
    unspeakable = not _VOWELS & set(word) and len(word) >= (_LONG if alone else 3)
    return unspeakable or bool(_REPEATED.fullmatch(word)) or bool(_CONSONANTS.search(word)) or _is_a_run(word)


def _is_a_run(word: str) -> bool:
    """Keys beside each other, for most of the word."""
    best = run = 1
    for pair in pairwise(word):
        run = run + 1 if pair in _NEIGHBOURS else 1
        best = max(best, run)
    return best >= _LEAST_RUN and best >= _LEAST_SHARE_OF_RUN * len(word)


def _unaccented(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
