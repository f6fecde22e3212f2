"""MedQuAD: question and answer pairs as JSON lines (also packed) or as the collection's XML, in constant memory.

Pairs without an answer, which the collection has by the thousand, are counted and reported once a file.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from xml.parsers import expat

from knowledge.readers.pairs import record
from knowledge.readers.suspicions import Traces, clean, said
from knowledge.readers.values import Problem, Record, Refused

LONGEST_LINE = 4 * 1024 * 1024
MOST_UNPACKED = 1024 * 1024 * 1024
_PIECE = 1 << 18
_DAMAGED = "This file is damaged from here on. Upload it again; what was read before stays."
_EXPANDS = "This XML file defines its own abbreviations, which harmful files do, so it was not read."
# The collection lost the line breaks of its lists: “…the following: - Fever. - Night sweats.”
_INLINE_ITEM = re.compile(r"(?<=[.:;?!)])\s{1,200}-\s{1,20}(?=\S)")
_FIELDS = {"Focus", "Question", "Answer"}

Fields = dict[str, str]


def medquad(path: Path) -> Iterator[Record | Problem]:
    """The records of a file, in order."""
    with path.open("rb") as file:
        head = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"\x1f\x8b"):
        with gzip.open(path) as unpacked:
            yield from _answered(_of_lines(cast(BinaryIO, unpacked)))
    elif head.startswith(b"<"):
        with path.open("rb") as file:
            yield from _answered(_of_xml(file))
    else:
        with path.open("rb") as file:
            yield from _answered(_of_lines(file))


def _answered(pairs: Iterator[Fields | Problem]) -> Iterator[Record | Problem]:
    unanswered = 0
    for each in pairs:
        if isinstance(each, Problem):
            yield each
        elif not any(sign.isalnum() for sign in each.get("answer", "")):
            unanswered += 1
        else:
            yield _record(each)
    if unanswered:
        yield Problem("the whole file", f"{unanswered:,} questions have no answer in this file and were left out.")


def _record(fields: Fields) -> Record | Problem:
    traces = Traces()
    values = {name: clean(value, traces).strip() for name, value in fields.items()}
    section = values.get("qtype", "").replace("_", " ")
    found = record(
        key=values.get("id", ""),
        title=" ".join(values.get("focus", "").split()),
        section=section[:1].upper() + section[1:],
        answer=_INLINE_ITEM.sub("\n- ", values["answer"]),
        question=" ".join(values.get("question", "").split()),
        url=values.get("url", ""),
        publisher=values.get("source", ""),
        language=values.get("language") or "en",
        flags=said(traces),
    )
    return found if isinstance(found, Record) else Problem(values.get("id", ""), found)


def _of_lines(file: BinaryIO) -> Iterator[Fields | Problem]:
    """One object a line; a line that is none is reported by its number."""
    read = number = 0
    while True:
        try:
            line = file.readline(LONGEST_LINE)
        except (OSError, EOFError, zlib.error):
            yield Problem(f"line {number + 1}", _DAMAGED)
            return
        if not line:
            return
        number, read = number + 1, read + len(line)
        if read > MOST_UNPACKED or len(line) >= LONGEST_LINE:
            yield Problem(
                f"line {number}", "The file is too long here; nothing after this line was read. Split it into smaller files."
            )
            return
        if line.strip():
            yield _of_line(line) or Problem(f"line {number}", "It holds no question and answer. It was left out.")


def _of_line(line: bytes) -> Fields | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("question"), str):
        return None
    return {str(name): str(value) for name, value in found.items() if isinstance(value, str | int)}


def _of_xml(file: BinaryIO) -> Iterator[Fields | Problem]:
    """The pairs of one or many documents, given out as soon as each is complete."""
    listener = _Listener()
    while True:
        piece = file.read(_PIECE)
        try:
            listener.parser.Parse(piece, not piece)
        except expat.ExpatError:
            yield from listener.taken()
            yield Problem(f"line {listener.parser.CurrentLineNumber}", _DAMAGED)
            return
        yield from listener.taken()
        if not piece:
            return


class _Listener:
    """What expat says, gathered into pairs. Definitions of entities end the reading before anything can expand."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._said
        self._pairs: list[Fields] = []
        self._document: Fields = {}
        self._pair: Fields = {}
        self._open: list[str] | None = None

    def taken(self) -> list[Fields]:
        pairs, self._pairs = self._pairs, []
        return pairs

    def _refuse(self, *_: object) -> None:
        raise Refused(_EXPANDS)

    def _start(self, name: str, attributes: Fields) -> None:
        if name == "Document":
            self._document = {field: attributes.get(field, "") for field in ("id", "source", "url")}
        elif name == "QAPair":
            self._pair = {"pid": attributes.get("pid", "")}
        elif name == "Question":
            self._pair |= {"qtype": attributes.get("qtype", ""), "qid": attributes.get("qid", "")}
        if name in _FIELDS:
            self._open = []

    def _said(self, data: str) -> None:
        if self._open is not None:
            self._open.append(data)

    def _end(self, name: str) -> None:
        if name in _FIELDS and self._open is not None:
            fields = self._document if name == "Focus" else self._pair
            fields[name.lower()] = "".join(self._open)
            self._open = None
        elif name == "QAPair":
            source, pair = self._document.get("source", ""), self._pair.get("qid") or self._pair.get("pid", "")
            self._pairs.append({**self._document, **self._pair, "id": f"{source}_{pair}".strip("_")})
            self._pair = {}
