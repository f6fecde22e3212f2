"""Words that carry what a sentence claims, and whether two of them say the same. Pure; the word lists are plain_words.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from functools import cache, lru_cache
from pathlib import Path

from conversations.questions import words

_LISTS = tomllib.loads(Path(__file__).with_name("plain_words.toml").read_text(encoding="utf-8"))
STRICT = frozenset(_LISTS["strict"].split())
_FOR_EXAMPLE = re.compile(r"\be\.g\.?", re.IGNORECASE)
# What only holds a sentence together.
COMMON = frozenset(
    """
    a an the is are was were be been being am do does did doing have has had having can could may might should would will
    shall must
    of to in on at by for from with and or but if as than that this these those it its they them their theirs your yours you
    he she
    his her him we our us i me my there here also so then when while who whom whose which what how into about out such some
    any very
    just too not no nor never rarely seldom cannot can't don't doesn't didn't isn't aren't wasn't won't wouldn't shouldn't
    couldn't mustn't haven't
    hasn't without unless neither none avoid
    """.split()
)
# What an article or a pronoun points at: it may be named, and may stand for what is named.
GENERAL = frozenset(
    "disease condition disorder syndrome drug medicine medication test virus infection illness treatment patient symptom".split()
)
_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve"
NUMBERS = {word: str(value) for value, word in enumerate(_NUMBERS.split())}
_ENDINGS = frozenset(
    "s es ed d ing r er ers or ors ment ments ion ions ation ations tion tions al ally ly ity ities ness ous ic ical "
    "ive y ies ied ier "
    "ily e ance ence ances ences ant ent able ability ful age ize ise ized ised izing ising t te ted tes ting us i a um "
    "ia".split()
) | {""}


def light() -> frozenset[str]:
    """Words that name nothing and turn nothing."""
    return _light()


@cache
def _light() -> frozenset[str]:
    return frozenset(_LISTS["light"].split()) - STRICT


@cache
def _groups() -> dict[str, frozenset[int]]:
    """Which groups of one meaning a word or a phrase (with "_" between its words) belongs to."""
    found: dict[str, set[int]] = {}
    for number, group in enumerate(_LISTS["same"]):
        for name in group.split(","):
            found.setdefault("_".join(words(name)), set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


@cache
def _phrases() -> re.Pattern[str]:
    several = sorted((name.replace("_", " ") for name in _groups() if "_" in name), key=len, reverse=True)
    return re.compile(r"(?<!\S)(?:" + "|".join(map(re.escape, several)) + r")(?!\S)")


@lru_cache(maxsize=4_096)
def content(text: str) -> tuple[str, ...]:
    """The content words in their order, phrases of one meaning as one word; numbers are not among them."""
    return tuple(word for word in tokens(text) if word not in NUMBERS and not word[0].isdigit() and len(word) > 1)


@lru_cache(maxsize=4_096)
def tokens(text: str) -> tuple[str, ...]:
    """As `content`, with the numbers, small ones in digits."""
    return tuple(NUMBERS.get(word, word) for word in joined(text) if word not in COMMON and (len(word) > 1 or word.isdigit()))


@lru_cache(maxsize=4_096)
def joined(text: str) -> tuple[str, ...]:
    """All words, a phrase of one meaning as one word with "_" in it."""
    plain = " ".join(words(_FOR_EXAMPLE.sub("such as", text.replace("-", " "))))
    phrases = _phrases().sub(lambda match: match[0].replace(" ", "_"), plain)
    return tuple(word for word in map(_bare, phrases.split()) if word)


def _bare(word: str) -> str:
    return word.removesuffix("'s").strip("'")


def weighs(word: str) -> bool:
    """Whether a word has to stand in the source. A phrase weighs what the heaviest of its words does."""
    parts = word.split("_")
    # "Gradually", "established": how something is, not what it is.
    if (word.endswith("ly") and len(word) > 5 and word not in STRICT) or (word.endswith("ed") and len(word) > 7):
        return False
    return not all(part in light() or part in COMMON or part.removesuffix("s") in GENERAL for part in parts)


def matches(word: str, others: Collection[str]) -> bool:
    """Whether one of the others is the word, a form of it, or says the same."""
    return word in others or any(same(word, other) for other in others)


@lru_cache(maxsize=65_536)
def same(one: str, other: str) -> bool:
    if one == other or _is_form(one, other):
        return True
    groups, of_one, of_other = _groups(), _named(one), _named(other)
    return any(groups[a] & groups[b] for a in of_one for b in of_other)


@lru_cache(maxsize=16_384)
def _named(word: str) -> tuple[str, ...]:
    """The entries of the lists that are the word or its plain form."""
    plain = (
        word,
        word.removesuffix("s"),
        word.removesuffix("es"),
        word.removesuffix("ed"),
        word.removesuffix("d"),
        word.removesuffix("ing"),
    )
    return tuple({each for each in plain if len(each) > 1 and each in _groups()})


def _is_form(one: str, other: str) -> bool:
    """ "Infection" and "infected", not "penicillin" and "penicillamine": one beginning, and endings of the language."""
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    if shared < min(4, len(one), len(other)) or shared < 3:
        return False
    return _ends(one, shared) and _ends(other, shared)


def _ends(word: str, shared: int) -> bool:
    rest = word[shared:]
    # "stopped" beside "stop": the last letter is doubled.
    return rest in _ENDINGS or (len(rest) > 1 and rest[0] == word[shared - 1] and rest[1:] in _ENDINGS)
