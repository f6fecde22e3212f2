"""What is kept of a run, and what changed since the run before on the same data."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from conversations.evaluation import runs
from conversations.evaluation.measured import Evaluation, Figure, Mark
from knowledge.models import EvaluationRun

pytestmark = pytest.mark.django_db

FOUND = Figure("urgency", "danger signs found", 0.9, 0.8, 1.0, 10, goal=0.98)
ALARMS = Figure("harmless", "false emergencies", 0.01, 0.0, 0.02, 100, goal=0.02, at_most=True)
HINDI = Figure("harmless", "false emergencies", 0.5, 0.0, 1.0, 2, at_most=True, language="hi")
RIGHT = Mark("urgency", "a", "Blood in the vomit", 1.0, "danger", "emergency")
MISSED = Mark("urgency", "b", "Sudden fits", 0.0, "danger", "routine")
EVALUATION = Evaluation(
    kind="safety",
    data="public",
    data_hash="h",
    marks=(RIGHT, MISSED),
    figures=(FOUND, ALARMS, HINDI),
    tables={"urgency": {"danger": {"emergency": 1, "routine": 1}}},
    left_out=("x was left out",),
    seconds=2.5,
    model="rules",
    note="first",
)


def kept(evaluation: Evaluation, *, days: int) -> EvaluationRun:
    run = runs.keep(evaluation)
    EvaluationRun.objects.filter(pk=run.pk).update(created_at=run.created_at - timedelta(days=days))
    return EvaluationRun.objects.get(pk=run.pk)


def test_a_run_is_kept_whole() -> None:
    run = kept(EVALUATION, days=0)
    assert (run.kind, run.data, run.model, run.seconds, run.settings["note"]) == ("safety", "public", "rules", 2.5, "first")
    assert run.settings["left_out"] == ["x was left out"]
    assert runs.figures(run) == [FOUND, ALARMS, HINDI]
    assert runs.tables(run) == EVALUATION.tables
    assert runs.kept_marks(run)["urgency", "b"] == runs.Kept("urgency", "b", "Sudden fits", 0.0, "danger", "routine")


def test_figures_and_lines_are_compared_with_the_run_before() -> None:
    earlier = kept(EVALUATION, days=1)
    now = replace(
        EVALUATION,
        marks=(replace(RIGHT, score=0.0, said="routine"), replace(MISSED, score=1.0, said="urgent")),
        figures=(FOUND, replace(ALARMS, value=0.03), replace(HINDI, value=0.0)),
    )
    found = runs.compare(now, earlier)
    assert [(each.after.metric, each.after.language, each.worse) for each in found.changes] == [
        ("false emergencies", "", True),
        ("false emergencies", "hi", False),
    ]
    ((worse,), (better,)) = (found.worse, found.better)
    assert (worse.after.key, worse.after.said, worse.by) == ("a", "routine", -1.0)
    assert (better.before.said, better.after.key, better.by) == ("routine", "b", 1.0)
    assert runs.compare_kept(kept(now, days=0), earlier) == replace(
        found, better=(replace(better, after=replace(better.after, wanted="", said="")),)
    )


def test_what_only_one_run_asked_is_not_compared() -> None:
    earlier = kept(EVALUATION, days=1)
    new = Mark("urgency", "c", "New", 0.0, "danger", "routine")
    found = runs.compare(replace(EVALUATION, marks=(RIGHT, new), figures=(FOUND,)), earlier)
    assert (found.changes, found.worse, found.better) == ((), (), ())


def test_the_run_before_is_of_the_same_kind_and_data() -> None:
    first = kept(EVALUATION, days=3)
    kept(replace(EVALUATION, kind="answers"), days=2)
    kept(replace(EVALUATION, data_hash="other"), days=1)
    last = kept(EVALUATION, days=0)
    assert runs.before(last) == first
    assert runs.before(first) is None
    assert runs.latest("safety", data_hash="h") == last
