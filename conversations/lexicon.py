"""From the words of a message to the elements of the rules: word sets, phrases, stems and ranges of numbers.

A long word may have one slip of the keyboard; words of Indian languages in Latin letters are also compared by their sound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from conversations.wordforms import LONG_RUN, plain, sound, tokens

Chunk = tuple[tuple[str, int], ...]  # element, and how many words may stand before it
GAPS = {"..": 3, "...": 6}
# Shorter words of one sound are different words.
SOUNDS_FROM = 4


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
    # By the first word: all words, the element, and how the word after them begins (empty: nothing need follow).
    phrases: dict[str, list[tuple[tuple[str, ...], str, str]]] = field(default_factory=lambda: defaultdict(list))
    ranges: list[tuple[float, float, tuple[str, ...], str]] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)
    slips: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    resolved: dict[str, str] = field(default_factory=dict)
    # Words that are right as they stand, whatever they resemble.
    right: frozenset[str] = frozenset()
    # Whether words in Latin letters are also compared by their sound.
    by_sound: bool = False
    sounds: dict[str, str] = field(default_factory=dict)
    # A word of the rules stands in many elements.
    learnt: dict[str, tuple[str, ...]] = field(default_factory=dict)

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
            *before, stem = plain(member[:-1]).split()
            if before:
                words = self.learn(" ".join(before))
                self.phrases[words[0]].append((words, element, stem))
            else:
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
            self.phrases[words[0]].append((words, element, ""))

    def learn(self, text: str) -> tuple[str, ...]:
        """The words of a text of the rules; numbers must be known before."""
        if text not in self.learnt:
            self.learnt[text] = self._learn(text)
        return self.learnt[text]

    def _learn(self, text: str) -> tuple[str, ...]:
        words = tuple(self.numbers.get(word, word) for word in tokens(text))
        self.known.update(words)
        for word in words:
            if len(word) >= 6 and word.isascii():
                for shorter in deletions(word):
                    self.slips[shorter].add(word)
            if self.by_sound and len(word) >= SOUNDS_FROM and word.isascii() and word not in self.right:
                self.sounds.setdefault(sound(word), word)
        return words

    def at(self, words: Sequence[str], i: int) -> Iterator[tuple[str, int]]:
        """The elements that begin at word `i`, each with the place where it ends."""
        for element in self.elements(words[i]):
            yield element, i + 1
        for phrase, element, stem in self.phrases.get(words[i], ()):
            end = i + len(phrase)
            if tuple(words[i:end]) == phrase and (not stem or (end < len(words) and words[end].startswith(stem))):
                yield element, end + bool(stem)
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
        if word in self.known or word in self.right or word[0].isdigit():
            return word
        for squeezed in (LONG_RUN.sub(r"\1\1", word), LONG_RUN.sub(r"\1", word)):
            if squeezed in self.known:
                return squeezed
        word = squeezed
        alike = self.alike(word)
        if alike:
            return alike
        if len(word) < 5 or not word.isascii() or self.elements(word):
            return word
        near = {known for shorter in deletions(word) for known in self.slips.get(shorter, ())}
        close = sorted(known for known in near if known[0] == word[0] and one_slip(word, known))
        return close[0] if close else word

    def alike(self, word: str) -> str:
        """The known word that sounds the same, or empty."""
        if not self.by_sound or len(word) < SOUNDS_FROM or not word.isascii() or self.elements(word):
            return ""
        return self.sounds.get(sound(word), "")

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
