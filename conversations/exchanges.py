"""One word of a source put out and another put in its place: "twice a week" for "twice a day". Pure.

Where a sentence follows its source closely, the two are laid side by side, longest common order first. In a narrow gap
between shared words, what the sentence has must say the same as what the source has there, or have moved from elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache

from conversations.content_words import GENERAL, light, same, tokens

# From this share of the sentence's words in the source's own order it counts as close.
CLOSE = 0.6
# Of words in a gap on either side: wider ones are another way to say it, and are judged by their words alone.
_NARROW = 2


def exchanged(sentence: str, source: str, *, known: Sequence[str] = (), excused: Collection[str] = ()) -> bool:
    """Whether a word of the source was exchanged for one that says something else. `known`: words of the title and of
    the sentences around. `excused`: words that are accounted for."""
    said, there = tokens(sentence), tokens(source)
    pairs = _common(said, there)
    if len(pairs) < CLOSE * len(said):
        return False
    spare = [word for place, word in enumerate(there) if place not in {other for _, other in pairs}] + list(excused)
    return any(_differs(*gap, spare=spare, whole=said, known=known) for gap in _gaps(said, there, pairs))


def _differs(
    said: Sequence[str], there: Sequence[str], *, spare: Sequence[str], whole: Sequence[str], known: Sequence[str]
) -> bool:
    if not said or not there or len(said) > _NARROW or len(there) > _NARROW:
        return False
    # What has only moved stands among the words that the source has left over.
    new = [word for word in said if not _among(word, spare)]
    lost = [word for word in there if not _among(word, whole)]
    if not new or not lost:
        return False
    # A word of no weight gave way: then this is a word more, and whether the passage has it is asked elsewhere.
    if all(word in light() for word in lost):
        return False
    return not (all(_among(word, GENERAL) for word in lost) and all(_among(word, known) for word in new))


def _among(word: str, others: Collection[str]) -> bool:
    return any(_alike(word, other) for other in others)


def _alike(one: str, other: str) -> bool:
    return one == other if one[0].isdigit() or other[0].isdigit() else same(one, other)


def _gaps(
    said: Sequence[str], there: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> list[tuple[Sequence[str], Sequence[str]]]:
    found = []
    one = other = 0
    for a, b in [*pairs, (len(said), len(there))]:
        found.append((said[one:a], there[other:b]))
        one, other = a + 1, b + 1
    return found


@lru_cache(maxsize=512)
def _common(said: tuple[str, ...], there: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The places of the longest run of words that both have in one order."""
    width = len(there) + 1
    longest = [[0] * width for _ in range(len(said) + 1)]
    for a in range(len(said) - 1, -1, -1):
        for b in range(len(there) - 1, -1, -1):
            alike = _alike(said[a], there[b])
            longest[a][b] = longest[a + 1][b + 1] + 1 if alike else max(longest[a + 1][b], longest[a][b + 1])
    pairs, a, b = [], 0, 0
    while a < len(said) and b < len(there):
        if _alike(said[a], there[b]):
            pairs.append((a, b))
            a, b = a + 1, b + 1
        elif longest[a + 1][b] >= longest[a][b + 1]:
            a += 1
        else:
            b += 1
    return tuple(pairs)
