"""What a look at one part of the service found: a question, its answer, what stands behind it, what to do next.

The console and `manage.py inspect` show the same value, so that neither knows more than the other. A cell is
text, or text that leads to a page; nothing in it is a patient's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from operations.figures import State
from operations.series import Series


@dataclass(frozen=True)
class Link:
    text: str
    href: str
    permission: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Judged:
    """A cell that is good or not: its state is shown with word and shape beside the text."""

    text: str
    state: State

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Code:
    """Text of the database, set in its own letters."""

    text: str

    def __str__(self) -> str:
        return self.text


Cell = str | Link | Judged | Code


@dataclass(frozen=True)
class Table:
    """`numbers` are the places of columns that hold figures; one that is `folded` is opened by who wants to see it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "Nothing to show."
    numbers: tuple[int, ...] = ()
    note: str = ""
    folded: bool = False

    @property
    def cells(self) -> list[list[tuple[str, str, Cell]]]:
        """Each row as (column, kind of cell, cell), for a page."""
        return [
            [(column, type(cell).__name__, cell) for column, cell in zip(self.columns, row, strict=True)] for row in self.rows
        ]


@dataclass(frozen=True)
class Step:
    """What to do next: a button to `href`, or words with a runbook behind them. `main` is the one to press first."""

    text: str
    href: str
    main: bool = False
    permission: str = ""


@dataclass(frozen=True)
class Finding:
    name: str
    question: str
    answer: str
    state: State
    said: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Series, ...] = ()
    steps: tuple[Step, ...] = ()


def for_reader(finding: Finding, may: Callable[[str], bool]) -> Finding:
    """The same without ways to pages that this reader may not open."""

    def open_to(each: Step | Link) -> bool:
        return not each.permission or may(each.permission)

    def seen(cell: Cell) -> Cell:
        return str(cell) if isinstance(cell, Link) and not open_to(cell) else cell

    tables = tuple(replace(table, rows=tuple(tuple(map(seen, row)) for row in table.rows)) for table in finding.tables)
    return replace(finding, tables=tables, steps=tuple(filter(open_to, finding.steps)))


def as_json(finding: Finding) -> dict[str, Any]:
    """For programs: every table as a list of rows with its columns as keys."""
    return {
        "name": finding.name,
        "question": finding.question,
        "answer": finding.answer,
        "state": finding.state,
        "said": list(finding.said),
        "facts": dict(finding.facts),
        "tables": {table.title: [_row(table, row) for row in table.rows] for table in finding.tables},
        "steps": [{"text": step.text, "href": step.href} for step in finding.steps],
    }


def _row(table: Table, row: tuple[Cell, ...]) -> dict[str, str]:
    return {column or "state": str(cell) for column, cell in zip(table.columns, row, strict=True)}


def as_text(finding: Finding) -> list[str]:
    """For a terminal: the answer first, then its reasons, then the tables in columns."""
    lines = [f"{finding.question}", f"  {finding.answer}  [{finding.state.replace('_', ' ')}]"]
    lines += [f"  {sentence}" for sentence in finding.said]
    lines += [f"  {label}: {value}" for label, value in finding.facts]
    for table in finding.tables:
        lines += ["", table.title, *_columns(table)]
    if finding.steps:
        lines += ["", "Next", *(f"  {step.text}: {step.href}" for step in finding.steps)]
    return lines


def _columns(table: Table) -> list[str]:
    if not table.rows:
        return [f"  {table.empty}"]
    rows = [table.columns, *([str(cell) for cell in row] for row in table.rows)]
    widths = [max(len(str(row[place])) for row in rows) for place in range(len(table.columns))]
    shown = ["  " + "  ".join(_padded(table, row, place, widths) for place in range(len(widths))).rstrip() for row in rows]
    return [*shown, *([f"  {table.note}"] if table.note else [])]


def _padded(table: Table, row: Any, place: int, widths: list[int]) -> str:
    text = str(row[place])
    return text.rjust(widths[place]) if place in table.numbers else text.ljust(widths[place])
