"""Markdown files: kept as they are, without what a rendered page would hide.

Comments are cut out and said, tags are cut out and their text stays, front matter becomes metadata.
"""

from __future__ import annotations

import re
from pathlib import Path

from knowledge.readers import suspicions, text
from knowledge.readers.markdown import too_long
from knowledge.readers.suspicions import Traces
from knowledge.readers.values import Extracted, Limits, Refused

_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_UNSEEN = re.compile(r"<(script|style|template|noscript|iframe)\b[^<>]*>(.*?)(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_HIDDEN = re.compile(
    r"<(\w{1,20})\b[^<>]{0,1000}?(?:\shidden\b|display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0)[^<>]{0,1000}>"
    r"(.*?)(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
# `<https://…>` and `<name@place>` are links, not tags.
_ADDRESS = re.compile(r"<(?:https?://|mailto:)?[^\s<>@]*(?:@|//)?[^\s<>]*\.[a-z]{2,}[^\s<>]*>", re.IGNORECASE)
# A line like this one is never written by a person; it would be taken for a comment or a tag that opens.
_OPENING = re.compile(r"<(?=[!?])")
# The title of a link's definition is never shown, so it is a place to hide words.
_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]{1,200}\]:[ \t]*\S{1,2000}[ \t]+([\"'(].*)$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,3}[ \t]+(.{1,300}?)[ \t]*#*$", re.MULTILINE)
_NAMES = {"title", "publisher", "author", "date", "url", "language", "licence", "license"}
_MOST_HEAD = 20_000


def read(path: Path, *, name: str, limits: Limits) -> Extracted:
    """A Markdown file, its front matter apart."""
    source, flags = text.decoded(path, limits=limits)
    traces = Traces()
    source = suspicions.clean(source, traces)
    metadata, body = front_matter(source)
    body, unseen = without_html(body)
    if not any(sign.isalnum() for sign in body):
        raise Refused("This file holds no text. Check that it is the right file, then upload it again.")
    if len(body) > limits.characters:
        raise Refused(too_long(limits))
    heading = _HEADING.search(body)
    return Extracted(
        title=(metadata.pop("title", "") or (heading[1] if heading else ""))[:300],
        markdown=body.strip() + "\n",
        flags=(*suspicions.instructions(body), *suspicions.hidden(unseen), *flags, *suspicions.said(traces)),
        metadata=metadata,
    )


def front_matter(source: str) -> tuple[dict[str, str], str]:
    """Plain `name: value` lines between the first two `---`; the rest of YAML is not needed and can be turned against us."""
    if not source.startswith("---\n"):
        return {}, source
    head, mark, body = source[4:].partition("\n---\n")
    if not mark or len(head) > _MOST_HEAD:
        return {}, source
    pairs = (line.partition(":") for line in head.splitlines() if line[:1].isalpha())
    values = {name.strip().lower(): value.strip().strip("\"'")[:500] for name, _, value in pairs}
    return {name: value for name, value in values.items() if name in _NAMES and value}, body


def without_html(body: str) -> tuple[str, list[str]]:
    """The Markdown without comments and tags, and the texts that a rendered page would not have shown."""
    unseen: list[str] = []

    def cut(found: re.Match[str]) -> str:
        unseen.append(_TAG.sub(" ", found[found.re.groups]))
        return "\n" if "\n" in found[0] else ""

    # Until nothing changes: what is cut out must not leave a new tag or comment behind.
    for _ in range(5):
        before = body
        for pattern in (_COMMENT, _HIDDEN, _DEFINITION):
            body = pattern.sub(cut, body)
        body = _UNSEEN.sub("", body)
        body = _TAG.sub(lambda found: found[0] if _ADDRESS.fullmatch(found[0]) else "", body)
        if body == before:
            break
    return _OPENING.sub("\\\\<", body).replace("<!--", "<!\\--"), unseen
