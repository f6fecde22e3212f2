"""A document's Markdown into passages: structure first, sentence ends second, nothing cut.

Pure. A passage stays inside one section, carries its heading path, and ends where a sentence ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Passage:
    heading: str
    sentences: tuple[str, ...]
    # Of the source, from 1; None where it has no pages.
    page: int | None = None

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


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


def passages(markdown: str) -> list[Passage]:
    """The passages of a body, in order. An empty body gives an empty list."""
    return [Passage(heading, tuple(group)) for heading, sentences in _sections(markdown) for group in _groups(sentences)]


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


def _sections(markdown: str) -> Iterator[tuple[str, list[str]]]:
    path: list[str] = []
    sentences: list[str] = []
    tokens = MarkdownIt("commonmark").parse(markdown)
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type != "inline":
            continue
        text = _plain(token)
        if before is not None and before.type == "heading_open":
            yield " > ".join(path), sentences
            path = [*path[: int(before.tag[1]) - 2], text] if before.tag != "h1" else []
            sentences = []
        else:
            sentences += split_sentences(text)
    yield " > ".join(path), sentences


def _plain(token: Token) -> str:
    return "".join(
        child.content if child.type in ("text", "code_inline") else " " if child.type.endswith("break") else ""
        for child in token.children or []
    )


def _groups(sentences: list[str]) -> Iterator[list[str]]:
    """Runs of sentences of at most LONGEST_PASSAGE words; one longer sentence is split at its commas or words."""
    group: list[str] = []
    for sentence in (part for each in sentences for part in _bounded(each)):
        if group and _words(group) + len(sentence.split()) > LONGEST_PASSAGE:
            yield group
            group = []
        group.append(sentence)
    if group:
        yield group


def _words(group: list[str]) -> int:
    return sum(len(sentence.split()) for sentence in group)


def _bounded(sentence: str) -> Iterator[str]:
    words = sentence.split()
    for start in range(0, len(words), LONGEST_PASSAGE):
        yield " ".join(words[start : start + LONGEST_PASSAGE])
