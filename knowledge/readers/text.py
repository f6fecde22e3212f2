"""Plain text: which encoding, where paragraphs end, what is a list.

UTF-8 is believed when it decodes; a file that names nothing and is not UTF-8 is read as Windows-1252, and the reviewer is told.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from knowledge.readers.markdown import Block, Heading, Item, Paragraph, document, too_long
from knowledge.readers.values import Extracted, Limits, Refused

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BULLET = re.compile(r"^(\s*)(?:[-*+•‣▪◦●○■□–—·➢✓✔]|o(?=\s{2,}))\s+(?=\S)")
_NUMBER = re.compile(r"^(\s*)\(?(\d{1,2})[.)]\s+(?=\S)")
_UNDERLINE = re.compile(r"^\s*([=-])\1{2,}\s*$")
_STEP = 2
_BUFFER = 1 << 20


def read(path: Path, *, name: str, limits: Limits) -> Extracted:
    """A text file as Markdown."""
    source, flags = decoded(path, limits=limits)
    return document(blocks(source.splitlines()), limits=limits, flags=flags)


def decoded(path: Path, *, limits: Limits) -> tuple[str, list[str]]:
    """The text of a small file, and a flag where its encoding had to be guessed."""
    if path.stat().st_size > 4 * limits.characters + 4:
        raise Refused(too_long(limits))
    data = path.read_bytes()
    encoding = encoding_of([data])
    text = data.decode(encoding, errors="replace").removeprefix("\ufeff")
    if len(text) > limits.characters:
        raise Refused(too_long(limits))
    return text, guessed(encoding)


def guessed(encoding: str) -> list[str]:
    if encoding != "cp1252":
        return []
    return ["The file does not say how its letters are written and was read as Windows-1252. Check accented letters and signs."]


def encoding_of(parts: Iterable[bytes]) -> str:
    """The encoding of a file given in parts, read to the end so that a late byte counts."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    beginning = True
    for part in parts:
        if beginning and (marked := _marked(part)):
            return marked
        beginning = False
        try:
            decoder.decode(part)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _marked(head: bytes) -> str | None:
    """What the first bytes say: a mark, or the zeros of UTF-16 without one."""
    named = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    head = head[: 64 * 1024]
    if named or head.count(0) <= len(head) // 4:
        return named
    return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"


def parts_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_BUFFER):
            yield part


def blocks(lines: Iterable[str]) -> Iterator[Block]:
    """Paragraphs re-joined from lines, list items, and headings that are underlined."""
    waiting: list[str] = []
    for line in lines:
        if waiting and len(waiting) == 1 and (underline := _UNDERLINE.match(line)) and len(waiting[0]) < 200:
            yield Heading(waiting.pop(), 1 if underline[1] == "=" else 2)
        elif not line.strip() or (listed(line) and waiting):
            yield from _flushed(waiting)
            waiting = [line] if line.strip() else []
        else:
            waiting.append(line)
    yield from _flushed(waiting)


def listed(line: str) -> Item | None:
    """The item that this line begins, or None."""
    if found := _BULLET.match(line):
        return Item(line[found.end() :], depth=len(found[1].expandtabs(4)) // _STEP)
    if found := _NUMBER.match(line):
        return Item(line[found.end() :], depth=len(found[1].expandtabs(4)) // _STEP, number=int(found[2]))
    return None


def _flushed(waiting: list[str]) -> Iterator[Block]:
    if not waiting:
        return
    item = listed(waiting[0])
    rest = " ".join(waiting[1:])
    if item:
        yield Item(f"{item.text} {rest}", item.depth, item.number)
    else:
        yield Paragraph(" ".join(waiting))
