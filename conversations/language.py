"""The plain form of a message's words that rules are matched against; which language it is in tells `detection`.

`plain` keeps the vowel signs that Python's `\\w` drops and folds what people type in
several ways (nukta, chandrabindu, long and short i and u); `Lexicon` forgives one slip in a long word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from conversations.detection import detect as detect

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e007f]"
)
MARKS = re.compile("[\u0300-\u036f\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u093c\u09bc\u0a3c]")
QUOTES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "′": "'", "＇": "'"})
# The nasal signs go entirely: साँस, सांस and सास are one word to a frightened typist.
DEVANAGARI = str.maketrans({"\u0901": None, "\u0902": None, "ी": "ि", "ू": "ु", "ई": "इ", "ऊ": "उ"})
HALF_NASAL = re.compile("[नम]्(?=[क-घच-झट-ढत-धप-भ])")
LOOKALIKES = str.maketrans("аеорсухіјѕԁһԛԝкмтвнаοαερικνυτχ", "aeopcyxijsdhqwkmtbhaoaepiknytx")
MIXED_WORD = re.compile(r"[^\W\d_]*(?:[a-z][\u0370-\u052f]|[\u0370-\u052f][a-z])[^\W\d_]*")
LEET = str.maketrans("013457@$", "oieastas")
LEET_INSIDE = re.compile(r"(?<=[a-z])[013457@$](?=[a-z])")
TOKEN = re.compile(r"\d+(?:\.\d+)?|(?:[^\W\d_]|[\u0900-\u0963\u0971-\u0dff\u064b-\u0652])+|[.!?;\n।,:()–—]")
LONG_RUN = re.compile(r"([^\W\d_])\1{2,}")


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def plain(text: str) -> str:
    """Lower case, visible, unaccented: the spelling in which rules and messages are compared."""
    text = unicodedata.normalize("NFKD", INVISIBLE.sub("", text).translate(QUOTES)).casefold()
    text = unicodedata.normalize("NFC", MARKS.sub("", text))
    if not text.isascii():
        text = HALF_NASAL.sub("", text.translate(DEVANAGARI))
        text = MIXED_WORD.sub(lambda found: found.group().translate(LOOKALIKES), text)
    text = re.sub(r"'s\b", "", text).replace("'", "")
    return LEET_INSIDE.sub(lambda found: found.group().translate(LEET), text)


def tokens(text: str) -> list[str]:
    """Words, numbers and the signs that end a clause or a sentence."""
    return TOKEN.findall(plain(text))


def has_letters(text: str) -> bool:
    """False for an empty message, or one of emoji, digits and signs only."""
    return any(unicodedata.category(letter)[0] == "L" for letter in text)


Chunk = tuple[tuple[str, int], ...]  # element, and how many words may stand before it
GAPS = {"..": 3, "...": 6}


@dataclass(frozen=True)
class Pattern:
    rule: str
    groups: tuple[tuple[Chunk, ...], ...]
    needed: frozenset[str]


@dataclass
class Lexicon:
    """From a word to the elements (word sets) of the rules, forgiving one slip in a long word."""

    exact: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    prefixes: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = field(default_factory=lambda: defaultdict(list))
    ranges: list[tuple[float, float, tuple[str, ...], str]] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    slips: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    resolved: dict[str, str] = field(default_factory=dict)

    def define(self, element: str, members: Sequence[str]) -> None:
        if element not in self.defined:
            self.defined.add(element)
            for member in members:
                self.add(member, element)

    def pattern(self, text: str, rule: str, sets: dict[str, list[str]]) -> Pattern:
        groups = tuple(tuple(self.chunk(chunk.split(), rule, sets) for chunk in group.split("+")) for group in text.split("&"))
        needed = frozenset(element for group in groups for chunk in group for element, _ in chunk)
        return Pattern(rule, groups, needed)

    def chunk(self, items: list[str], rule: str, sets: dict[str, list[str]]) -> Chunk:
        chunk, gap = [], 0
        for item in items:
            if item in GAPS:
                gap = GAPS[item]
                continue
            element = f"{rule.split('.')[0]}:{item}"
            parts = item.split("|")
            members = (sets[part[1:-1]] if part.startswith("<") else [part.replace("_", " ")] for part in parts)
            self.define(element, [member for few in members for member in few])
            chunk.append((element, gap))
            gap = 0
        return tuple(chunk)

    def add(self, member: str, element: str) -> None:
        if member.endswith("*"):
            stem = plain(member[:-1])
            self.prefixes[stem[:3]].append((stem, element))
            return
        first, _, rest = member.partition(" ")
        if first.startswith("#"):
            low, high = first[1:].split("-")
            self.ranges.append((float(low), float(high), self.learn(rest), element))
            return
        words = self.learn(member)
        if len(words) == 1:
            self.exact[words[0]].add(element)
        else:
            self.phrases[words[0]].append((words, element))

    def learn(self, text: str) -> tuple[str, ...]:
        words = tuple(self.numbers.get(word, word) for word in tokens(text))
        self.known.update(words)
        for word in words:
            if len(word) >= 6 and word.isascii():
                for shorter in deletions(word):
                    self.slips[shorter].add(word)
        return words

    def at(self, words: Sequence[str], i: int) -> Iterator[tuple[str, int]]:
        """The elements that begin at word `i`, each with the place where it ends."""
        for element in self.elements(words[i]):
            yield element, i + 1
        for phrase, element in self.phrases.get(words[i], ()):
            if tuple(words[i : i + len(phrase)]) == phrase:
                yield element, i + len(phrase)
        if words[i][0].isdigit() and len(words[i]) < 9:
            for low, high, rest, element in self.ranges:
                end = i + 1 + len(rest)
                if low <= float(words[i]) <= high and tuple(words[i + 1 : end]) == rest:
                    yield element, end

    def resolve(self, word: str) -> str:
        found = self.resolved.get(word)
        if found is None:
            found = self.numbers.get(word) or self.spell(word)
            if len(self.resolved) < 50_000:  # a bound on what strangers can make us remember
                self.resolved[word] = found
        return found

    def spell(self, word: str) -> str:
        if word in self.known or word[0].isdigit():
            return word
        for squeezed in (LONG_RUN.sub(r"\1\1", word), LONG_RUN.sub(r"\1", word)):
            if squeezed in self.known:
                return squeezed
        word = squeezed
        if len(word) < 5 or not word.isascii() or self.elements(word):
            return word
        near = {known for shorter in deletions(word) for known in self.slips.get(shorter, ())}
        close = sorted(known for known in near if known[0] == word[0] and one_slip(word, known))
        return close[0] if close else word

    def elements(self, word: str) -> set[str]:
        found = set(self.exact.get(word, ()))
        found.update(element for stem, element in self.prefixes.get(word[:3], ()) if word.startswith(stem))
        return found


def deletions(word: str) -> set[str]:
    return {word} | {word[:i] + word[i + 1 :] for i in range(len(word))}


def one_slip(one: str, other: str) -> bool:
    """At most one letter added, lost, changed or swapped with its neighbour."""
    shorter = min(len(one), len(other))
    start = next((i for i in range(shorter) if one[i] != other[i]), shorter)
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
