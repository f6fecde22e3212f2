"""The files of a data folder: JSON lines, packed or not, with a name and line for what cannot be read."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

Row = dict[str, Any]
T = TypeVar("T")
Part = Callable[[], list[T]]

NAMES = (
    "medquad",
    "liveqa_questions",
    "liveqa_qrels",
    "mediqa2019_qa",
    "xlinghealth_liveqa_answers",
    "xlinghealth_liveqa_queries",
    "xlinghealth_medicationqa_answers",
    "xlinghealth_medicationqa_queries",
    "healthsearchqa",
)


class Missing(Exception):
    """A file that the folder does not have; the message is its usual name."""


class BadData(Exception):
    """A file that cannot be read; the message is for the person who named the folder."""


def path(folder: Path, name: str) -> Path:
    """The file of this name, packed or not. Raises Missing."""
    for ending in (".jsonl.gz", ".jsonl"):
        if (folder / f"{name}{ending}").is_file():
            return folder / f"{name}{ending}"
    raise Missing(f"{name}.jsonl")


def rows(folder: Path, name: str, *, needs: Sequence[str], words: Sequence[str] = ()) -> list[Row]:
    """The objects of a file, one a line. Raises BadData for a line that is none or lacks a needed name; `words` are text."""
    file = path(folder, name)
    found: list[Row] = []
    try:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    found.append(_row(line, f"{file.name}, line {number}", [*needs, *words], words))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BadData(f"{file.name} is damaged or cannot be opened ({type(error).__name__}).") from error
    return found


def _row(line: str, place: str, needs: Sequence[str], words: Sequence[str]) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadData(f"{place}: this is not a JSON object.") from error
    if not isinstance(row, dict):
        raise BadData(f"{place}: this is not a JSON object.")
    lacking = [name for name in needs if name not in row]
    if lacking:
        raise BadData(f"{place}: “{lacking[0]}” is missing.")
    wordless = [name for name in words if not isinstance(row[name], str)]
    if wordless:
        raise BadData(f"{place}: “{wordless[0]}” is not text.")
    return row


def hash_of(folder: Path, *, names: Sequence[str] = NAMES) -> str:
    """A hash of those of these files that are there, by name and content."""
    found = hashlib.sha256()
    for name in names:
        try:
            file = path(folder, name)
        except Missing:
            continue
        found.update(f"{name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            found.update(hashlib.file_digest(content, "sha256").digest())
    return found.hexdigest()
