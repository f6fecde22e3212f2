"""The checklist as text for a terminal: the worst first, each with what to do under it."""

from __future__ import annotations

from collections.abc import Iterator

from operations.figures import State
from operations.preflight.run import Report

MARKS: dict[State, str] = {"breached": "WRONG", "at_risk": "RISK ", "unknown": "?    ", "good": "good "}


def text(report: Report, *, every_line: bool = True) -> str:
    return "\n".join(_lines(report, every_line=every_line))


def _lines(report: Report, *, every_line: bool) -> Iterator[str]:
    for line in report.lines:
        if every_line or line.state in ("breached", "at_risk"):
            yield f"{MARKS[line.state]} {line.name}: {line.said}"
            if line.remedy:
                yield f"      {line.remedy}"
    yield report.said
