"""The rules as books: what a clinician can read in `rules/*.toml` (format in `rules/en.toml`), made ready for matching.

English, Hindi and romanised Hindi are one book, because people mix them, and it reads every message. Each other
language is a book of its own that knows English sentence words too; it reads the sentences that have its words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from conversations.lexicon import Lexicon, Pattern
from conversations.wordforms import is_word, plain

RULES = Path(__file__).parent / "rules"
COMMON = ("en", "hi", "hi_latn")
# Of the words of a sentence, in a language's own words, before its book reads the message.
SHARE = 0.25

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
class Book:
    """`own`: words that only this language's files have; none for the common book, which reads everything."""

    name: str
    lexicon: Lexicon
    concepts: tuple[Concept, ...]
    unless: Mapping[str, tuple[Pattern, ...]]  # by concept, of all files of the book
    own: frozenset[str] = frozenset()
    own_stems: tuple[str, ...] = ()

    def reads(self, signs: Sequence[str]) -> bool:
        """Whether some sentence has enough words of this language."""
        if self.name == "common":
            return True
        own = words = 0
        for sign in (*signs, "."):
            if is_word(sign):
                words += 1
                own += self.is_own(sign)
            elif sign in ".!?;\n।":
                if own and own >= SHARE * words:
                    return True
                own = words = 0
        return False

    def is_own(self, sign: str) -> bool:
        return self.lexicon.resolve(sign) in self.own or sign.startswith(self.own_stems)


@cache
def load() -> tuple[Book, ...]:
    return made(read_files())


def read_files() -> dict[str, dict[str, Any]]:
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(RULES.glob("*.toml"))}


def made(files: Files) -> tuple[Book, ...]:
    """The common book first. Raises KeyError, TypeError or ValueError where a file does not keep to the format."""
    by_book: dict[str, list[str]] = {}
    for name in files:
        by_book.setdefault("common" if name in COMMON else name.split("_")[0], []).append(name)
    common = _book("common", {name: files[name] for name in by_book.pop("common")}, everywhere=_denials(files))
    others = (_book(book, {name: files[name] for name in names}, beside=(common, files["en"])) for book, names in by_book.items())
    return (common, *others)


def _denials(files: Files) -> list[str]:
    """What people of other languages put after English words: "chest pain illai"."""
    return [word for data in files.values() for word in data.get("denies_english", [])]


def _book(
    book: str, files: Files, *, everywhere: Sequence[str] = (), beside: tuple[Book, Mapping[str, Any]] | None = None
) -> Book:
    lexicon, own_stems = Lexicon(), tuple[str, ...]()
    if beside is not None:
        common, english = beside
        lexicon = Lexicon(right=frozenset(common.lexicon.known), by_sound=True)
        _learn_context(lexicon, english)
    before = frozenset(lexicon.known)
    for data in files.values():
        lexicon.numbers.update({plain(word): str(number) for word, number in data.get("numbers", {}).items()})
    for data in files.values():
        _learn_context(lexicon, data)
    for word in everywhere:
        lexicon.add(word, "=deny_after")
    concepts = tuple(concept for name, data in files.items() for concept in _concepts(name, data, lexicon))
    unless: dict[str, tuple[Pattern, ...]] = {}
    for concept in concepts:
        unless[concept.id] = (*unless.get(concept.id, ()), *concept.unless)
    own = frozenset(lexicon.known) - before - lexicon.right
    if beside is not None:
        own_stems = tuple(stem for stems in lexicon.prefixes.values() for stem, _ in stems if not stem.isascii())
    return Book(book, lexicon, concepts, unless, own, tuple(sorted(set(own_stems))))


def _learn_context(lexicon: Lexicon, data: Mapping[str, Any]) -> None:
    lexicon.numbers.update({plain(word): str(number) for word, number in data.get("numbers", {}).items()})
    lexicon.learn(" ".join(data.get("real_words", [])))
    for name, members in data["context"].items():
        for member in members:
            lexicon.add(member, f"={name}")


def _concepts(name: str, data: Mapping[str, Any], lexicon: Lexicon) -> Iterator[Concept]:
    def compiled(texts: Sequence[str], rule: str) -> tuple[Pattern, ...]:
        numbered = enumerate(texts, 1)
        return tuple(lexicon.pattern(text, f"{rule}.{i}", data["sets"]) for i, text in numbered)

    for row in data["concepts"]:
        rule = f"{name}.{row['id']}"
        yield Concept(
            id=row["id"],
            level=Level(row["level"]),
            source=row["source"],
            patterns=compiled(row["patterns"], rule),
            unless=compiled(row.get("unless", []), f"{rule}.unless"),
            asked=row.get("asked", False),
            lasting=row.get("lasting", False),
        )
