"""An evaluation of safety or answers in words and in JSON: for the terminal, for programs, and for docs/evaluation.md. Pure.

The JSON is described in docs/evaluation.md; a name in it keeps its meaning as long as `schema` stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from conversations.evaluation.measured import Evaluation, Figure, Table, columns
from conversations.evaluation.runs import Change, Comparison, Move

SCHEMA = 1
_SHOWN = 10
Json = dict[str, Any]
Title = Callable[[str], str]


def marks_of(kind: str) -> tuple[str, str]:
    """The marks on the page between which the figures of this kind stand."""
    return f"<!-- {kind}: begin -->", f"<!-- {kind}: end -->"


def as_json(evaluation: Evaluation, comparison: Comparison | None, *, run: str | None = None) -> Json:
    return {
        "schema": SCHEMA,
        "run": run,
        "kind": evaluation.kind,
        "data": {"folder": evaluation.data, "hash": evaluation.data_hash, "left_out": list(evaluation.left_out)},
        "model": evaluation.model,
        "note": evaluation.note,
        "seconds": evaluation.seconds,
        "figures": [_figure(each) for each in evaluation.figures],
        "tables": evaluation.tables,
        "wrong": [
            {"set": each.dataset, "line": each.key, "language": each.language, "wanted": each.wanted, "said": each.said}
            for each in evaluation.marks
            if each.score < 1
        ],
        "compared": _compared(comparison) if comparison else None,
    }


def _figure(figure: Figure) -> Json:
    return {
        "set": figure.dataset,
        "figure": figure.metric,
        "language": figure.language or None,
        "value": round(figure.value, 4),
        "low": round(figure.low, 4),
        "high": round(figure.high, 4),
        "n": figure.count,
        "goal": figure.goal,
        "less_is_better": figure.at_most,
        "reached": figure.reached,
    }


def _compared(comparison: Comparison) -> Json:
    return {
        "run": str(comparison.before.pk),
        "at": comparison.before.created_at.isoformat(),
        "changes": [
            {
                "set": each.after.dataset,
                "figure": each.after.metric,
                "language": each.after.language or None,
                "value": [round(each.before.value, 4), round(each.after.value, 4)],
                "worse": each.worse,
            }
            for each in comparison.changes
        ],
        "worse": [_move(each) for each in comparison.worse],
        "better": [_move(each) for each in comparison.better],
    }


def _move(move: Move) -> Json:
    return {
        "set": move.after.dataset,
        "line": move.after.key,
        "score": [move.before.score, move.after.score],
        "said": [move.before.said or None, move.after.said or None],
    }


# For people


def as_text(evaluation: Evaluation, comparison: Comparison | None, *, title: Title) -> str:
    """With the lines that changed; for the terminal."""
    lines = [*_heading(evaluation), "", *_table(_all(evaluation), title), ""]
    languages = _by_language(evaluation)
    if languages:
        lines += [*_table(languages, title), ""]
    for name, table in evaluation.tables.items():
        lines += [title(name), *_counts(table), ""]
    return "\n".join([*lines, *_change_lines(comparison, title)])


def as_markdown(evaluation: Evaluation, *, title: Title) -> str:
    """The generated part of docs/evaluation.md: figures and counts, no words of the data."""
    lines = [" ".join(_heading(evaluation)), "", *_table(_all(evaluation), title)]
    for name, table in evaluation.tables.items():
        lines += ["", f"{title(name)}:", "", *_counts(table)]
    return "\n".join(lines)


def into(page: str, evaluation: Evaluation, *, title: Title) -> str:
    """The page with its part of this kind replaced. Raises ValueError where the two marks are missing."""
    begin, end = marks_of(evaluation.kind)
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page lacks the marks {begin} and {end}")
    return f"{before}{begin}\n{as_markdown(evaluation, title=title)}\n{end}{after}"


def _all(evaluation: Evaluation) -> list[Figure]:
    return [each for each in evaluation.figures if not each.language]


def _by_language(evaluation: Evaluation) -> list[Figure]:
    return [each for each in evaluation.figures if each.language]


def _heading(evaluation: Evaluation) -> list[str]:
    return [
        f"{len(evaluation.marks):,} lines, model {evaluation.model}, measured in {evaluation.seconds / 60:.1f} min.",
        *evaluation.left_out,
    ]


def _table(figures: Sequence[Figure], title: Title) -> Iterator[str]:
    language = any(each.language for each in figures)
    head = ("set", "figure", *(["language"] if language else []), "n", "value", "95 %", "goal")
    rows = [
        (
            title(each.dataset),
            each.metric,
            *([each.language] if language else []),
            f"{each.count:,}",
            f"{each.value:.3f}",
            f"{each.low:.3f} to {each.high:.3f}",
            goal(each),
        )
        for each in figures
    ]
    return _drawn([head, *rows])


def goal(figure: Figure) -> str:
    if figure.goal is None:
        return "less is better" if figure.at_most else ""
    side = "at most" if figure.at_most else "at least"
    reached = {True: "reached", False: "not reached", None: "not measured"}[figure.reached]
    return f"{side} {figure.goal:.2f}, {reached}"


def _counts(table: Table) -> Iterator[str]:
    names = columns(table)
    rows = [(name, *(_number(row.get(column, 0)) for column in names)) for name, row in table.items()]
    return _drawn([("", *names), *rows])


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.2f}"


def _drawn(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        if not number:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def _change_lines(comparison: Comparison | None, title: Title) -> Iterator[str]:
    if comparison is None:
        yield "No earlier run on the same data to compare with."
        return
    yield f"Since the run of {comparison.before.created_at:%Y-%m-%d %H:%M}:"
    for change in comparison.changes:
        yield f"- {_named(change, title)}: {change.before.value:.3f} to {change.after.value:.3f}" + (
            ", worse" if change.worse else ""
        )
    for name, moves in (("worse", comparison.worse), ("better", comparison.better)):
        yield f"{len(moves):,} {'line' if len(moves) == 1 else 'lines'} {name}" + (":" if moves else ".")
        for move in moves[:_SHOWN]:
            said = f"{move.before.said or 'right'} -> {move.after.said or 'right'}"
            yield f"  {title(move.after.dataset)}, {said}: {_beginning(move)}"


def _named(change: Change, title: Title) -> str:
    language = f", {change.after.language}" if change.after.language else ""
    return f"{title(change.after.dataset)}, {change.after.metric}{language}"


def _beginning(move: Move) -> str:
    text = " ".join(move.after.text.split())
    return text if len(text) <= 90 else text[:90].rsplit(" ", 1)[0] + " …"
