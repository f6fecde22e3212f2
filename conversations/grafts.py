"""Words put into a sentence that is otherwise the source's: an order that a model obeyed, or the question said back. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from conversations.content_words import content, matches
from conversations.questions import words

# A shorter sentence of the source stands inside another by chance.
SHORTEST = 6
_ASKED = re.compile(r"\b(?:do|does|did|can|could|should|would|will|shall|may|am|are|is) (?:i|you|we)\b", re.IGNORECASE)
# Capitals after a lower-case word; what stands after a full stop or a colon begins something.
_NAME = re.compile(r"(?<=[\w,;)’'\"“] )[\"“'(]?([A-Z][A-Za-z]+)")
_UNITS = frozenset(("celsius", "fahrenheit"))
_JOINING = frozenset("and or but also so then because while when if which that".split())
# How a sentence may open or close without a claim of its own.
_LIGHT = frozenset(
    "in as for of general generally usually often overall short addition additionally moreover typically most many some cases "
    "case rule example instance other words fact course well any however therefore thus too indeed still here there "
    "furthermore".split()
)


def grafted(sentence: str, source: str, sentences: Sequence[str]) -> bool:
    """`source`: the whole passage with its title; `sentences`: its sentences."""
    if "?" in sentence and "?" not in source:
        return True
    if {found.casefold() for found in _ASKED.findall(sentence)} - {found.casefold() for found in _ASKED.findall(source)}:
        return True
    there = source.casefold()
    if any(name.casefold() not in there and name.casefold() not in _UNITS for name in _NAME.findall(sentence)):
        return True
    said = words(sentence)
    return any(_left_over(said, words(each), source) for each in sentences)


def _left_over(said: list[str], whole: list[str], source: str) -> bool:
    """Whether the sentence is a whole sentence of the source and more that the source does not have."""
    length = len(whole)
    if length < SHORTEST or length >= len(said):
        return False
    start = next((i for i in range(len(said) - length + 1) if said[i : i + length] == whole), None)
    if start is None:
        return False
    more = [word for word in (*said[:start], *said[start + length :]) if word not in _JOINING]
    if all(word in _LIGHT for word in more):
        return False
    weighty = content(" ".join(more))
    if not weighty:
        # An opening may be light; an end that says nothing was broken off.
        return start == 0 and len(more) > 1
    there = content(source)
    return any(not matches(word, there) for word in weighty)
