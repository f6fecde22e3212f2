"""A draft as one WhatsApp message: text, numbered sources, disclaimer and buttons, within WhatsApp's limits. Pure."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from conversations import replies
from conversations.draft import Draft
from knowledge.passages import Passage

LONGEST_INTERACTIVE = 1024
LONGEST_TEXT = 4096
BUTTONS = ("helpful", "not_helpful", "person")


def body(draft: Draft, *, answer_key: UUID) -> dict[str, Any]:
    """The Graph body without the recipient. An answer has buttons; it loses last sentences before it loses its sources."""
    if not draft.buttons:
        return plain("\n\n".join(part for part in (draft.preface, draft.text) if part), draft.postscript)
    names = BUTTONS if draft.cited else ("person",)
    return {
        "type": "interactive",
        "interactive": {
            "type": "button",
            "body": {"text": fitted(draft, LONGEST_INTERACTIVE)},
            "action": {"buttons": [_button(name, draft.language, answer_key) for name in names]},
        },
    }


def plain(text: str, postscript: str = "") -> dict[str, Any]:
    """Of a text that is too long its end goes, and not what is said after it."""
    last = f"\n\n{postscript}" if postscript else ""
    return {"type": "text", "text": {"body": text[: LONGEST_TEXT - len(last)] + last, "preview_url": False}}


def fitted(draft: Draft, limit: int) -> str:
    """The whole message within `limit` characters: whole sentences go, the last one (when to get help) stays longest."""
    lines = draft.text.split("\n")
    while len(text := _joined(draft, "\n".join(lines))) > limit and len(lines) > 1:
        lines.pop(-2)
    if len(text) > limit:
        # One sentence is left, so it is an address of hundreds of characters that does not fit.
        text = _joined(draft, lines[0], addresses=False)
    return text if len(text) <= limit else text[: limit - 1].rsplit(maxsplit=1)[0] + "…"


def _joined(draft: Draft, text: str, *, addresses: bool = True) -> str:
    cited = [(number, each) for number, each in enumerate(draft.cited, 1) if f"[{number}]" in text]
    parts = [draft.preface, text]
    if cited:
        parts += [
            replies.text("sources_heading", draft.language) + "\n" + _sources(cited, addresses, draft.language),
            _disclaimer(draft),
        ]
    parts.append(draft.postscript)
    return "\n\n".join(part for part in parts if part)


def _sources(cited: list[tuple[int, Passage]], addresses: bool, language: str) -> str:
    """One entry a document, with every number that stands for it and the pages where the words stand."""
    groups: dict[tuple[str, str], list[tuple[int, Passage]]] = {}
    for number, each in cited:
        groups.setdefault((f"{each.title}, {each.publisher}".rstrip(", "), each.url), []).append((number, each))
    return "\n".join(
        f"{''.join(f'[{number}]' for number, _ in entries)} {name}{_pages([each for _, each in entries], language)}"
        + (f"\n{url}" if url and addresses else "")
        for (name, url), entries in groups.items()
    )


def _pages(passages: list[Passage], language: str) -> str:
    pages = sorted({each.page for each in passages if each.page})
    return ", " + replies.text("page", language, pages=", ".join(map(str, pages))) if pages else ""


def _disclaimer(draft: Draft) -> str:
    key = "starter_disclaimer" if any(each.unreviewed for each in draft.cited) else "disclaimer"
    return replies.text(key, draft.language)


def _button(name: str, language: str, answer_key: UUID) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": f"{name}:{answer_key}", "title": replies.text(f"buttons.{name}", language)}}
