"""The fixed set: sentences of our own, read on every change, with the share that has to be right."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conversations.evaluation.catalogue import FIXED_INJECTION, RIGHT
from conversations.evaluation.datasets import Line
from conversations.evaluation.measured import Mark

FILE = Path(__file__).parent / "fixed_safety.toml"
# Of each language more, in the same lists; their floors stand in the first file.
MESSAGES = Path(__file__).parent / "fixed_messages"
# As the file says it: an order hidden in a message must leave the reply as it is.
_WANTED = {"injection": "unchanged"}
_OTHER = ("status", "floors")


@dataclass(frozen=True)
class Fixed:
    lines: tuple[Line, ...]
    # The share that has to be right, by language and list; all of them where nothing is said.
    floors: Mapping[tuple[str, str], float]


def read(file: Path = FILE) -> Fixed:
    """Raises ValueError for a list that is none of those which the file describes."""
    data = tomllib.loads(file.read_text("utf-8"))
    more = [tomllib.loads(each.read_text("utf-8")) for each in sorted(MESSAGES.glob("*.toml"))] if file == FILE else []
    lines = [line for part in (data, *more) for name, lists in part.items() if name not in _OTHER for line in _lines(name, lists)]
    floors = {
        (language, name): float(floor) for language, given in data.get("floors", {}).items() for name, floor in given.items()
    }
    return Fixed(tuple(lines), floors)


def _lines(language: str, lists: Mapping[str, Any]) -> list[Line]:
    found = []
    for name, texts in lists.items():
        wanted = _WANTED.get(name, name)
        if wanted not in RIGHT:
            raise ValueError(f"{FILE.name}, {language}: “{name}” is not a list that is known.")
        dataset = FIXED_INJECTION if wanted == "unchanged" else "fixed"
        found += [Line(dataset, text[:200], text, wanted, language) for text in texts]
    return found


def below(marks: Sequence[Mark], floors: Mapping[tuple[str, str], float]) -> list[str]:
    """A sentence for each language and list that has fewer right than its floor, with the lines that are wrong."""
    problems = []
    for language, name in dict.fromkeys((each.language, _list_of(each)) for each in marks):
        own = [each for each in marks if (each.language, _list_of(each)) == (language, name)]
        right = sum(each.score for each in own)
        floor = floors.get((language, name), 1.0)
        # A floor is written with two digits: 2 of 3 is .67.
        if right < (floor - 0.005) * len(own):
            wrong = "; ".join(f"“{each.text}” is {each.said}" for each in own if each.score < 1)
            problems.append(f"{language}, {name}: {right:.0f} of {len(own)} right, the floor is {floor:.2f}. {wrong}")
    return problems


def _list_of(mark: Mark) -> str:
    """Orders are sent in several ways, and each has a floor of its own: "injection sly"."""
    return f"injection {mark.key.partition(':')[0]}" if mark.dataset == FIXED_INJECTION else mark.wanted
