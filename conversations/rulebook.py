"""The rules as books: what a clinician can read in `rules/*.toml` (format in `rules/en.toml`), made ready for matching.

English, Hindi and romanised Hindi are one book, because people mix them, and it reads every message. Each other
language is a book of its own that knows English sentence words too; it reads the sentences that have its words.
"""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from conversations.lexicon import Lexicon, Pattern
from conversations.wordforms import is_word, plain

RULES = Path(__file__).parent / "rules"
COMMON = ("en", "hi", "hi_latn")
# Of the words of a sentence, in a language's own words, before its book reads the message.
SHARE = 0.2
# Of the share of the language that has most: a message may be in two that resemble each other.
BESIDE = 0.7

Files = Mapping[str, Mapping[str, Any]]


class Level(StrEnum):
    EMERGENCY = "emergency"
    SELF_HARM = "self_harm"
    UNSAFE = "unsafe"
    URGENT = "urgent"
    ROUTINE = "routine"

    @property
    def severity(self) -> int:
        return len(Level) - list(Level).index(self)


@dataclass(frozen=True)
class Concept:
    id: str
    level: Level
    source: str
    patterns: tuple[Pattern, ...]
    unless: tuple[Pattern, ...]
    asked: bool  # true: counts even as a general question (ways to die)
    lasting: bool  # true: stays true when it lies in the past (a wish to die, a swallowed battery)


@dataclass(frozen=True)
class Added:
    """What clinicians of a service added to one language: patterns of a sign, and rules of the tree that are switched off."""

    key: str
    language: str  # a file: "en", "hi_latn"
    concept: str
    level: Level
    source: str = ""
    patterns: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    switched_off: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        return f"{self.language}.{self.concept}.{self.key}"


@dataclass(frozen=True)
class Book:
    """`own`: words that only this language's files have; none for the common book, which reads everything."""

    name: str
    lexicon: Lexicon
    concepts: tuple[Concept, ...]
    unless: Mapping[str, tuple[Pattern, ...]]  # by concept, of all files of the book
    own: frozenset[str] = frozenset()
    # Where each pattern is found by one of its elements: most elements are not in a message, so most patterns are never tried.
    places: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    # Denials of other languages that it knows only to stop at them.
    borrowed: frozenset[str] = frozenset()

    def hopeful(self, present: frozenset[str]) -> Iterator[tuple[Concept, list[Pattern]]]:
        """The concepts with the patterns of which every element is present, in the order of the files."""
        places = sorted(place for element in present for place in self.places.get(element, ()))
        for number, group in groupby(places, key=lambda place: place[0]):
            concept = self.concepts[number]
            patterns = [concept.patterns[each] for _, each in group if concept.patterns[each].needed <= present]
            if patterns:
                yield concept, patterns

    def share(self, signs: Sequence[str]) -> float:
        """Of the words of the sentence that has most of them, those of this language alone; 0 for less than `SHARE`."""
        best = 0.0
        own = words = 0
        for sign in (*signs, "."):
            if is_word(sign):
                words += not sign[0].isdigit()
                own += self.is_own(sign)
            elif sign in ".!?;\n।":
                best = max(best, own / words if words else 0.0)
                own = words = 0
        return best if best >= SHARE else 0.0

    def is_own(self, sign: str) -> bool:
        """A word of this language, as it stands, by its stem or by its sound; a slip of another language's word is none."""
        if sign in self.own or sign[0].isdigit():
            return sign in self.own
        if not sign.isascii():
            return any(sign.startswith(stem) for stem, _ in self.lexicon.prefixes.get(sign[:3], ()))
        return sign not in self.lexicon.right and self.lexicon.alike(sign) in self.own


def reading(signs: Sequence[str], books: Sequence[Book]) -> Iterator[Book]:
    """The common book, and those whose language this is: words in Latin letters mean other things in the next language."""
    common, *others = books
    yield common
    shares = [(book.share(signs), book) for book in others]
    best = max((share for share, _ in shares), default=0.0)
    yield from (book for share, book in shares if share and share >= BESIDE * best)


@cache
def load() -> tuple[Book, ...]:
    return made(read_files())


