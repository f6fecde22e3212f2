"""The evaluation in the console: figures over time, each run beside the one before, and how to begin."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from knowledge.evaluation import history
from knowledge.models import EvaluationFigure, EvaluationQuestion, EvaluationRun

pytestmark = pytest.mark.django_db
LIST = "admin:knowledge_evaluationrun_changelist"
NOW = timezone.now()


def a_run(
    *, days: int, value: float = 0.6, questions: dict[str, tuple[float, int | None]] | None = None, **fields: Any
) -> EvaluationRun:
    """A run so many days ago, with LiveQA's main figures and these questions: score and place."""
    run = EvaluationRun.objects.create(**{"data": "public", "data_hash": "h", "model": "MiniLM", "passages": 40} | fields)
    EvaluationRun.objects.filter(pk=run.pk).update(created_at=NOW - timedelta(days=days))
    run.refresh_from_db()
    for system, less in (("fused", 0.0), ("dense", 0.1), ("text", 0.2)):
        for metric in ("nDCG@10", "R@10"):
            mean = value - less
            EvaluationFigure.objects.create(
                run=run,
                dataset="liveqa_message",
                system=system,
                metric=metric,
                value=mean,
                low=mean - 0.1,
                high=mean + 0.1,
                count=21,
            )
    for key, (score, place) in (questions or {}).items():
        EvaluationQuestion.objects.create(
            run=run, dataset="liveqa_message", key=key, text=f"What about {key}?", score=score, rank=place
        )
    return run


def a_golden_run(scores: list[float]) -> EvaluationRun:
    run = EvaluationRun.objects.create(kind="golden", data="golden questions", model="MiniLM")
    for number, score in enumerate(scores):
        EvaluationQuestion.objects.create(
            run=run, dataset="golden", key=str(number), text=f"Golden {number}?", score=score, rank=1
        )
    return run


@pytest.fixture
def desk(client: Client) -> Client:
    meera = User.objects.create(username="meera", is_staff=True)
    meera.user_permissions.set(Permission.objects.filter(codename="view_evaluationrun"))
    client.force_login(meera)
    return client


