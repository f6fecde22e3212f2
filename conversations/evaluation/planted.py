"""Errors planted into true sentences, and true sentences said differently. Pure, and the same for the same seed.

Every operator works on any text: it knows the shape of a number, of a denial, of a list, and draws the names it
exchanges from the corpus itself. It knows nothing of how the check is made that it is there to test.
An operator that finds nothing to change gives None.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from conversations.evaluation import planted_words

_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_NUMBER = re.compile(r"(?<![\w.,/-])\d+(?:[.,]\d+)*(?![\w/])")
_NUMBER_WORD = re.compile(r"\b(" + "|".join(planted_words.NUMBERS) + r")\b", re.IGNORECASE)
_AMOUNT = re.compile(
    r"(?<![\w.,/-])(?P<number>\d+(?:[.,]\d+)*|" + "|".join(planted_words.NUMBERS) + r")(?P<between>[\s-]*)(?P<unit>"
    r"percent|%|mg|mcg|ml|kg|grams?|milligrams?|micrograms?|liters?|litres?|ounces?|cups?|tablets?|pills?|doses?|drops?|"
    r"seconds?|minutes?|hours?|days?|weeks?|months?|years?|times|inches|feet|pounds|degrees|calories|units)(?![\w])",
    re.IGNORECASE,
)
_OFTEN = re.compile(
    r"\b(once|twice|daily|weekly|monthly|hourly|(?:a|per|each|every) (?:day|week|month|year|hour))\b", re.IGNORECASE
)
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|could|may|might|should|will|would|must|do|does|did|has been|have been)\b(?! not)(?!n't)"
)
_VERB = re.compile(r"\b(" + "|".join(planted_words.VERBS) + r")\b")
_DENIAL = re.compile(
    r"\b(?:(is|are|was|were|can|could|may|might|should|will|would|must|do|does|did|has|have) ?(?:not|n't|n’t)|cannot|can't) ",
    re.IGNORECASE,
)
_BEFORE_A_NOUN = frozenset("the a an of this these his her their your its with and or by for in".split())
_AFTER_A_NOUN = frozenset("of is are in and or that which may can was were has have to for with from by on , . ; : )".split())


@dataclass(frozen=True)
class Source:
    """A passage as it could be cited. `document`: the key of what it is part of."""

    document: str
    title: str
    heading: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


@dataclass(frozen=True)
class Inventory:
    """What the corpus names: nouns in one number or the other, and titles."""

    singular: tuple[str, ...]
    plural: tuple[str, ...]
    titles: tuple[str, ...]


def inventory(sources: Sequence[Source]) -> Inventory:
    """Nouns by where they stand: after an article or preposition, before a verb, a preposition or the end of a part."""
    there: Counter[str] = Counter()
    as_noun: Counter[str] = Counter()
    for source in sources:
        tokens = re.findall(r"[^\W\d_][\w-]*|[.,;:)]", source.text)
        for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
            if len(token) > 3 and token.islower():
                there[token] += 1
                as_noun[token] += before.casefold() in _BEFORE_A_NOUN and after in _AFTER_A_NOUN
    nouns = sorted(
        word
        for word, count in there.items()
        if count >= 4
        and as_noun[word] >= 0.25 * count
        and not word.endswith(("ly", "ing", "ed"))
        and word not in planted_words.NOT_NOUNS
    )
    plural = tuple(word for word in nouns if word.endswith("s") and not word.endswith(("ss", "is", "us")))
    return Inventory(
        singular=tuple(word for word in nouns if word not in set(plural)),
        plural=plural,
        titles=tuple(sorted({source.title for source in sources if 0 < len(source.title.split()) <= 6})),
    )


# Errors


def wrong_number(sentence: str, draw: random.Random) -> str | None:
    """Another number, in digits or as a word, whatever it counts."""
    found = [*_NUMBER.finditer(sentence), *_NUMBER_WORD.finditer(sentence)]
    if not found:
        return None
    match = draw.choice(found)
    return _replaced(sentence, match.span(), _another_number(match[0], draw))


def wrong_dose(sentence: str, draw: random.Random) -> str | None:
    """Another amount, another unit, or another frequency."""
    amounts, often = list(_AMOUNT.finditer(sentence)), list(_OFTEN.finditer(sentence))
    if not amounts and not often:
        return None
    match = draw.choice([*amounts, *often])
    if match.re is _OFTEN:
        return _replaced(sentence, match.span(), _case(draw.choice(_others(match[0], planted_words.FREQUENCIES)), match[0]))
    unit = next((units for units in planted_words.UNITS if match["unit"].casefold() in units), ())
    others = _others(match["unit"], unit)
    if others and draw.random() < 0.4:
        return _replaced(sentence, match.span("unit"), draw.choice(others))
    return _replaced(sentence, match.span("number"), _another_number(match["number"], draw))


def turned(sentence: str, draw: random.Random) -> str | None:
    """A denial put in or taken out, or a word changed for its opposite."""
    ways = [way for way in (_undenied, _denied, _opposite) if way(sentence, random.Random(0)) is not None]  # noqa: S311
    # A denial taken out is the rarest chance and the worst error.
    return (_undenied if _undenied in ways else draw.choice(ways))(sentence, draw) if ways else None


def _denied(sentence: str, draw: random.Random) -> str | None:
    found = list(_AUXILIARY.finditer(sentence))
    if found:
        match = draw.choice(found)
        # "Has not been", not "has been not".
        first = match[0].split(" ")[0]
        return _replaced(sentence, match.span(), match[0].replace(first, f"{first} not", 1))
    verbs = list(_VERB.finditer(sentence))
    if not verbs:
        return None
    match = draw.choice(verbs)
    return _replaced(sentence, match.span(), planted_words.VERBS[match[0]])


def _undenied(sentence: str, draw: random.Random) -> str | None:
    found = list(_DENIAL.finditer(sentence))
    if found:
        match = draw.choice(found)
        return _replaced(sentence, match.span(), f"{match[1] or 'can'} ")
    return _exchanged(sentence, draw, planted_words.DENIALS)


def _opposite(sentence: str, draw: random.Random) -> str | None:
    return _exchanged(sentence, draw, planted_words.OPPOSITES)


def wrong_name(sentence: str, draw: random.Random, *, names: Inventory, title: str) -> str | None:
    """A noun for another of the corpus, or the topic for another topic."""
    place = sentence.casefold().find(title.casefold()) if title else -1
    if place >= 0 and draw.random() < 0.4:
        return _replaced(sentence, (place, place + len(title)), draw.choice(_others(title, names.titles)))
    return _another_noun(sentence, draw, names, names)


def wrong_name_of_the_passage(sentence: str, draw: random.Random, *, names: Inventory, source: Source) -> str | None:
    """A noun for another that stands elsewhere in the same passage: the hardest to see, and now and then still true."""
    elsewhere = {word for each in source.sentences if each != sentence for word in _words(each)} - set(_words(sentence))
    near = Inventory(tuple(sorted(elsewhere & set(names.singular))), tuple(sorted(elsewhere & set(names.plural))), ())
    return _another_noun(sentence, draw, names, near)


def _another_noun(sentence: str, draw: random.Random, names: Inventory, among: Inventory) -> str | None:
    here = set(_words(sentence))
    kinds = ((set(names.singular), among.singular), (set(names.plural), among.plural))
    found = [
        (match, among_these)
        for match in _WORD.finditer(sentence)
        for known, among_these in kinds
        if match[0] in known and among_these
    ]
    if not found:
        return None
    match, others = draw.choice(found)
    fitting = [word for word in others if word not in here and word[:5] not in {each[:5] for each in here}]
    return _replaced(sentence, match.span(), draw.choice(fitting)) if fitting else None


# The same in other words

Way = Callable[[str, random.Random], str | None]


def said_differently(sentence: str, draw: random.Random, *, most: int = 3) -> tuple[str, tuple[str, ...]]:
    """Up to `most` changes that leave the meaning, and their names; the sentence itself where nothing fits."""
    done: list[str] = []
    names = list(WAYS)
    draw.shuffle(names)
    for name in names:
        if len(done) == most:
            break
        changed = WAYS[name](sentence, draw)
        if changed is not None and changed != sentence and len(changed.split()) >= 5:
            sentence = changed
            done.append(name)
    return sentence, tuple(done)


def _without_adverb(sentence: str, draw: random.Random) -> str | None:
    found = list(re.finditer(r"(?<=\w )(?:" + "|".join(planted_words.SPARE) + r") (?=\w)", sentence))
    return _replaced(sentence, draw.choice(found).span(), "") if found else None


def _without_brackets(sentence: str, draw: random.Random) -> str | None:
    return re.sub(r"\s*\([^()]*\)", "", sentence) if "(" in sentence else None


def _other_word(sentence: str, draw: random.Random) -> str | None:
    return _exchanged(sentence, draw, planted_words.SYNONYMS)


def _condition_last(sentence: str, draw: random.Random) -> str | None:
    match = re.match(r"^(If|When|Because|After|Before|Although|Unless) ([^,;:]+), ([^,;:]+)\.$", sentence)
    return f"{_capital(match[3])} {match[1].lower()} {match[2]}." if match else None


def _condition_first(sentence: str, draw: random.Random) -> str | None:
    match = re.match(r"^([^,;:]+) (if|when|because|unless|although) ([^,;:]{8,})\.$", sentence)
    return f"{match[2].capitalize()} {match[3]}, {_small(match[1])}." if match else None


def _list_reordered(sentence: str, draw: random.Random) -> str | None:
    match = re.search(r"\b(\w+), (\w+),? (and|or) (\w+)(?=[.,;]|$)", sentence)
    if not match:
        return None
    return _replaced(sentence, match.span(), f"{match[2]}, {match[1]} {match[3]} {match[4]}")


def _first_half(sentence: str, draw: random.Random) -> str | None:
    match = re.match(r"^(.{30,}?)(?:;|, (?:and|but|while)) (?:it|they|this|the|people|there|some) ", sentence)
    return f"{match[1]}." if match else None


def _number_as_word(sentence: str, draw: random.Random) -> str | None:
    match = re.search(r"(?<![\w.,/-])([2-9]|1[0-2])(?= (?:\w+s)\b)", sentence)
    return _replaced(sentence, match.span(), planted_words.NUMBERS_IN_ORDER[int(match[1])]) if match else None


def _number_as_digit(sentence: str, draw: random.Random) -> str | None:
    match = re.search(r"(?<!\w)(two|three|four|five|six|seven|eight|nine|ten)(?= \w+s\b)", sentence)
    return _replaced(sentence, match.span(), planted_words.NUMBERS[match[1]]) if match else None


def _shortened(sentence: str, draw: random.Random) -> str | None:
    return (
        re.sub(r"\b(is|are|does|do|did|should|was|were|could|would) not\b", r"\1n't", sentence) if " not " in sentence else None
    )


def _with_address(sentence: str, draw: random.Random) -> str | None:
    match = re.match(r"^(The|A|An|Some|Most|Many|People|Symptoms|Treatment|Signs) ", sentence)
    return f"{draw.choice(planted_words.OPENINGS)} {_small(sentence)}" if match else None


WAYS: dict[str, Way] = {
    "an adverb less": _without_adverb,
    "brackets left out": _without_brackets,
    "another word": _other_word,
    "the condition last": _condition_last,
    "the condition first": _condition_first,
    "a list reordered": _list_reordered,
    "the first half": _first_half,
    "a number in words": _number_as_word,
    "a number in digits": _number_as_digit,
    "not shortened": _shortened,
    "an opening": _with_address,
}


def merged(one: str, other: str) -> str:
    """Two sentences that follow each other as one."""
    return f"{one.rstrip('.')}, and {_small(other)}"


def _exchanged(sentence: str, draw: random.Random, pairs: Mapping[str, str]) -> str | None:
    """One of the words or phrases for what the table says, in the same case."""
    found = list(_pattern(tuple(pairs)).finditer(sentence))
    if not found:
        return None
    match = draw.choice(found)
    return _replaced(sentence, match.span(), _case(pairs[match[0].casefold()], match[0]))


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        r"(?<![\w-])(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")(?![\w-])", re.IGNORECASE
    )


def _another_number(said: str, draw: random.Random) -> str:
    if said.casefold() in planted_words.NUMBERS:
        return _case(draw.choice(_others(said, tuple(planted_words.NUMBERS))), said)
    value = float(said.replace(",", ""))
    if "." in said:
        changed = draw.choice([value * 10, value * 2, value + 1])
        return f"{changed:.{len(said.partition('.')[2])}f}"
    return f"{int(draw.choice([value * 10, value * 2, value + 1, value + 5, max(value - 1, 0), value * 3])):d}"


def _others(said: str, among: Sequence[str]) -> list[str]:
    return [each for each in among if each.casefold() != said.casefold()]


def _replaced(text: str, span: tuple[int, int], by: str) -> str:
    return text[: span[0]] + by + text[span[1] :]


def _case(word: str, like: str) -> str:
    return _capital(word) if like[:1].isupper() else word


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(text: str) -> str:
    """With a small first letter, but for names and short forms."""
    first = text.split(" ", 1)[0]
    return text if first[1:] != first[1:].lower() or len(first) < 2 or first == "I" else text[:1].lower() + text[1:]


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def whole(sentence: str) -> bool:
    """Whether it can stand in an answer: a beginning, an end, neither a scrap nor endless."""
    return 6 <= len(sentence.split()) <= 36 and sentence[:1].isupper() and sentence.endswith(".") and not sentence.endswith("..")


def shares_most(one: str, others: Iterable[str], *, share: float = 0.6) -> bool:
    """Whether one of the others says it in much the same words."""
    own = set(_words(one))
    return any(len(own & set(_words(other))) >= share * len(own) for other in others)
