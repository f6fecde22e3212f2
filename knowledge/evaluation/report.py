"""An evaluation in words and in JSON: for the terminal, for programs, and for docs/evaluation.md. Pure but for the rows read.

The JSON is described in docs/evaluation.md; a name in it keeps its meaning as long as `schema` stays the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from knowledge.evaluation.catalogue import DENSE, FUSED, GOALS, SETS, SYSTEMS, TEXT, Set
from knowledge.evaluation.measuring import Asked
from knowledge.evaluation.metrics import Interval, difference
from knowledge.evaluation.runs import Comparison, Evaluation, Move

SCHEMA = 1
# Fusion may lie this much below the better half.
ALLOWANCE = 0.01
_SHOWN = 10
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
Json = dict[str, Any]
Intervals = dict[str, dict[str, Interval]]


def as_json(evaluation: Evaluation, comparison: Comparison | None, *, run: str | None = None) -> Json:
    return {
        "schema": SCHEMA,
        "run": run,
        "data": {"folder": evaluation.data, "hash": evaluation.data_hash, "left_out": list(evaluation.left_out)},
        "model": evaluation.model,
        "note": evaluation.note,
        "library": {
            "documents": evaluation.documents,
            "passages": evaluation.passages,
            "seconds": evaluation.loading_seconds,
            "database": evaluation.scratch,
        },
        "seconds": evaluation.seconds,
        "sets": {each.name: _set_json(each, evaluation) for each in _sets(evaluation)},
        "compared": _compared_json(comparison) if comparison else None,
    }


def _set_json(about: Set, evaluation: Evaluation) -> Json:
    found = _intervals(evaluation, about.name)
    return {
        "title": about.title,
        "questions": found[FUSED][about.main].count,
        "main": about.main,
        "figures": {system: {name: _interval(each) for name, each in found[system].items()} for system in found},
        "goals": {
            name: {"goal": goal.value, "known": goal.known, "met": found[FUSED][name].value >= goal.value}
            for (dataset, name), goal in GOALS.items()
            if dataset == about.name
        },
        "fused_less_better_half": {name: _interval(each) for name, each in fusion(evaluation.asked, about).items()},
    }


def _compared_json(comparison: Comparison) -> Json:
    return {
        "run": str(comparison.before.pk),
        "at": comparison.before.created_at.isoformat(),
        "changes": {name: _interval(each) for name, each in comparison.changes.items()},
        "worse": [_move(each) for each in comparison.worse],
        "better": [_move(each) for each in comparison.better],
    }


def _move(move: Move) -> Json:
    return {
        "set": move.dataset,
        "question": move.key,
        "score": [round(move.before.score, 4), round(move.after.score, 4)],
        "place": [move.before.place, move.after.place],
    }


def _interval(found: Interval) -> Json:
    return {"value": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4), "n": found.count}


def _sets(evaluation: Evaluation) -> list[Set]:
    there = {each.dataset for each in evaluation.figures}
    return [about for name, about in SETS.items() if name in there]


def _intervals(evaluation: Evaluation, dataset: str) -> Intervals:
    """By system and figure, in the order of the catalogue."""
    found = {(each.system, each.metric): each.interval for each in evaluation.figures if each.dataset == dataset}
    return {system: {name: found[system, name] for name in SETS[dataset].figures} for system in SYSTEMS}


def fusion(asked: Sequence[Asked], about: Set) -> dict[str, Interval]:
    """The program's own order less the better of its halves, for every figure of a set."""
    own = [each for each in asked if each.dataset == about.name]
    found = {}
    for metric in about.figures:
        values = {system: [each.scores[system][metric] for each in own] for system in SYSTEMS}
        better = max((DENSE, TEXT), key=lambda half: sum(values[half]))
        found[metric] = difference(values[FUSED], values[better])
    return found


# For people


def as_text(evaluation: Evaluation, comparison: Comparison | None) -> str:
    return "\n".join([*_heading(evaluation), "", *_table(evaluation), "", *_fusion_lines(evaluation), *_change_lines(comparison)])


def as_markdown(evaluation: Evaluation) -> str:
    """The generated part of docs/evaluation.md."""
    return "\n".join([" ".join(_heading(evaluation)), "", *_table(evaluation), "", *_fusion_lines(evaluation)])


def into(page: str, evaluation: Evaluation) -> str:
    """The page with its generated part replaced. Raises ValueError where the two marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{as_markdown(evaluation)}\n{END}{after}"


def _heading(evaluation: Evaluation) -> list[str]:
    lines = [
        f"{evaluation.documents:,} answers in {evaluation.passages:,} passages, model {evaluation.model},"
        f" measured in {evaluation.seconds / 60:.1f} min (loading {evaluation.loading_seconds / 60:.1f} min).",
    ]
    return [*lines, *evaluation.left_out]


def _table(evaluation: Evaluation) -> Iterator[str]:
    rows = [("set", "figure", "n", "Jeevo", "meaning alone", "words alone", "known before", "goal")]
    for about in _sets(evaluation):
        found = _intervals(evaluation, about.name)
        for name in about.figures:
            goal = GOALS.get((about.name, name))
            own = found[FUSED][name]
            reached = f"{goal.value:.2f} {'reached' if own.value >= goal.value else 'not reached'}" if goal else ""
            halves = (_short(found[DENSE][name]), _short(found[TEXT][name]))
            rows.append((about.title, name, f"{own.count:,}", _short(own), *halves, f"{goal.known:.2f}" if goal else "", reached))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        if not number:
            yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def _short(found: Interval) -> str:
    return f"{found.value:.3f} [{found.low:.2f}, {found.high:.2f}]"


def _fusion_lines(evaluation: Evaluation) -> list[str]:
    below = [
        f"{about.title}, {name}: {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
        for about in _sets(evaluation)
        if about.has_truth
        for name, found in fusion(evaluation.asked, about).items()
        if found.value < -ALLOWANCE and name != "judged@10"
    ]
    if not below:
        return ["Both halves together are nowhere more than a point below the better half."]
    return ["Both halves together are more than a point below the better half on:", *(f"- {line}" for line in below)]


def _change_lines(comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        yield "No earlier run on the same data to compare with."
        return
    yield f"Since the run of {comparison.before.created_at:%Y-%m-%d %H:%M}:"
    for name, change in comparison.changes.items():
        yield f"- {SETS[name].title}: {SETS[name].main} {change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
    for title, moves in (("worse", comparison.worse), ("better", comparison.better)):
        yield f"{len(moves):,} {'question' if len(moves) == 1 else 'questions'} {title}" + (":" if moves else ".")
        for move in moves[:_SHOWN]:
            yield f"  {SETS[move.dataset].title}, {_place(move.before.place)} -> {_place(move.after.place)}: {_beginning(move)}"


def _place(place: int | None) -> str:
    return "not found" if place is None else f"place {place}"


def _beginning(move: Move) -> str:
    text = " ".join(move.after.text.split())
    return text if len(text) <= 90 else text[:90].rsplit(" ", 1)[0] + " …"
