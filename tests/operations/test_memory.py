"""Memory over time: who grows, by how much an hour, and what is used right now."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.utils import timezone

from operations import memory, periods
from tests.operations.lookers import a_rollup

pytestmark = pytest.mark.django_db
NOW = timezone.now().replace(second=0, microsecond=0)


def measured(process: str, hours: float, *, start: float, an_hour: float, period: str = "minute") -> None:
    """Figures up to now, with the usual breathing of three megabytes."""
    step = 10 if period == "minute" else 60
    number = int(hours * 60 / step)
    for place in range(number + 1):
        at = NOW - timedelta(minutes=step * (number - place))
        value = start + an_hour * place * step / 60 + 3 * math.sin(place)
        a_rollup(f"memory:{process}", at=at, period=period, count=2, total=2 * value, largest=value)


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine that runs the tests has in use."""
    monkeypatch.setattr(memory, "AT_RISK", 2.0)
    monkeypatch.setattr(memory, "BREACHED", 2.0)


@pytest.mark.usefixtures("calm")
def test_growth_is_said_in_words() -> None:
    measured("worker-answers", 6, start=700, an_hour=12)
    measured("web", 6, start=180, an_hour=0)
    found = memory.look(NOW)
    assert (found.answer, found.state) == ("worker-answers grew by 12 MB an hour for 6 hours", "at_risk")
    assert found.said[0].startswith("Restarting that process is safe")
    assert [plot.title for plot in found.plots] == ["web", "worker-answers"]
    assert found.plots[1].said.endswith("MB an hour")


@pytest.mark.usefixtures("calm")
def test_a_process_that_breathes_does_not_grow() -> None:
    measured("web", 24, start=180, an_hour=0)
    found = memory.look(NOW)
    assert found.state == "good"
    assert found.answer.endswith("and no process grows")


@pytest.mark.usefixtures("calm")
def test_growth_of_less_than_two_hours_is_the_start() -> None:
    measured("worker-answers", 1, start=400, an_hour=200)
    assert memory.look(NOW).state == "good"


@pytest.mark.parametrize(("key", "number"), [("1h", 7), ("24h", 61), ("7d", 11)])
def test_a_stretch_of_time_takes_its_own_rows(key: str, number: int) -> None:
    measured("web", 10, start=180, an_hour=0)
    measured("web", 10, start=180, an_hour=0, period="hour")
    (plot,) = memory.look(NOW, periods.named(key)).plots
    assert len(plot.points) == number


def test_without_figures_it_says_where_they_come_from() -> None:
    found = memory.look(NOW)
    assert found.plots == ()
    assert "while the watcher runs" in found.said[0]
    assert dict(found.facts)["Machine"].endswith("used")


@pytest.mark.parametrize(("share", "state"), [(0.5, "good"), (0.85, "at_risk"), (0.97, "breached")])
def test_the_machine_decides_where_nobody_grows(share: float, state: str) -> None:
    assert memory._answer(share, [])[1] == state


def test_the_figures_of_metrics_are_read_as_well_which_count_bytes() -> None:
    a_rollup("process_resident_memory_bytes{process=worker-answers}", at=NOW, count=1, total=700 * 2**20)
    (plot,) = memory.look(NOW).plots
    assert (plot.title, [point.value for point in plot.points]) == ("worker-answers", [700])
