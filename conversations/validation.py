"""Every sentence of a written answer stands on the passage it cites, or it is removed.

Checks, in order: a citation within the set, no address or telephone number that the passage lacks,
no diagnosis or change of medicine, every number with its unit in the passage, no turned negation,
and support by words or by meaning. Verbatim sentences need no judge. The vectors are supplied by the
caller, so that this module loads no model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conversations.questions import words
from knowledge.chunking import split_sentences
from knowledge.passages import Passage, Vectors

LEAST_OVERLAP = 0.5
LEAST_SIMILARITY = 0.62
LEAST_OVERLAP_WITH_SIMILARITY = 0.3

_MARKS = re.compile(r"\s*\[(\d{1,2})(?:\s*,\s*\d{1,2})*\]")
_ADDRESS = re.compile(r"https?://|www\.|\b[\w.-]+@[\w.-]+\.\w+|\b[\w-]+\.(?:com|org|net|in|gov|info|io)\b", re.IGNORECASE)
_PHONE = re.compile(r"\+?\d(?:[\s-]?\d){6,}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_UNIT = re.compile(
    r"(\d+(?:[.,]\d+)*)\s*(mg|mcg|g|kg|ml|l|litres?|°?\s?[cf]\b|%|tablets?|teaspoons?|tablespoons?|cups?|drops?|puffs?|"
    r"minutes?|hours?|days?|weeks?|months?|years?|times)\b", re.IGNORECASE,
)
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve".split())}
_NUMBER_WORDS |= {"twenty": "20", "thirty": "30", "sixty": "60", "half": "half", "double": "double", "twice": "twice", "once": "once"}
_NEGATIONS = {"not", "no", "never", "cannot", "can't", "don't", "doesn't", "shouldn't", "isn't", "aren't", "without", "avoid", "unless", "nor", "none"}
_FORBIDDEN = re.compile(
    r"\b(you (?:probably |likely |may |might )?have (?:a |an |the )?(?!to\b)\w+|you are suffering from|"
    r"(?:stop|start|double|increase|reduce|change) (?:taking )?your (?:dose|medicine|medication|tablets?|pills?|insulin))\b", re.IGNORECASE,
)
_COMMON = set(
    "a an the is are was were be been being do does did have has had can could may might should would will shall of to in on at by for "
    "from with and or but if as than that this these those it its they them their you your he she his her we our i me my there here "
    "also such some any more most very so then when while who which what how into about over under up down out".split()
)


@dataclass(frozen=True)
class Claim:
    text: str
    passage: int  # position in the retrieved set, from 0


@dataclass(frozen=True)
class Removed:
    text: str
    why: str


@dataclass(frozen=True)
class Verdict:
    kept: tuple[Claim, ...]
    removed: tuple[Removed, ...]

    @property
    def share_kept(self) -> float:
        total = len(self.kept) + len(self.removed)
        return len(self.kept) / total if total else 0.0


def check(draft: str, passages: Sequence[Passage], *, embed: Callable[[list[str]], Vectors]) -> Verdict:
    """The sentences of a draft with `[n]` marks, kept or removed with the reason."""
    kept: list[Claim] = []
    removed: list[Removed] = []
    sentences = [(plain, number) for plain, number in _cited(draft) if plain]
    vectors = embed([plain for plain, _ in sentences]) if sentences else None
    for position, (plain, number) in enumerate(sentences):
        if number is None or not 1 <= number <= len(passages):
            removed.append(Removed(plain, "it cites no passage that was found"))
            continue
        passage = passages[number - 1]
        similarity = float((passage.vectors @ vectors[position]).max()) if vectors is not None and len(passage.vectors) else 0.0
        why = unsupported(plain, passage, similarity=similarity)
        if why:
            removed.append(Removed(plain, why))
        else:
            kept.append(Claim(plain, number - 1))
    return Verdict(tuple(kept), tuple(removed))


def unsupported(sentence: str, passage: Passage, *, similarity: float) -> str:
    """Why the passage does not carry the sentence, or empty. `similarity`: the best cosine to one of its sentences."""
    source = f"{passage.title}. {passage.heading}. {passage.text}"
    if _flat(sentence) in _flat(source):
        return ""
    if _ADDRESS.search(sentence) or any(_digits(found) not in _digits(source) for found in _PHONE.findall(sentence)):
        return "it names an address or a telephone number"
    if _FORBIDDEN.search(sentence) and not _FORBIDDEN.search(source):
        return "it reads like a diagnosis or a change of medicine"
    if missing_numbers(sentence, source):
        return "a number or unit in it is not in the passage"
    if _turned(sentence, passage):
        return "it says the opposite of the passage"
    overlap = _overlap(sentence, source)
    if overlap >= LEAST_OVERLAP or (similarity >= LEAST_SIMILARITY and overlap >= LEAST_OVERLAP_WITH_SIMILARITY):
        return ""
    return "the passage does not support it"


def missing_numbers(sentence: str, source: str) -> set[str]:
    """Numbers, with the unit where there is one, that stand in the sentence and not in the source."""
    sentence, source = _as_digits(sentence), _as_digits(source)
    plain = set(_NUMBER.findall(sentence)) - set(_NUMBER.findall(source))
    return plain | (_measures(sentence) - _measures(source))


def _measures(text: str) -> set[str]:
    return {f"{number} {unit.lower().strip().rstrip('s')}" for number, unit in _UNIT.findall(text)}


def _as_digits(text: str) -> str:
    return " ".join(_NUMBER_WORDS.get(word, word) for word in text.casefold().replace("-", " ").split())


def _turned(sentence: str, passage: Passage) -> bool:
    """The nearest sentence of the passage, by words, has a negation and this one has none, or the other way round."""
    content = _content(sentence)
    nearest = max(passage.sentences, key=lambda each: len(content & _content(each)), default="")
    shared = len(content & _content(nearest)) / max(1, len(content))
    return shared >= LEAST_OVERLAP and bool(_NEGATIONS & set(words(sentence))) != bool(_NEGATIONS & set(words(nearest)))


def _overlap(sentence: str, source: str) -> float:
    content = _content(sentence)
    return len(content & _content(source)) / len(content) if content else 0.0


def _content(text: str) -> set[str]:
    return {_stem(word) for word in words(text) if word not in _COMMON}


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


def _cited(draft: str) -> list[tuple[str, int | None]]:
    """Sentences without their marks, and the first passage number of each; a mark after the full stop belongs before it."""
    moved = re.sub(r"([.!?])\s*((?:\[\d{1,2}(?:\s*,\s*\d{1,2})*\]\s*)+)", r" \2\1 ", draft)
    result: list[tuple[str, int | None]] = []
    for sentence in split_sentences(moved):
        mark = _MARKS.search(sentence)
        plain = re.sub(r"\s+([.!?,;])", r"\1", _MARKS.sub("", sentence)).strip(" -*")
        result.append((plain, int(mark.group(1)) if mark else None))
    return result


def _flat(text: str) -> str:
    return " ".join(words(text))


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())
