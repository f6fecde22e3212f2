"""One line of the start-up checklist, found by its name."""

from __future__ import annotations

from typing import Any

from operations.preflight import Line


def named(lines: Any, name: str) -> Line:
    found = [line for line in lines if line.name == name]
    assert len(found) == 1, [line.name for line in lines]
    line: Line = found[0]
    return line
