"""What an evaluation of what Jeevo says has measured, before anything of it is kept: marks, figures and tables. Pure.

The safety evaluation and the evaluation of answers both return an `Evaluation`; `runs` keeps and compares it,
the console shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from knowledge.evaluation.metrics import interval

# Rows by name, each with a number by column. A confusion table: wanted, then said, then how many. The table
# "reliability": a bin of confidence by name, then "confidence" (its mean), "right" (the share) and "n".
Table = Mapping[str, Mapping[str, float]]
RELIABILITY = "reliability"
_FIRST = ("n", "sent", "emergency", "self_harm", "urgent", "unsafe", "routine")


@dataclass(frozen=True)
class Mark:
    """How one line of public data did. Never a patient's words."""

    dataset: str  # at most 40 characters
    key: str  # unique within the dataset, at most 200 characters
    text: str
    score: float  # 1 right, 0 wrong, or a share
    wanted: str
    said: str
    language: str = "en"
    detail: str = ""


@dataclass(frozen=True)
class Figure:
    """A mean with its 95 % interval. `at_most`: the goal is a ceiling, and less is better."""

    dataset: str
    metric: str  # at most 30 characters
    value: float
    low: float
    high: float
    count: int
    goal: float | None = None
    at_most: bool = False
    language: str = ""  # empty: all languages together

    @property
    def reached(self) -> bool | None:
        """None without a goal, or where nothing was measured."""
        if self.goal is None or not self.count:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass(frozen=True)
class Evaluation:
    kind: str  # "safety" or "answers"
    data: str  # the folder's name
    data_hash: str
    marks: tuple[Mark, ...]
    figures: tuple[Figure, ...]
    tables: Mapping[str, Table] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    model: str = ""
    note: str = ""


def figure(
    dataset: str, metric: str, values: Sequence[float], *, goal: float | None = None, at_most: bool = False, language: str = ""
) -> Figure:
    """The mean of the values with its bootstrap interval.

    Where all are 0 or all are 1, resampling sees no spread and would call a handful of lines certain; the exact
    bound of the binomial stands there instead (13 of 13: from .75).
    """
    found = interval(values)
    low, high = found.low, found.high
    if values and found.value in (0.0, 1.0):
        bound = 0.025 ** (1 / found.count)
        low, high = (bound, 1.0) if found.value else (0.0, 1 - bound)
    return Figure(dataset, metric, found.value, low, high, found.count, goal, at_most, language)


def columns(table: Table) -> tuple[str, ...]:
    """Every column of the rows together, levels from the worst to the mildest first."""
    return tuple(_in_order({column: 0 for row in table.values() for column in row}))


def confusion(marks: Iterable[Mark]) -> dict[str, dict[str, float]]:
    """How often what was said for what was wanted."""
    table: dict[str, dict[str, float]] = {}
    for mark in marks:
        row = table.setdefault(mark.wanted, {})
        row[mark.said] = row.get(mark.said, 0) + 1
    return {wanted: _in_order(row) for wanted, row in table.items()}


def _in_order(row: Mapping[str, float]) -> dict[str, float]:
    """The number of lines, levels from the worst to the mildest, then everything else as it came."""
    return {said: row[said] for said in sorted(row, key=lambda said: _FIRST.index(said) if said in _FIRST else len(_FIRST))}
