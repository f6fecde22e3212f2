"""Lines of pages into blocks: what repeats on every page goes, paragraphs are re-joined, headings are known by their look.

Pure. A sentence that runs over the foot of a page stays whole, on the page where it begins.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from knowledge.readers.markdown import Block, Heading, Item, PageMark, Paragraph, Table
from knowledge.readers.pdf_glyphs import Line
from knowledge.readers.pdf_tables import Grid
from knowledge.readers.text import listed

# The share of a page's height at its head and foot in which running titles and page numbers stand.
_MARGIN, _MARGIN_OF_NUMBERS = 0.12, 0.18
_LARGER, _MOST_HEADING_WORDS, _MOST_HEADING_LINES = 1.15, 14, 3
_PAGE_NUMBER = re.compile(
    r"^\W*(?:page|p\.|पृष्ठ|பக்கம்|পৃষ্ঠা)?\s*(?:\d{1,4}|[ivxl]{1,6})(?:\s*(?:of|/|\|)\s*\d{1,4})?\W*$", re.IGNORECASE
)
_DIGITS = re.compile(r"\d+")
_SENTENCE_END = re.compile(r"[.!?।॥:;][\"'”’)\]]*$")
_FIRST_SENTENCE = re.compile(r"^.{0,400}?[.!?।](?=\s|$)")
_BROKEN_WORD = re.compile(r"([^\W\d_]+)-$")
_BARE_BULLET = re.compile(r"^(?:[•‣▪◦●○■□➢✓✔·–—*-]|o|\d{1,2}[.)])$")


@dataclass(frozen=True)
class Page:
    """One page: a height of 0 means that its text is turned, so that head and foot are not where they usually are."""

    number: int
    height: float
    foot: float
    parts: tuple[Line | Grid, ...]

    @property
    def lines(self) -> list[Line]:
        return [each for each in self.parts if isinstance(each, Line)]


@dataclass(frozen=True)
class _Type:
    """How the document is set: the size and weight of its running text, and heading sizes from the largest."""

    size: float
    bold: bool
    sizes: tuple[float, ...]
    has_title: bool
    hyphened: frozenset[str]


def blocks(pages: list[Page]) -> tuple[list[Block], str]:
    """The blocks of a document, and its title or ""."""
    pages = _without_repeats(pages)
    setting = _setting(pages)
    found: list[Block] = []
    for page in pages:
        found.append(PageMark(page.number))
        for group in _groups(page.parts, setting):
            found += _block(group, setting)
    found = _depths(_whole_sentences(found))
    title = next((each.text for each in found if isinstance(each, Heading) and each.level == 1), "")
    return found, title


def _without_repeats(pages: list[Page]) -> list[Page]:
    size = _usual_size([line for page in pages for line in page.lines])
    seen = Counter(key for page in pages for key in {_key(line, size) for line in page.lines if _in_margin(line, page)})
    often = max(3, round(0.3 * len(pages)))

    def is_repeat(line: Line, page: Page) -> bool:
        return _in_margin(line, page) and seen[_key(line, size)] >= often

    return [
        replace(
            page,
            parts=tuple(
                each for each in page.parts if isinstance(each, Grid) or not (is_repeat(each, page) or _is_number(each, page))
            ),
        )
        for page in pages
    ]


def _is_number(line: Line, page: Page) -> bool:
    """A page number stands alone; a year that ends a paragraph at the foot does not."""
    if not _PAGE_NUMBER.match(line.text) or not _in_margin(line, page, _MARGIN_OF_NUMBERS):
        return False
    return all(each is line or abs(each.bottom - line.bottom) > 1.8 * max(each.size, line.size) for each in page.lines)


def _key(line: Line, size: float) -> str:
    """What repeats: a small line whatever its numbers, a large one only to the letter, because chapters are numbered too."""
    return line.text[:120] if line.size >= _LARGER * size else _DIGITS.sub("#", line.text)[:120]


def _in_margin(line: Line, page: Page, margin: float = _MARGIN) -> bool:
    if page.height <= 0:
        return False
    middle = ((line.top + line.bottom) / 2 - page.foot) / page.height
    return middle < margin or middle > 1 - margin


def _setting(pages: list[Page]) -> _Type:
    lines = [line for page in pages for line in page.lines]
    size = _usual_size(lines)
    bold = sum(len(line.text) * line.bold for line in lines)
    larger = [line for line in lines if line.size >= _LARGER * size and any(sign.isalpha() for sign in line.text)]
    sizes = sorted({_half(line.size) for line in larger}, reverse=True)
    first = {_half(line.size) for page in pages[:2] for line in page.lines}
    has_title = bool(sizes) and sizes[0] in first and sum(_half(line.size) == sizes[0] for line in larger) <= _MOST_HEADING_LINES
    hyphened = frozenset(word.lower() for line in lines for word in re.findall(r"[^\W\d_]+-[^\W\d_]+", line.text))
    return _Type(size, bold > 0.5 * sum(len(line.text) for line in lines), tuple(sizes), has_title, hyphened)


def _usual_size(lines: list[Line]) -> float:
    weights: Counter[float] = Counter()
    for line in lines:
        weights[_half(line.size)] += len(line.text)
    return weights.most_common(1)[0][0] if weights else 10.0


def _half(size: float) -> float:
    return round(2 * size) / 2


def _groups(parts: Iterable[Line | Grid], setting: _Type) -> Iterator[list[Line] | Grid]:
    """Lines that belong to one paragraph, item or heading."""
    group: list[Line] = []
    for part in parts:
        if isinstance(part, Grid):
            if group:
                yield group
            yield part
            group = []
        elif group and _continues(group, part, setting):
            group.append(part)
        else:
            if group:
                yield group
            group = [part]
    if group:
        yield group


def _continues(group: list[Line], line: Line, setting: _Type) -> bool:
    last, first = group[-1], group[0]
    if _BARE_BULLET.match(last.text) and len(group) == 1:
        return abs(last.bottom - line.bottom) < line.size or last.bottom > line.bottom
    if line.spread or last.spread or listed(line.text) or abs(last.size - line.size) > 0.12 * max(last.size, line.size):
        return False
    # A paragraph may begin in bold: its first line is a heading only where the next one begins anew.
    if _heading_level(line, setting) != _heading_level(last, setting) and not _goes_on(line):
        return False
    drop = last.bottom - line.bottom
    if drop < 0.3 * line.size:
        # Beside the last line, not below it: a piece of the same line, or the next column in mid-sentence.
        return abs(drop) < 0.3 * line.size or (drop < 0 and not _SENTENCE_END.search(last.text))
    if drop > 1.9 * max(line.size, last.size):
        return False
    widest = max(each.right for each in group)
    short = last.right < first.left + 0.8 * (widest - first.left) if len(group) > 1 else last.right < line.right - 8 * line.size
    return not (short and _SENTENCE_END.search(last.text))


def _goes_on(line: Line) -> bool:
    """In scripts with small letters: what begins with one, or with a figure, began before."""
    return line.text[:1].islower() or line.text[:1].isdigit()


def _heading_level(line: Line, setting: _Type) -> int:
    """Of a line by its look; 0 for running text."""
    if not any(sign.isalpha() for sign in line.text):
        return 0
    top = 1 if setting.has_title else 2
    if line.size >= _LARGER * setting.size:
        return min(top + setting.sizes.index(_half(line.size)) if _half(line.size) in setting.sizes else top, 4)
    if line.bold and not setting.bold and line.size >= 0.95 * setting.size:
        return min(top + len(setting.sizes), 4) if setting.sizes else 2
    return 0


def _block(group: list[Line] | Grid, setting: _Type) -> Iterator[Block]:
    if isinstance(group, Grid):
        rows = group.texts()
        if rows:
            yield (
                Table(rows)
                if max(len([cell for cell in row if cell]) for row in rows) > 1
                else Paragraph(" ".join(map(" ".join, rows)))
            )
        return
    text = _joined(group, setting)
    levels = {_heading_level(line, setting) for line in group}
    level = levels.pop() if len(levels) == 1 else 0
    item = listed(text)
    # Large running text, such as a summary at the head of a chapter, is no heading.
    if (
        level
        and len(text.split()) <= _MOST_HEADING_WORDS
        and len(group) <= _MOST_HEADING_LINES
        and not text.endswith((".", ",", ";", "।"))
    ):
        yield Heading(text, level)
    elif item:
        # Depths are places for now; they become levels when all items of a list are known.
        yield replace(item, depth=max(0, int(group[0].left)))
    else:
        yield Paragraph(text)


def _joined(group: list[Line], setting: _Type) -> str:
    text = ""
    for place, line in enumerate(group):
        text = _together(text, line.text, setting, hyphen=place > 0 and group[place - 1].hyphen)
    return text


def _together(before: str, after: str, setting: _Type, *, hyphen: bool) -> str:
    """Two pieces of a line or paragraph; a word broken at the end of a line is made whole."""
    if not before:
        return after
    broken = _BROKEN_WORD.search(before[-80:] + "-" if hyphen else before[-80:])
    if broken and after[:1].islower():
        head, tail = broken[1], after.split()[0].strip(".,;:)")
        stem = before if hyphen else before[:-1]
        return f"{stem}{'-' if f'{head}-{tail}'.lower() in setting.hyphened else ''}{after}"
    if hyphen:
        return f"{before}-{after}"
    return before + after if before.endswith("-") and before[-2:-1].isalnum() else f"{before} {after}"


def _whole_sentences(found: list[Block]) -> list[Block]:
    """A sentence over the foot of a page goes to where it begins."""
    result: list[Block] = []
    for block in found:
        open_end = result[-2] if len(result) > 1 and isinstance(result[-1], PageMark) else None
        if (
            isinstance(block, Paragraph)
            and isinstance(open_end, Paragraph | Item)
            and block.text[:1].islower()
            and not _SENTENCE_END.search(open_end.text)
        ):
            head = _FIRST_SENTENCE.match(block.text)
            moved = head[0] if head else block.text if len(block.text) <= 400 else ""
            if moved:
                result[-2] = replace(open_end, text=_over_the_foot(open_end.text, moved))
                block = Paragraph(block.text[len(moved) :].strip())
        if not isinstance(block, Paragraph) or block.text:
            result.append(block)
    return result


def _over_the_foot(before: str, after: str) -> str:
    return before[:-1] + after if _BROKEN_WORD.search(before[-80:]) else f"{before} {after}"


def _depths(found: list[Block]) -> list[Block]:
    """Levels of items from how far they stand in."""
    result: list[Block] = []
    lefts: list[int] = []
    for block in found:
        if isinstance(block, Item):
            while lefts and block.depth < lefts[-1] - 4:
                lefts.pop()
            if not lefts or block.depth > lefts[-1] + 4:
                lefts.append(block.depth)
            block = replace(block, depth=min(len(lefts), 4) - 1)
        elif not isinstance(block, PageMark):
            lefts = []
        result.append(block)
    return result