@cache
def read_files() -> Mapping[str, Mapping[str, Any]]:
    """The rules of the tree as they are written, by file; shared, so not to be changed."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(RULES.glob("*.toml"))}


def made(files: Files, added: Sequence[Added] = ()) -> tuple[Book, ...]:
    """The common book first; `added` uses the sets of its language. Raises KeyError, TypeError or ValueError where a file
    does not keep to the format."""
    common = _common(files, added)
    others = dict.fromkeys(book_of(name) for name in files if name not in COMMON)
    return (common, *(_other(book, files, added, common) for book in others))


def remade(added: Sequence[Added]) -> tuple[Book, ...]:
    """The books of the tree, those of the languages that somebody added to made anew."""
    if not added:
        return load()
    files, changed = read_files(), {book_of(each.language) for each in added}
    tree, *others = load()
    common = _common(files, added) if "common" in changed else tree
    return (common, *(_other(book.name, files, added, tree) if book.name in changed else book for book in others))


def book_of(language: str) -> str:
    return "common" if language in COMMON else language.split("_")[0]


def _common(files: Files, added: Sequence[Added]) -> Book:
    return _book("common", {name: files[name] for name in COMMON}, added=added, everywhere=_denials(files))


def _other(book: str, files: Files, added: Sequence[Added], common: Book) -> Book:
    own = {name: data for name, data in files.items() if name not in COMMON and book_of(name) == book}
    return _book(book, own, added=added, beside=(common, files["en"]))


def compiled_alone(added: Added, files: Files) -> Concept:
    """Raises KeyError with the name of a language, a set or a rule that is not there, ValueError for a range that is none."""
    for rule in set(added.switched_off) - names(added.language, files):
        raise KeyError(rule)
    return _added(added, files[added.language], Lexicon(), ())


def names(language: str, files: Files) -> set[str]:
    """Every rule of a language of the tree, as en.stroke.2."""
    return {f"{language}.{row['id']}.{i}" for row in files[language]["concepts"] for i in range(1, len(row["patterns"]) + 1)}


def _denials(files: Files) -> list[str]:
    """What people of other languages put after English words: "chest pain illai"."""
    return [word for data in files.values() for word in data.get("denies_english", [])]


def _book(
    book: str,
    files: Files,
    *,
    added: Sequence[Added],
    everywhere: Sequence[str] = (),
    beside: tuple[Book, Mapping[str, Any]] | None = None,
) -> Book:
    lexicon = Lexicon()
    if beside is not None:
        common, english = beside
        lexicon = Lexicon(right=frozenset(common.lexicon.known) - common.borrowed, by_sound=True)
        _learn_context(lexicon, english)
    before = frozenset(lexicon.known)
    for data in files.values():
        lexicon.numbers.update({plain(word): str(number) for word, number in data.get("numbers", {}).items()})
    for data in files.values():
        _learn_context(lexicon, data)
    before_denials = frozenset(lexicon.known)
    for word in everywhere:
        lexicon.add(word, "=deny_after")
    borrowed = frozenset(lexicon.known) - before_denials
    own_rows = [each for each in added if each.language in files]
    off = {rule for each in own_rows for rule in each.switched_off}
    concepts = tuple(concept for name, data in files.items() for concept in _concepts(name, data, lexicon, off))
    concepts += tuple(_added(each, files[each.language], lexicon, concepts) for each in own_rows if each.patterns)
    unless: dict[str, tuple[Pattern, ...]] = {}
    for concept in concepts:
        unless[concept.id] = (*unless.get(concept.id, ()), *concept.unless)
    own = frozenset(word for word in lexicon.known - before - lexicon.right if not word[0].isdigit())
    return Book(book, lexicon, concepts, unless, own, _places(concepts), borrowed)


def _places(concepts: Sequence[Concept]) -> dict[str, tuple[tuple[int, int], ...]]:
    """By the element of each pattern that the fewest patterns need."""
    often = Counter(element for concept in concepts for pattern in concept.patterns for element in pattern.needed)
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, concept in enumerate(concepts):
        for each, pattern in enumerate(concept.patterns):
            places[min(pattern.needed, key=lambda element: (often[element], element))].append((number, each))
    return {element: tuple(found) for element, found in places.items()}


def _learn_context(lexicon: Lexicon, data: Mapping[str, Any]) -> None:
    lexicon.numbers.update({plain(word): str(number) for word, number in data.get("numbers", {}).items()})
    lexicon.learn(" ".join(data.get("real_words", [])))
    for name, members in data["context"].items():
        for member in members:
            lexicon.add(member, f"={name}")


def _compiled(texts: Sequence[str], rule: str, data: Mapping[str, Any], lexicon: Lexicon) -> tuple[Pattern, ...]:
    return tuple(lexicon.pattern(text, f"{rule}.{i}", data["sets"]) for i, text in enumerate(texts, 1))


def _added(each: Added, data: Mapping[str, Any], lexicon: Lexicon, concepts: Sequence[Concept]) -> Concept:
    """A sign that the tree knows keeps its nature: whether it counts in a general question, and in the past."""
    alike = next((concept for concept in concepts if concept.id == each.concept), None)
    return Concept(
        id=each.concept,
        level=each.level,
        source=each.source,
        patterns=_compiled(each.patterns, each.rule, data, lexicon),
        unless=_compiled(each.unless, f"{each.rule}.unless", data, lexicon),
        asked=alike.asked if alike else False,
        lasting=alike.lasting if alike else False,
    )


def _concepts(name: str, data: Mapping[str, Any], lexicon: Lexicon, off: set[str]) -> Iterator[Concept]:
    for row in data["concepts"]:
        rule = f"{name}.{row['id']}"
        yield Concept(
            id=row["id"],
            level=Level(row["level"]),
            source=row["source"],
            patterns=tuple(each for each in _compiled(row["patterns"], rule, data, lexicon) if each.rule not in off),
            unless=_compiled(row.get("unless", []), f"{rule}.unless", data, lexicon),
            asked=row.get("asked", False),
            lasting=row.get("lasting", False),
        )
