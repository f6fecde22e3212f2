"""The failures that a target allows in a day: used up, nearly used up, and too few to say anything."""

from __future__ import annotations

from datetime import timedelta

import pytest

from operations import rollups
from operations.detectors import budget
from operations.rollups import MARK, Sum
from tests.factories import HOUR, MINUTE, NOW

pytestmark = pytest.mark.django_db


def measured(*, failures: int, operations: int, ago: timedelta = MINUTE) -> None:
    sums = {"failures": Sum(count=failures), "operations": Sum(count=operations), MARK: Sum(count=1)}
    rollups.write((NOW - ago).replace(second=0, microsecond=0), sums)


@pytest.mark.parametrize(
    ("failures", "operations", "seen"),
    [(10, 10_000, 1), (9, 10_000, 0), (11, 10_000, 1), (4, 100, 0), (5, 100, 1), (0, 0, 0)],
)
def test_a_budget_of_a_thousandth_is_used_up_by_one_in_a_thousand(failures: int, operations: int, seen: int) -> None:
    measured(failures=failures, operations=operations)
    found = budget.error_budget(NOW)
    assert [(signal.scope, signal.severity) for signal in found] == [("errors", 3)] * seen


def test_what_is_older_than_a_day_is_forgiven() -> None:
    measured(failures=50, operations=1000, ago=26 * HOUR)
    measured(failures=0, operations=1000)
    assert budget.error_budget(NOW) == []
