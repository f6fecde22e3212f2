"""A document's text as leaves that a reviewer turns, each beside its passages.

Pure. The leaves of a PDF are its pages; other texts are cut before headings into parts that fit a screen or
two. Every line of the text stands on exactly one leaf, and so does every passage.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol, TypeVar

# Characters: a leaf ends before the next heading once it has so many, and before any paragraph at the most.
ENOUGH, MOST = 2_500, 6_000
_PAGE = re.compile(r"<!-- page (\d+) -->")
_HEADING = re.compile(r"#{1,6} ")
_WORD = re.compile(r"\w+")
# So many words of a passage find its place in the text. With more of them a link or a mark stands between more often.
_KEY = 6


class Placeable(Protocol):
    """What has a page of the source, or at least words of it."""

    @property
    def page(self) -> int | None: ...
    @property
    def text(self) -> str: ...


P = TypeVar("P", bound=Placeable)


@dataclass(frozen=True)
class Leaf:
    # From 1; the page of a PDF.
    number: int
    text: str


def of(text: str, *, pages: int | None = None) -> list[Leaf]:
    """The leaves of a text, at least one. A PDF has as many as it has pages, also where a page gave no text."""
    lines = text.split("\n")
    return _by_page(lines, pages) if pages else _by_length(lines)


def _by_page(lines: Sequence[str], pages: int) -> list[Leaf]:
    texts: list[list[str]] = [[] for _ in range(pages)]
    page = 1
    for line in lines:
        if mark := _PAGE.fullmatch(line.strip()):
            page = min(max(int(mark[1]), 1), pages)
        else:
            texts[page - 1].append(line)
    return [Leaf(number, "\n".join(each)) for number, each in enumerate(texts, start=1)]


def _by_length(lines: Sequence[str]) -> list[Leaf]:
    texts: list[list[str]] = [[]]
    length = 0
    for number, line in enumerate(lines):
        after_blank = number > 0 and not lines[number - 1].strip()
        if (length > ENOUGH and _HEADING.match(line)) or (length > MOST and after_blank):
            texts.append([])
            length = 0
        texts[-1].append(line)
        length += len(line) + 1
    return [Leaf(number, "\n".join(each)) for number, each in enumerate(texts, start=1)]


def placed(leaves: Sequence[Leaf], passages: Sequence[P]) -> list[list[P]]:
    """The passages of each leaf. One whose words are not found stays with the one before it."""
    words = [_words(leaf.text) for leaf in leaves]
    starts = [0, *accumulate(len(each) + 1 for each in words)][: len(leaves)]
    whole = " ".join(words)
    found: list[list[P]] = [[] for _ in leaves]
    at, last = 0, 0
    for passage in passages:
        if passage.page is not None:
            last = min(max(passage.page, 1), len(leaves)) - 1
        else:
            at = max(at, _place(whole, passage.text, at))
            last = bisect_right(starts, at) - 1
        found[last].append(passage)
    return found


def _words(text: str) -> str:
    """Its words and nothing else, because a passage has lost the marks of Markdown."""
    return " " + " ".join(_WORD.findall(text.lower())) + " "


def _place(whole: str, text: str, since: int) -> int:
    """Where these words begin, or -1: by the first of them, else by those after, where a mark or an address stands between."""
    words = _WORD.findall(text.lower())
    for start in (0, _KEY):
        key = words[start : start + _KEY]
        if key and (at := whole.find(" " + " ".join(key) + " ", since)) >= 0:
            return at
    return -1
