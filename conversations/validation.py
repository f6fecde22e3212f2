"""Every sentence of a written answer stands on the passage it cites, or it is removed.

Checks, in order: a citation within the set, no address or telephone number that the passage lacks,
no diagnosis or change of medicine, every number with its unit in the passage, no medicine, illness or
group of people the passage does not name, no turned meaning, and support by words or by meaning.
A whole sentence of the passage needs no judge. The vectors are supplied by the caller, so that this
module loads no model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conversations.language import word_set
from conversations.questions import words
from knowledge.chunking import split_sentences
from knowledge.passages import Passage, Vectors

LEAST_OVERLAP = 0.6
# And in one of its sentences: words gathered from all over a passage support nothing.
LEAST_OVERLAP_WITH_ONE = 0.4
LEAST_SIMILARITY = 0.62
LEAST_OVERLAP_WITH_SIMILARITY = 0.3
# Of the words of a sentence, in the sentence of the passage that it is compared with.
SAME_SUBJECT = 0.5
# From here on it is the same sentence in other words, and has to deny as often: "do not, unless" is not "do, unless".
SAME_SENTENCE = 0.7

_MARKS = re.compile(r"\s*\[(\d{1,2})(?:\s*,\s*\d{1,2})*\]")
_ADDRESS = re.compile(r"https?://|www\.|\b[\w.-]+@[\w.-]+\.\w+|\b[\w-]+\.(?:com|org|net|in|gov|info|io)\b", re.IGNORECASE)
_PHONE = re.compile(r"\+?\d(?:[\s-]?\d){6,}")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_UNITS = {
    "mg": "mg|milligrams?",
    "mcg": "mcg|µg|micrograms?",
    "g": "g|grams?",
    "kg": "kg|kilos?|kilograms?",
    "ml": "ml|millilit(?:re|er)s?",
    "l": "l|lit(?:re|er)s?",
    "c": "(?:°|degrees)? ?c(?:elsius)?",
    "f": "(?:°|degrees)? ?f(?:ahrenheit)?",
    "percent": "%|per ?cent",
    "tablet": "tablets?|pills?",
    "teaspoon": "teaspoons?",
    "tablespoon": "tablespoons?",
    "cup": "cups?",
    "glass": "glass(?:es)?",
    "drop": "drops?",
    "puff": "puffs?",
    "second": "seconds?|secs?",
    "minute": "minutes?|mins?",
    "hour": "hours?|hrs?",
    "day": "days?",
    "week": "weeks?",
    "month": "months?",
    "year": "years?",
    "time": "times",
}
_UNIT = re.compile(
    r"(\d+(?:[.,]\d+)*)\s*(?:" + "|".join(f"(?P<{name}>{forms})" for name, forms in _UNITS.items()) + r")(?!\w)", re.IGNORECASE
)
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
_NUMBER_WORDS |= {"fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "hundred": "100"}
_NUMBER_WORD = re.compile(r"\b(" + "|".join(_NUMBER_WORDS) + r")\b")
_MULTIPLE = re.compile(r"\b(half|double|triple|twice|thrice|once(?= (?:a|an|per|daily|every|each)\b))")
# What may not be exchanged for its like. The forms of one thing map to one name.
_NAME = re.compile(
    r"\b(\w+(?:cillin|mycin|micin|cycline|floxacin|azole|olol|sartan|statin|formin|dipine|profen|fenac|azepam|triptan|semide|oxetine)|"
    r"aspirin|paracetamol|acetaminophen|naproxen|insulin|warfarin|morphine|tramadol|codeine|quinine|chloroquine|artemisinin|antivenom|"
    r"adrenaline|antibiotics?|antihistamines?|steroids?|vaccines?|zinc|iron|"
    r"\w+(?:itis|aemia|emia|pathy)|malaria|dengue|typhoid|cholera|measles|rabies|cancer|diabetes|asthma|pneumonia|influenza|flu|covid|"
    r"hiv|tetanus|polio|chickenpox|tuberculosis|tb|stroke|epilepsy|migraine|scabies|"
    r"adults?|child|children|kids?|bab(?:y|ies)|infants?|newborns?|pregnant|pregnancy|breastfeeding|elderly)\b"
)
_SAME = {
    "acetaminophen": "paracetamol",
    "flu": "influenza",
    "tb": "tuberculosis",
    "children": "child",
    "kid": "child",
    "babie": "baby",
    "infant": "baby",
    "newborn": "baby",
    "pregnancy": "pregnant",
}
_OPPOSITES = tuple(
    tuple(pair.split("/"))
    for pair in word_set(
        "hot/cool hot/cold warm/cool warm/cold raise/lower increase/reduce more/less before/after above/below high/low "
        "safe/dangerous safe/unsafe open/close inside/outside always/never forward/back mild/severe"
    )
)
_NEGATIONS = word_set("not no never cannot can't don't doesn't shouldn't isn't aren't without avoid unless nor none")
_FORBIDDEN = re.compile(
    r"\b((?<!if )(?<!when )(?<!unless )(?<!once )(?<!while )"
    r"you (?:probably |likely |may |might )?have (?:a |an |the )?(?!to\b)\w+|"
    r"you are suffering from|"
    r"(?:stop|start|double|increase|reduce|change) (?:taking )?your (?:dose|medicine|medication|tablets?|pills?|insulin))\b",
    re.IGNORECASE,
)
_COMMON = word_set(
    "a an the is are was were be been being do does did have has had can could may might should would will shall of "
    "to in on at by for from with and or but if as than that this these those it its they them their you your he she "
    "his her we our i me my there here also such some any more most very so then when while who which what how into "
    "about over under up down out"
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
    sentences = [(plain, number) for plain, number in _cited(draft) if words(plain)]
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
    # A whole one: part of "do not take aspirin" is "take aspirin".
    if _flat(sentence) in map(_flat, passage.sentences):
        return ""
    if _ADDRESS.search(sentence) or any(_digits(found) not in _digits(source) for found in _PHONE.findall(sentence)):
        return "it names an address or a telephone number"
    if _FORBIDDEN.search(sentence) and not _FORBIDDEN.search(source):
        return "it reads like a diagnosis or a change of medicine"
    if missing_numbers(sentence, source):
        return "a number or unit in it is not in the passage"
    if _names(sentence) - _names(source):
        return "it names a medicine, an illness or a group that the passage does not"
    if _turned(sentence, passage):
        return "it says the opposite of the passage"
    overlap = _overlap(sentence, source)
    closest = max((_overlap(sentence, each) for each in passage.sentences), default=0.0)
    by_words = overlap >= LEAST_OVERLAP and closest >= LEAST_OVERLAP_WITH_ONE
    by_meaning = similarity >= LEAST_SIMILARITY and overlap >= LEAST_OVERLAP_WITH_SIMILARITY
    return "" if by_words or by_meaning else "the passage does not support it"


def missing_numbers(sentence: str, source: str) -> set[str]:
    """Numbers, with the unit where there is one, that stand in the sentence and not in the source."""
    sentence, source = _as_digits(sentence), _as_digits(source)
    plain = set(_NUMBER.findall(sentence)) - set(_NUMBER.findall(source))
    multiples = set(_MULTIPLE.findall(sentence)) - set(_MULTIPLE.findall(source))
    return plain | multiples | (_measures(sentence) - _measures(source))


def _measures(text: str) -> set[str]:
    return {f"{match[1]} {match.lastgroup}" for match in _UNIT.finditer(text)}


def _as_digits(text: str) -> str:
    return _NUMBER_WORD.sub(lambda match: _NUMBER_WORDS[match[0]], text.casefold().replace("-", " "))


def _names(text: str) -> set[str]:
    found = {name.removesuffix("s") for name in _NAME.findall(text.casefold())}
    return {_SAME.get(name, name) for name in found}


def _turned(sentence: str, passage: Passage) -> bool:
    """The nearest sentence of the passage, by words, has a negation and this one has none or the other way round, or one of
    them has a word that is the opposite of the other's."""
    content = _content(sentence)
    nearest = max(passage.sentences, key=lambda each: len(content & _content(each)), default="")
    shared = len(content & _content(nearest)) / max(1, len(content))
    said, there = set(words(sentence)), set(words(nearest))
    opposite = any(
        one in said and one not in there and other in there and other not in said
        for pair in _OPPOSITES
        for one, other in (pair, pair[::-1])
    )
    denied, denied_there = (sum(word in _NEGATIONS for word in words(text)) for text in (sentence, nearest))
    turned = denied != denied_there if shared >= SAME_SENTENCE else bool(denied) != bool(denied_there)
    return shared >= SAME_SUBJECT and (opposite or turned)


def _overlap(sentence: str, source: str) -> float:
    content = _content(sentence)
    return len(content & _content(source)) / len(content) if content else 0.0


def _content(text: str) -> set[str]:
    return {_stem(word) for word in words(text) if word not in _COMMON}


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s"):
        if len(word) > len(ending) + 3 and word.endswith(ending):
            return word[: -len(ending)].rstrip("e")
    return word.rstrip("e") if len(word) > 4 else word


def _cited(draft: str) -> list[tuple[str, int | None]]:
    """Sentences without their marks, and the first passage number of each; a mark after the full stop belongs before it."""
    moved = re.sub(r"([.!?])\s*((?:\[\d{1,2}(?:\s*,\s*\d{1,2})*\]\s*)+)", r" \2\1 ", draft)
    result: list[tuple[str, int | None]] = []
    for sentence in split_sentences(moved):
        mark = _MARKS.search(sentence)
        plain = re.sub(r"\s+([.!?,;])", r"\1", _MARKS.sub("", sentence)).replace("**", "").strip(" -*")
        result.append((plain, int(mark.group(1)) if mark else None))
    return result


def _flat(text: str) -> str:
    return " ".join(words(text))


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())
