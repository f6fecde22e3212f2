"""The runbooks of docs/runbooks as pages: what to do for each alert, readable where the alert is.

They are files of ours in Markdown without HTML; a link to another runbook or to a page of the console stays inside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

FOLDER = Path("docs", "runbooks")
_NAME = re.compile(r"[a-z][a-z-]{1,60}")
_LINK = re.compile(r"(?:\./)?([a-z-]+)\.md")


@dataclass(frozen=True)
class Runbook:
    name: str
    title: str
    body: SafeString


def names() -> list[str]:
    folder = settings.BASE_DIR / FOLDER
    return sorted(path.stem for path in folder.glob("*.md") if _NAME.fullmatch(path.stem))


def read(name: str) -> Runbook | None:
    """The runbook of this name; None where there is none."""
    if not _NAME.fullmatch(name):
        return None
    try:
        text = (settings.BASE_DIR / FOLDER / f"{name}.md").read_text(encoding="utf-8")
    except OSError:
        return None
    heading, _, rest = text.partition("\n")
    return Runbook(name, heading.removeprefix("#").strip(), _rendered(rest))


def address(named: str) -> str:
    """Where to read what an alert or a detector names, as `docs/runbooks/disk.md` or a full address; nothing when neither."""
    if named.startswith("https://"):
        return named
    name = named.removeprefix(f"{FOLDER}/").removesuffix(".md")
    return reverse("admin:troubleshooting_runbook", args=[name]) if _NAME.fullmatch(name) and name in names() else ""


def titles() -> list[tuple[str, str]]:
    return [(name, book.title) for name in names() if (book := read(name))]


def _rendered(text: str) -> SafeString:
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(text)
    for token in tokens:
        for part in token.children or ():
            found = _LINK.fullmatch(str(part.attrGet("href") or "")) if part.type == "link_open" else None
            if found:
                part.attrSet("href", reverse("admin:troubleshooting_runbook", args=[found[1]]))
    # Our own files, and HTML in them is shown as text.
    return mark_safe(str(reader.renderer.render(tokens, reader.options, {})))  # noqa: S308
