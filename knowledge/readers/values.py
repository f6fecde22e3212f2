"""What readers are given and what they hand back, free of every library so that parent and child share it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

# Said before a byte is read: a larger file is refused by its size alone.
MOST_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What reading one file may cost."""

    seconds: int = 60
    memory_mb: int = 768
    pages: int = 1500
    characters: int = 5_000_000


USUAL = Limits()


@dataclass(frozen=True)
class Extracted:
    """A document's text as Markdown, and what a reviewer should know about how it was read."""

    title: str
    markdown: str
    pages: int | None = None
    flags: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A file that cannot be used. The message is for the person who uploaded it: what is wrong, what to do."""


@dataclass(frozen=True)
class Record:
    """One answer of a collection. The question stays apart: the text never holds it."""

    key: str
    title: str
    section: str
    text: str
    url: str
    publisher: str
    language: str
    question: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """One member or row that was left out, while the others went on. The sentence is for the person who uploaded it."""

    place: str
    sentence: str


@dataclass(frozen=True)
class Entry:
    """A member of an archive, unpacked. The file is there until the next one is asked for."""

    name: str
    path: Path
    size: int

    def open(self) -> BinaryIO:
        return self.path.open("rb")