def text_of(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def page(desk: Client, run: EvaluationRun) -> str:
    answer = desk.get(reverse("admin:knowledge_evaluationrun_change", args=[run.pk]))
    assert answer.status_code == 200
    return text_of(answer)


def test_an_empty_list_says_how_to_begin(desk: Client) -> None:
    said = text_of(desk.get(reverse(LIST)))
    assert "Nothing was measured yet." in said
    assert "manage.py evaluate_retrieval --data FOLDER" in said


def test_a_list_shows_what_was_measured_and_what_was_tried(desk: Client) -> None:
    a_run(days=1, value=0.53, settings={"note": "longer chunks"})
    said = text_of(desk.get(reverse(LIST)))
    assert "Public questions (public)" in said
    assert "LiveQA, real messages: nDCG@10 0.53" in said
    assert "longer chunks" in said


def test_figures_are_plotted_over_time_with_their_intervals_and_goals(desk: Client) -> None:
    a_run(days=2, value=0.45)
    a_run(days=1, value=0.55)
    answer = desk.get(reverse(LIST))
    drawn = answer.content.decode()
    plot = next(each for each in answer.context["plots"] if each.metric == "nDCG@10")
    assert [mark.interval.value for mark in plot.marks] == pytest.approx([0.45, 0.55])
    assert plot.marks[0].x < plot.marks[1].x
    assert plot.marks[0].y > plot.marks[1].y
    assert all(mark.high < mark.y < mark.low for mark in plot.marks)
    assert plot.met is True
    assert drawn.count('<circle class="both-mark"') == 2 * len(answer.context["plots"]) + 1
    assert "goal 0.50 reached" in text_of(answer)
    assert "goal 0.65 not reached" in text_of(answer)


def test_a_plot_has_its_numbers_in_a_table_with_the_newest_run_first(desk: Client) -> None:
    old, new = a_run(days=2, value=0.45), a_run(days=1, value=0.55)
    answer = desk.get(reverse(LIST))
    rows = answer.context["plots"][0].rows
    assert [row.key for row in rows] == [new.pk, old.pk]
    assert "0.550 0.45 to 0.65 0.450 0.350" in text_of(answer)


def test_only_runs_on_the_same_data_share_a_plot(desk: Client) -> None:
    a_run(days=3, data="dev")
    a_run(days=2, data="release", data_hash="r")
    newest = a_run(days=1, data="dev")
    assert [row.key for row in history.plots()[0].rows][0] == newest.pk
    assert len(history.plots()[0].rows) == 2
    assert len(history.plots("release")[0].rows) == 1
    assert len(desk.get(reverse(LIST), {"data": "release"}).context["plots"][0].rows) == 1


def test_a_plot_keeps_to_the_latest_runs() -> None:
    for days in range(history.RUNS + 3):
        a_run(days=days)
    assert len(history.plots()[0].marks) == history.RUNS


def test_golden_questions_are_plotted_from_how_each_did(desk: Client) -> None:
    run = a_golden_run([1.0, 1.0, 1.0, 0.0])
    (plot,) = history.plots()
    assert (plot.title, plot.last.value, plot.last.count) == ("Golden questions", 0.75, 4)
    assert "R@3 0.750" in page(desk, run)


def test_a_run_names_the_questions_that_got_worse(desk: Client) -> None:
    a_run(days=2, questions={"fever": (1.0, 1), "rash": (0.2, 9), "cough": (0.5, 2)}, settings={"note": "as it was"})
    run = a_run(days=1, questions={"fever": (0.3, 4), "rash": (0.0, None), "cough": (0.9, 1)})
    said = page(desk, run)
    assert "Got worse: 2 questions What about fever? LiveQA, real messages: place 1 → , now place 4" in said
    assert "What about rash? LiveQA, real messages: place 9 → , now not found" in said
    assert "Got better: 1 question What about cough? LiveQA, real messages: place 2 → , now place 1" in said
    assert "as it was" in said
    assert "LiveQA, real messages nDCG@10 -0.167" in said


def test_a_question_whose_first_right_answer_stayed_shows_its_figure(desk: Client) -> None:
    a_run(days=2, questions={"fever": (0.9, 1)})
    run = a_run(days=1, questions={"fever": (0.6, 1)})
    assert "first right answer stays at place 1 , nDCG@10 0.90 to 0.60" in page(desk, run).replace("1,", "1 ,")


def test_the_first_run_says_that_there_is_nothing_to_compare_with(desk: Client) -> None:
    a_run(days=2, data_hash="other")
    assert "This is the first run on this data." in page(desk, a_run(days=1))


def test_both_halves_stand_beside_each_half_alone(desk: Client) -> None:
    run = a_run(days=1, value=0.6)
    answer = desk.get(reverse("admin:knowledge_evaluationrun_change", args=[run.pk]))
    (row,) = answer.context["compared"]
    fused, dense, text = (next(dot for dot in row.dots if dot.system == system) for system in ("fused", "dense", "text"))
    assert text.x < dense.x < fused.x
    assert fused.low < fused.x < fused.high
    assert "both halves 0.60" in answer.content.decode()
    assert "nDCG@10 0.600 0.50 to 0.70 0.500 0.400 21 0.50 reached" in text_of(answer)


def test_what_was_left_out_is_said(desk: Client) -> None:
    run = a_run(days=1, settings={"left_out": ["MEDIQA was left out: mediqa2019_qa.jsonl is not in the folder."]})
    assert "MEDIQA was left out" in page(desk, run)


def test_a_question_is_shown_as_words_and_never_as_markup(desk: Client) -> None:
    a_run(days=2, questions={"<b>x</b>": (1.0, 1)})
    run = a_run(days=1, questions={"<b>x</b>": (0.0, None)})
    drawn = desk.get(reverse("admin:knowledge_evaluationrun_change", args=[run.pk])).content.decode()
    assert "&lt;b&gt;x" in drawn
    assert "<b>x" not in drawn


def test_nothing_is_changed_or_removed_here(desk: Client) -> None:
    run = a_run(days=1)
    assert desk.get(reverse("admin:knowledge_evaluationrun_delete", args=[run.pk])).status_code == 403
    desk.post(reverse("admin:knowledge_evaluationrun_change", args=[run.pk]), {"data": "x"})
    run.refresh_from_db()
    assert run.data == "public"


def test_only_those_who_may_see_evaluations_do(client: Client) -> None:
    client.force_login(User.objects.create(username="ravi", is_staff=True))
    run = a_run(days=1)
    for address in (reverse(LIST), reverse("admin:knowledge_evaluationrun_change", args=[run.pk])):
        assert client.get(address).status_code == 403
