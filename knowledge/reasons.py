"""Why a passage was found, in words and as the parts of a bar. Pure: reads the JSON that a trial keeps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"[^\W\d_]{3,}")
_ENDINGS = ("ings", "ing", "ies", "ed", "es", "s")
_COMMON = frozenset(
    """
    about also and any are but can could did does for from get give had has have her him his how into its may more most much
    not now off one our out over she should some such than that the their them then there these they this those too two was
    were what when where which who why will with would year years you your
    """.split()
)
_SAID = {
    "meaning": "close in meaning",
    "topic": "the title names what is asked",
    "section": "the section is about what is asked",
    "rerank": "read together with the question",
}
_SHOWN = 6


@dataclass(frozen=True)
class Part:
    said: str
    figure: float
    # In the bar, from 0 to 100.
    x: float
    width: float
    # 1 to 4, a tint for each.
    tint: int


@dataclass(frozen=True)
class Explained:
    passage: dict[str, Any]
    parts: tuple[Part, ...]
    # What held it back.
    against: tuple[Part, ...]


def explained(question: str, passages: Sequence[dict[str, Any]]) -> list[Explained]:
    """Bars on one scale: the best passage fills its own."""
    longest = max((_sum(each["parts"]) for each in passages), default=0.0)
    return [_explained(question, each, longest or 1.0) for each in passages]


def _sum(parts: Sequence[Any]) -> float:
    return sum(float(figure) for _, figure in parts if figure > 0)


def _explained(question: str, passage: dict[str, Any], longest: float) -> Explained:
    parts: list[Part] = []
    against: list[Part] = []
    x = 0.0
    for name, figure in passage["parts"]:
        width = round(100 * max(figure, 0) / longest, 2)
        part = Part(_said(name, figure, question, passage), figure, round(x, 2), width, len(parts) % 4 + 1)
        x += width
        if figure > 0:
            parts.append(part)
        elif figure < 0:
            against.append(part)
    return Explained(passage, tuple(parts), tuple(against))


def _said(name: str, figure: float, question: str, passage: dict[str, Any]) -> str:
    if name == "words" and figure > 0:
        shared = shared_words(question, f"{passage['title']} {passage['heading']} {passage['text']}")
        more = f" and {len(shared) - _SHOWN} more" if len(shared) > _SHOWN else ""
        return f"shares the words {', '.join(shared[:_SHOWN])}{more}" if shared else "shares words"
    return _SAID.get(name, name)


def shared_words(question: str, text: str) -> list[str]:
    """The question's words, as they were written, that stand in the text in some form."""
    there = {_stem(word) for word in _words(text)}
    return [word for word in dict.fromkeys(_words(question)) if word not in _COMMON and _stem(word) in there]


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _stem(word: str) -> str:
    ending = next((each for each in _ENDINGS if word.endswith(each) and len(word) - len(each) >= 3), "")
    return word.removesuffix(ending)
