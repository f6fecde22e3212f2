"""The tables of what each fault costs: every test that they name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 25
    assert [f"{path}::{name}" for path, name in NAMED if name not in functions_of(path)] == []


def test_every_row_of_a_fault_names_one() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and " shown by |" not in line]
    assert [row for row in rows if "::test_" not in row and "| the same |" not in row] == []


def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
