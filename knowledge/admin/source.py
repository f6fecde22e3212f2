"""A document's Markdown as HTML for a reviewer: its structure, and nothing of it that a browser would run or fetch."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

# Pictures would be fetched from elsewhere; addresses stay as the words they are.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink", "reference"])
# Below the page's own headings.
_DEEPER, _DEEPEST = 2, 6


def rendered(markdown: str) -> SafeString:
    tokens = _PARSER.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + _DEEPER, _DEEPEST)}"
        # The content policy refuses inline style, which is how columns of a table are aligned.
        token.attrs.pop("style", None)
    return mark_safe(_html(tokens))  # noqa: S308 - the parser escapes every character of the text


def _html(tokens: Sequence[Token]) -> str:
    html: str = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return html
