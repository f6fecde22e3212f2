"""Everyday words beside the guideline's words. Pure.

Patients write "loose motions" and guidelines "diarrhoea"; the question is searched with both.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("vocabulary.toml")


def widened(question: str) -> str:
    """The question, followed by the guideline's words for what it says in everyday words."""
    found = dict.fromkeys(_terms()[match.group(0)] for match in _pattern().finditer(question.casefold()))
    added = [term for term in found if term not in question.casefold()]
    return f"{question} ({', '.join(added)})" if added else question


@lru_cache(maxsize=1)
def _terms() -> dict[str, str]:
    with FILE.open("rb") as file:
        terms: dict[str, str] = tomllib.load(file)["terms"]
    return terms


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(_terms(), key=lambda term: (-len(term), term))
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b")
