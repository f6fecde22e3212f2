"""Blocks that every reader makes, and the one way they become Markdown.

The text of a block is plain: whatever in it could be taken for Markdown, HTML or a page mark is escaped here, so a
source cannot fake structure or a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from knowledge.readers import suspicions
from knowledge.readers.suspicions import Traces
from knowledge.readers.values import Extracted, Limits, Refused

_DEEPEST = 6
_SPECIAL = re.compile(r"`|[\\*_](?=\S)|(?<=\S)[*_]|<(?=[A-Za-z/!?])|&(?=#?\w{1,32};)|\](?=[(:])")
_MARK_AT_START = re.compile(r"^(#{1,6}(?=\s|$)|>|[-+*_](?=\s)|[-=]+\s*$|~~~)")
_NUMBER_AT_START = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_SPLIT_WORD = re.compile(r"(?<=[^\W_])_(?=[^\W_])")


@dataclass(frozen=True)
class Heading:
    text: str
    level: int


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Item:
    text: str
    depth: int = 0
    number: int | None = None


@dataclass(frozen=True)
class Table:
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class PageMark:
    page: int


Block = Heading | Paragraph | Item | Table | PageMark


def too_long(limits: Limits) -> str:
    return f"This file holds more than {limits.characters:,} characters of text. Split it into smaller files."


def document(
    blocks: Iterable[Block],
    *,
    limits: Limits,
    title: str = "",
    pages: int | None = None,
    flags: Iterable[str] = (),
    metadata: dict[str, str] | None = None,
) -> Extracted:
    """The finished reading: one first-level heading at most, cleaned text, and flags for what was found in it."""
    traces = Traces()
    cleaned = [each for each in (_cleaned(block, traces) for block in blocks) if each is not None]
    cleaned = _one_title(cleaned)
    markdown = "\n".join(_lines(cleaned, limits=limits)).strip() + "\n"
    if not any(sign.isalnum() for block in cleaned for sign in _text(block)):
        raise Refused("This file holds no text. Check that it is the right file, then upload it again.")
    title = " ".join(suspicions.clean(title, traces).split()) or next(
        (each.text for each in cleaned if isinstance(each, Heading)), ""
    )
    words = suspicions.instructions("\n".join(map(_text, cleaned)))
    known = {name: " ".join(suspicions.clean(value, traces).split())[:500] for name, value in (metadata or {}).items()}
    return Extracted(
        title=title[:300],
        markdown=markdown,
        pages=pages,
        flags=tuple(dict.fromkeys([*words, *flags, *suspicions.said(traces)])),
        metadata={name: value for name, value in known.items() if value},
    )


def _text(block: Block) -> str:
    match block:
        case PageMark():
            return ""
        case Table(rows):
            return "\n".join(" ".join(row) for row in rows)
        case _:
            return block.text


def _cleaned(block: Block, traces: Traces) -> Block | None:
    """The block with readable text on one line, or None where nothing is left."""
    if isinstance(block, PageMark):
        return block
    if isinstance(block, Table):
        rows = tuple(tuple(" ".join(suspicions.clean(cell, traces).split()) for cell in row) for row in block.rows)
        rows = tuple(row for row in rows if any(row))
        return Table(rows) if rows else None
    text = " ".join(suspicions.clean(block.text, traces).split())
    return replace(block, text=text) if text else None


def _one_title(blocks: list[Block]) -> list[Block]:
    """The first heading may be the title; any other first-level heading, and what is below it, moves one level down."""
    firsts = [place for place, each in enumerate(blocks) if isinstance(each, Heading) and each.level <= 1]
    if len(firsts) < 2:
        return blocks
    return [
        replace(each, level=min(each.level + 1, _DEEPEST)) if isinstance(each, Heading) and place != firsts[0] else each
        for place, each in enumerate(blocks)
    ]


def _lines(blocks: list[Block], *, limits: Limits) -> Iterator[str]:
    room, before = limits.characters, None
    depth = -1
    for block in blocks:
        if before is not None and not (isinstance(block, Item) and isinstance(before, Item)):
            yield ""
        if isinstance(block, Item):
            # A step over a level would be read as code.
            depth = min(block.depth, depth + 1)
            lines = [_item(block, depth)]
        else:
            depth = -1
            lines = list(_block(block))
        room -= sum(len(line) + 1 for line in lines) + 1
        if room < 0:
            raise Refused(too_long(limits))
        yield from lines
        before = block


def _block(block: Heading | Paragraph | Table | PageMark) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * max(1, min(level, _DEEPEST))} {escaped(text)}"
        case Paragraph(text):
            yield _at_start(escaped(text))
        case PageMark(page):
            yield f"<!-- page {page} -->"
        case Table(rows):
            width = max(map(len, rows))
            for place, row in enumerate(rows):
                cells = [escaped(cell).replace("|", "\\|") for cell in row] + [""] * (width - len(row))
                yield f"| {' | '.join(cells)} |"
                if place == 0:
                    yield f"|{' --- |' * width}"


def _item(block: Item, depth: int) -> str:
    mark = "-" if block.number is None else f"{min(block.number, 999_999_999)}."
    return f"{'    ' * depth}{mark} {_at_start(escaped(block.text))}"


def escaped(text: str) -> str:
    """Plain text as Markdown that reads the same: no emphasis, tag, link or entity arises from it."""
    return _SPECIAL.sub(_escape, text).replace("<!--", "<!\\--")


def _escape(found: re.Match[str]) -> str:
    sign, text, place = found[0], found.string, found.start()
    if sign == "_" and _SPLIT_WORD.match(text, place):
        return sign
    if sign == "\\" and not (place + 1 < len(text) and text[place + 1].isascii() and not text[place + 1].isalnum()):
        return sign
    return "\\" + sign


def _at_start(text: str) -> str:
    text = _MARK_AT_START.sub(lambda found: "\\" + found[0], text)
    return _NUMBER_AT_START.sub(r"\1\\\2", text)
