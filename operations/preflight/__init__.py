"""The start-up checklist: is everything here that the service needs? Every line says what is wrong and what to do.

Each module looks at one part and gives its lines; `run` asks them all at once, each within its time, so that a part
that hangs or is away costs its own lines and no other. Nothing of a patient and no secret is in a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from operations.figures import State

# Reading order: what must be mended first, then what could not be seen.
WORST_FIRST: tuple[State, ...] = ("breached", "at_risk", "unknown", "good")


@dataclass(frozen=True)
class Line:
    """`breached`: the service cannot do its work so. `at_risk`: it can, and somebody should look. `remedy`: what to do."""

    name: str
    state: State
    said: str
    remedy: str = ""

    @property
    def pieces(self) -> list[tuple[str, bool]]:
        """The remedy in parts, each with whether it is something to type."""
        return [(text, bool(number % 2)) for number, text in enumerate(self.remedy.split("`")) if text]


@dataclass(frozen=True)
class Part:
    """One look at one thing, that gives its lines by itself within the time it is given."""

    name: str
    look: Callable[[], Iterable[Line]]


def good(name: str, said: str) -> Line:
    return Line(name, "good", said)
