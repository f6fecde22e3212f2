"""A document's Markdown into passages: structure first, sentence ends second, nothing cut.

Pure. A passage stays inside one section and one page, carries its heading path, ends where a sentence
ends, and fits the window of the model that will read it. A row of a table is one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

# About 190 word pieces of the default model's 256, which leaves room for the heading path.
LONGEST_PASSAGE = 130
# The closing marks are caught, because they belong to the sentence that ends.
_SENTENCE_END = re.compile(r"(?<=[.!?।])([\"')\]]*)\s+(?=[\"'(\[]?[^\W_])")
_ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|etc|vs|Dr|Mr|Mrs|Ms|St|No|approx|Fig)\.$", re.IGNORECASE)


class BadFrontMatter(ValueError):
    """The block between the `---` lines is not a mapping."""


_PAGE = re.compile(r"<!-- page (\d+) -->")
_PARSER = MarkdownIt("commonmark").enable("table")
# Tokens of each text.
Count = Callable[[list[str]], list[int]]


@dataclass(frozen=True)
class Passage:
    heading: str
    sentences: tuple[str, ...]
    # Of the source, from 1; None where it has no pages.
    page: int | None = None

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


@dataclass(frozen=True)
class _Heading:
    level: int
    text: str


@dataclass(frozen=True)
class _Part:
    heading: str
    page: int | None
    sentences: list[str]


def front_matter(source: str) -> tuple[dict[str, Any], str]:
    """The mapping between the first two `---` lines, and the body after it."""
    if not source.startswith("---\n"):
        return {}, source
    head, mark, body = source[4:].partition("\n---\n")
    try:
        values = yaml.safe_load(head) if mark else None
    except yaml.YAMLError as error:
        raise BadFrontMatter("the front matter is not YAML") from error
    if not isinstance(values, dict):
        raise BadFrontMatter("the front matter is not a list of names and values")
    return values, body


def passages(markdown: str, *, title: str = "", count: Count | None = None, window: int = 256) -> list[Passage]:
    """The passages of a body, in order. An empty body gives an empty list.

    With `count` (tokens of each text, special ones included), a passage under its title and heading fits `window`.
    """
    parts = [part for part in _parts(markdown) if part.sentences]
    if count is None:
        return [Passage(each.heading, tuple(group), each.page) for each in parts for group in _groups(each.sentences)]
    lengths = iter(count([sentence for each in parts for sentence in each.sentences]))
    heads = count([f"{title} > {each.heading}. " for each in parts])
    return [
        Passage(each.heading, tuple(group), each.page)
        for each, head in zip(parts, heads, strict=True)
        for group in _fitting(each.sentences, [next(lengths) for _ in each.sentences], count, max(window - head, window // 2))
    ]


def split_sentences(text: str) -> list[str]:
    """Sentences of one paragraph; abbreviations do not end one."""
    sentences: list[str] = []
    pieces = [*_SENTENCE_END.split(" ".join(text.split())), ""]
    for part in map("".join, zip(pieces[::2], pieces[1::2], strict=True)):
        if sentences and _ABBREVIATIONS.search(sentences[-1]):
            sentences[-1] += " " + part
        elif part:
            sentences.append(part)
    return sentences


def _parts(markdown: str) -> Iterator[_Part]:
    """Runs of sentences under one heading on one page."""
    path: list[str] = []
    page: int | None = None
    sentences: list[str] = []
    for block in _blocks(markdown):
        if isinstance(block, list):
            sentences += block
            continue
        yield _Part(" > ".join(path), page, sentences)
        sentences = []
        if isinstance(block, int):
            page = block
        else:
            path = [*path[: block.level - 2], block.text] if block.level > 1 else []
    yield _Part(" > ".join(path), page, sentences)


def _blocks(markdown: str) -> Iterator[_Heading | int | list[str]]:
    """Headings, page marks, and the sentences of everything else."""
    tokens = _PARSER.parse(markdown)
    before: Token | None = None
    header: list[str] = []
    row: list[str] = []
    for token in tokens:
        if token.type == "html_block" and (mark := _PAGE.fullmatch(token.content.strip())):
            yield int(mark[1])
        elif token.type in ("fence", "code_block"):
            # Indented text of a plain file is not code, and it is not lost.
            yield split_sentences(token.content)
        elif token.type in ("tr_open", "table_open"):
            row, header = [], header if token.type == "tr_open" else []
        elif token.type == "thead_close":
            header = row
        elif token.type == "tr_close" and token.level > 0 and row is not header and header:
            yield [_row(header, row)] if any(row) else []
        elif token.type == "inline" and before is not None:
            text = _plain(token)
            if before.type in ("th_open", "td_open"):
                row.append(text)
            elif before.type == "heading_open":
                yield _Heading(int(before.tag[1]), text)
            else:
                yield split_sentences(text)
        before = token


def _row(header: list[str], row: list[str]) -> str:
    """A row of a table as a sentence that can be read alone."""
    cells = [f"{name}: {cell}" if name else cell for name, cell in zip(header, row, strict=False) if cell]
    return "; ".join(cells).rstrip(".") + "."


def _plain(token: Token) -> str:
    return "".join(
        child.content if child.type in ("text", "code_inline") else " " if child.type.endswith("break") else ""
        for child in token.children or []
    )


def _groups(sentences: Sequence[str]) -> Iterator[list[str]]:
    """Runs of sentences of at most LONGEST_PASSAGE words; one longer sentence is split between its words."""
    group: list[str] = []
    for sentence in (part for each in sentences for part in _bounded(each)):
        if group and _words(group) + len(sentence.split()) > LONGEST_PASSAGE:
            yield group
            group = []
        group.append(sentence)
    if group:
        yield group


def _fitting(sentences: Sequence[str], lengths: Sequence[int], count: Count, budget: int) -> Iterator[list[str]]:
    """As `_groups`, and of at most `budget` tokens."""
    group: list[str] = []
    words = tokens = 0
    for sentence, length in _split_to_fit(sentences, lengths, count, budget):
        size = len(sentence.split())
        if group and (words + size > LONGEST_PASSAGE or tokens + length > budget):
            yield group
            group, words, tokens = [], 0, 0
        group.append(sentence)
        words, tokens = words + size, tokens + length
    if group:
        yield group


def _split_to_fit(sentences: Sequence[str], lengths: Sequence[int], count: Count, budget: int) -> Iterator[tuple[str, int]]:
    for sentence, length in zip(sentences, lengths, strict=True):
        if length <= budget and len(sentence.split()) <= LONGEST_PASSAGE:
            yield sentence, length
            continue
        words = sentence.split()
        # A word alone may be longer than the window (an address, a table pressed together): then it is halved too.
        middle = len(words) // 2
        halves = [" ".join(words[:middle]), " ".join(words[middle:])] if middle else _halves(sentence)
        yield from _split_to_fit(halves, count(halves), count, budget)


def _halves(word: str) -> list[str]:
    return [word[: len(word) // 2], word[len(word) // 2 :]]


def _words(group: list[str]) -> int:
    return sum(len(sentence.split()) for sentence in group)


def _bounded(sentence: str) -> Iterator[str]:
    words = sentence.split()
    for start in range(0, len(words), LONGEST_PASSAGE):
        yield " ".join(words[start : start + LONGEST_PASSAGE])
