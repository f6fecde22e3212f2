"""Misspelled words of a question, put right with the words of the library's titles and headings. Pure.

Only a word that neither the library nor the language knows is touched, so a rare drug's name stays as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

_WORD = re.compile(r"[^\W\d_]{5,}")
# From this length on two slips are forgiven, below it one.
_LONG = 9


@dataclass(frozen=True)
class Lexicon:
    """`names`: words of titles and headings, lower case, commonest first. `common`: everyday words that are right
    though no passage has them (whole word pieces of the embedding model)."""

    names: tuple[str, ...] = ()
    common: Collection[str] = ()

    @cached_property
    def known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def by_beginning(self) -> dict[tuple[str, int], list[tuple[int, str]]]:
        """Names with their place, by first letter and length: a message of misspelt words must not cost a second."""
        shelves: dict[tuple[str, int], list[tuple[int, str]]] = {}
        for place, name in enumerate(self.names):
            shelves.setdefault((name[0], len(name)), []).append((place, name))
        return shelves


def suspects(question: str, *, lexicon: Lexicon) -> list[str]:
    """Words of the question that may be misspelled, lower case, in their order; whether a passage has them is not known here."""
    words = dict.fromkeys(match.group(0).lower() for match in _WORD.finditer(question))
    return [word for word in words if word not in lexicon.common and word not in lexicon.known]


def corrected(question: str, *, unknown: Collection[str], lexicon: Lexicon) -> str:
    """The question with each unknown word replaced by the nearest name, where one is near; other words as typed."""
    return _WORD.sub(
        lambda match: (match.group(0).lower() in unknown and nearest(match.group(0).lower(), lexicon)) or match.group(0), question
    )


def nearest(word: str, lexicon: Lexicon) -> str | None:
    """One slip up to eight letters, two from nine; the same first letter; then the commoner name."""
    limit = 1 if len(word) < _LONG else 2
    near = (
        (slips, place, name)
        for length in range(max(4, len(word) - limit), len(word) + limit + 1)
        for place, name in lexicon.by_beginning.get((word[0], length), ())
        if (slips := distance(word, name, limit=limit)) <= limit
    )
    best = min(near, default=None)
    return best[2] if best else None


def distance(one: str, other: str, *, limit: int) -> int:
    """Edits (insert, delete, replace, swap neighbours) from one word to the other; limit + 1 when there are more."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        following = [i]
        for j, against in enumerate(other, 1):
            edits = min(row[j] + 1, following[-1] + 1, row[j - 1] + (letter != against))
            if before and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                edits = min(edits, before[j - 2] + 1)
            following.append(edits)
        if min(following) > limit:
            return limit + 1
        before, row = row, following
    return row[-1]
