"""What an imported document says of itself: title, publisher, licence, language, topic.

A file's values come from the import first and from its metadata second, because metadata of files is often the name of a
program. A record's own columns come first, because somebody filled them in row by row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from knowledge import import_language
from knowledge.extraction import Extracted, Record

PUBLIC = "public"
_LONGEST_AUDIENCE = 40
_WEB = ("https://", "http://")
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True)
class Defaults:
    """What was said for every document of an import, and what it is for."""

    publisher: str = ""
    licence: str = ""
    language: str = "en"
    audience: str = PUBLIC
    topic: str = ""
    url: str = ""
    # Key of the document that this one replaces when it is published.
    supersedes: str = ""
    # Keys of questions without an answer that the import is for.
    answers: tuple[str, ...] = ()
    # Of an import by the command: where the files lie, and how many records of each file are wanted.
    paths: tuple[str, ...] = ()
    limit: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "audience", audience(self.audience))

    def kept(self) -> dict[str, Any]:
        """For a JSON column; what is empty is left out."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Defaults:
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
        return cls(**values)


def of_file(found: Extracted, defaults: Defaults, *, name: str, today: date) -> dict[str, Any]:
    """The fields of a document that was one file."""
    said = found.metadata
    language, doubt = import_language.of(found.markdown, stated=defaults.language, file_says=said.get("language", ""))
    return {
        **_common(defaults),
        "title": (found.title.strip() or readable(name))[:300],
        "publisher": (defaults.publisher or said.get("publisher", ""))[:200],
        "url": defaults.url or _address(said.get("url", "")),
        "licence": (defaults.licence or said.get("licence", "") or said.get("license", ""))[:100],
        "language": language,
        "text": found.markdown,
        "pages": found.pages,
        "flags": [*found.flags, *([doubt] if doubt else [])],
        "content_date": _day(said.get("date", ""), today=today),
    }


def of_record(record: Record, defaults: Defaults, *, asked: bool) -> dict[str, Any]:
    """The fields of a document that was one row. `asked` shows the row's question to the reviewer; nothing searches it."""
    language, doubt = import_language.of(record.text, stated=defaults.language, file_says=record.language)
    question = [f"It answers the question: {record.question}"] if asked and record.question else []
    return {
        **_common(defaults),
        "title": record.title[:300],
        "publisher": (record.publisher or defaults.publisher)[:200],
        "url": _address(record.url) or defaults.url,
        "licence": defaults.licence[:100],
        "language": language,
        "text": record.text,
        "flags": [*question, *record.flags, *([doubt] if doubt else [])],
    }


def audience(said: str) -> str:
    """For whom a document is, in the one way it is written: searches compare it letter by letter."""
    return " ".join(said.lower().split())[:_LONGEST_AUDIENCE].rstrip() or PUBLIC


def readable(name: str) -> str:
    """A title from a file's name: "Fever in children" of "guides.zip/fever_in-children.pdf"."""
    words = " ".join(re.sub(r"[_\-]+", " ", PurePosixPath(name).stem).split())
    return (words[:1].upper() + words[1:]) or "Untitled"


def _common(defaults: Defaults) -> dict[str, Any]:
    return {"audience": defaults.audience, "topic": defaults.topic[:80]}


def _address(url: str) -> str:
    return url if url.startswith(_WEB) and len(url) <= 1000 and not re.search(r"\s", url) else ""


def _day(text: str, *, today: date) -> date | None:
    found = _DATE.match(text.strip())
    if not found:
        return None
    try:
        day = date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return None
    return day if date(1900, 1, 1) <= day <= today else None
