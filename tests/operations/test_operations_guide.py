"""The table of the operations guide: every heading has a line, and what a line names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "operations-guide.md").read_text()
# How many headings each part of the guide has.
PARTS = {1: 3, 2: 4, 3: 3, 4: 3, 5: 3, 6: 4, 7: 3, 8: 3, 9: 3}
HEADINGS = [f"{part}.{number}" for part, most in PARTS.items() for number in range(1, most + 1)]


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_heading_of_the_guide_has_its_line(heading: str) -> None:
    assert len(re.findall(rf"^\| {re.escape(heading)} ", TEXT, re.MULTILINE)) == 1


def test_every_test_and_page_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/.]+)`", TEXT)
    linked = [f"docs/{each}" for each in re.findall(r"\]\(([\w/.-]+\.md)\)", TEXT)]
    assert len(named) > 40
    assert [each for each in [*named, *linked] if not (ROOT / each).exists()] == []
