"""The plain form of words: the spelling in which rules and messages are compared.

It keeps the vowel signs that Python's `\\w` drops, and folds what people type in several ways: nukta, chandrabindu,
long and short i and u, letters made of look-alikes, digits inside words. `sound` goes further, for Indian languages
in Latin letters, where nobody agrees on a spelling.
"""

from __future__ import annotations

import re
import unicodedata

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e007f]"
)
MARKS = re.compile("[\u0300-\u036f\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u093c\u09bc\u0a3c]")
QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "′": "'", "＇": "'"})
# The blocks of Indian scripts have one plan: the same sign stands at the same place in each.
BLOCKS = {"deva": 0x900, "beng": 0x980, "guru": 0xA00, "gujr": 0xA80, "taml": 0xB80, "telu": 0xC00, "knda": 0xC80, "mlym": 0xD00}
LONG_VOWELS = {0x08: 0x07, 0x0A: 0x09, 0x40: 0x3F, 0x42: 0x41}
NASALS = (0x01, 0x02)
# The nasal signs go entirely in the north: साँस, सांस and सास are one word to a frightened typist. In the south they are letters.
INDIC: dict[int, int | str | None] = {
    block + long: block + short for block in BLOCKS.values() for long, short in LONG_VOWELS.items()
} | {BLOCKS[name] + sign: None for name in ("deva", "beng", "guru", "gujr") for sign in NASALS}
# Tippi; and what Malayalam and Bengali write as one sign or as two.
INDIC |= {0x0A70: None, 0x0D7A: "ണ്", 0x0D7B: "ന്", 0x0D7C: "ര്", 0x0D7D: "ല്", 0x0D7E: "ള്", 0x09CE: "ত্"}
HALF_NASAL = re.compile("[नम]्(?=[क-घच-झट-ढत-धप-भ])")
LOOKALIKES = str.maketrans("аеорсухіјѕԁһԛԝкмтвнаοαερικνυτχ", "aeopcyxijsdhqwkmtbhaoaepiknytx")
MIXED_WORD = re.compile(r"[^\W\d_]*(?:[a-z][\u0370-\u052f]|[\u0370-\u052f][a-z])[^\W\d_]*")
LEET = str.maketrans("013457@$", "oieastas")
LEET_INSIDE = re.compile(r"(?<=[a-z])[013457@$](?=[a-z])")
TOKEN = re.compile(r"\d+(?:\.\d+)?|(?:[^\W\d_]|[\u0900-\u0963\u0971-\u0dff\u064b-\u0652])+|[.!?;\n।,:()–—]")
LONG_RUN = re.compile(r"([^\W\d_])\1{2,}")


def plain(text: str) -> str:
    """Lower case, visible, unaccented: the spelling in which rules and messages are compared."""
    text = unicodedata.normalize("NFKD", INVISIBLE.sub("", text).translate(QUOTES)).casefold()
    text = unicodedata.normalize("NFC", MARKS.sub("", text))
    if not text.isascii():
        text = HALF_NASAL.sub("", text.translate(INDIC))
        text = MIXED_WORD.sub(lambda found: found.group().translate(LOOKALIKES), text)
    text = re.sub(r"'s\b", "", text).replace("'", "")
    return LEET_INSIDE.sub(lambda found: found.group().translate(LEET), text)


def tokens(text: str) -> list[str]:
    """Words, numbers and the signs that end a clause or a sentence."""
    return TOKEN.findall(plain(text))


def is_word(sign: str) -> bool:
    """Whether a token is a word or a number, and not one of the signs that end a clause."""
    return sign[0].isalnum() or len(sign) > 1 or sign > "\u08ff"


SOUNDS = [(re.compile(one), other) for one, other in (
    ("aa+", "a"), ("ee+|ii+|ea", "i"), ("oo+|uu+|ou", "u"), ("w", "v"), ("ph", "f"), ("z(?!h)", "j"), ("q|ck", "k"), ("x", "ks"),
    ("zh", "l"), ("ch+", "c"), ("(?<=[kgtdpbjs])h", ""), (r"(.)\1+", r"\1"), ("h$", ""), ("y$", "i"),
)]  # fmt: skip


def sound(word: str) -> str:
    """One key for the ways a word of an Indian language is typed in Latin letters: "dhaan", "daan" and "dan" share it."""
    for pattern, other in SOUNDS:
        word = pattern.sub(other, word)
    return word
