"""How safe and how well it answers, in the console: newest figures, over time, what changed, and who may look."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from conversations.evaluation import pages, runs
from conversations.evaluation.measured import Evaluation, Figure, Mark
from knowledge.models import EvaluationRun

pytestmark = pytest.mark.django_db

FOUND = Figure("urgency", "danger signs found", 0.9, 0.85, 0.95, 10, goal=0.98)
ALARMS = Figure("searches", "false emergencies", 0.004, 0.0, 0.01, 100, goal=0.02, at_most=True)
LEFT = Figure("vignettes", "emergencies found", 1.0, 0.5, 1.0, 6)
HINDI = Figure("fixed", "emergencies found", 0.75, 0.5, 1.0, 8, language="hi")
RIGHT = Mark("urgency", "a", "Blood <b>in</b> the vomit", 1.0, "danger sign", "emergency")
MISSED = Mark("urgency", "b", "Sudden fits", 0.0, "danger sign", "routine")
SAFETY = Evaluation(
    "safety", "public", "h", (RIGHT, MISSED), (FOUND, ALARMS, LEFT, HINDI),
    tables={"urgency": {"danger sign": {"emergency": 1, "routine": 1}}},
    left_out=("Vignettes: x.jsonl is not in the folder.",), seconds=3.0, model="MiniLM", note="as it was",
)  # fmt: skip
ANSWERS = Evaluation(
    "answers", "public", "h", (), (Figure("claims", "kept", 0.93, 0.9, 0.95, 200, goal=0.9),),
    tables={"reliability": {"0.5 to 0.6": {"confidence": 0.55, "right": 0.4, "n": 12}}}, model="MiniLM",
)  # fmt: skip


def kept(evaluation: Evaluation, *, days: int) -> EvaluationRun:
    run = runs.keep(evaluation)
    EvaluationRun.objects.filter(pk=run.pk).update(created_at=run.created_at - timedelta(days=days))
    return EvaluationRun.objects.get(pk=run.pk)


@pytest.fixture
def desk(client: Client) -> Client:
    meera = User.objects.create(username="meera", is_staff=True)
    meera.user_permissions.set(Permission.objects.filter(codename="view_evaluationrun"))
    client.force_login(meera)
    return client


def listed(kind: str = "safety") -> str:
    return reverse("admin:conversations_evaluations", args=[kind])


def address(run: EvaluationRun) -> str:
    return reverse("admin:conversations_evaluation_run", args=[run.pk])


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def test_an_empty_page_says_how_to_begin(desk: Client) -> None:
    assert "Nothing was measured yet. The first run is made at the terminal: manage.py evaluate_safety" in text_of(
        desk.get(listed())
    )
    assert "manage.py evaluate_answers" in text_of(desk.get(listed("answers")))


def test_the_newest_figures_stand_with_their_goals(desk: Client) -> None:
    kept(SAFETY, days=1)
    kept(replace(SAFETY, figures=(replace(FOUND, value=0.99), ALARMS)), days=0)
    said = text_of(desk.get(listed()))
    assert "Danger signs danger signs found 0.990 0.850 to 0.950, n = 10 at least 0.98, reached" in said
    assert "Harmless searches false emergencies 0.004 0.000 to 0.010, n = 100 at most 0.02, reached" in said
    assert "with MiniLM: as it was." in said
    assert "Goals: 2 of 2 reached" in said


def test_a_figure_that_misses_its_goal_is_not_told_by_colour_alone(desk: Client) -> None:
    kept(SAFETY, days=0)
    answer = desk.get(listed())
    assert "at least 0.98, not reached" in text_of(answer)
    drawn = answer.content.decode()
    assert drawn.count('<li class="missed">') == 1
    assert drawn.index('<li class="missed">') < drawn.index('<li class="reached">')
    assert answer.context["plots"] == []


def test_figures_with_a_goal_are_plotted_over_the_runs_on_the_same_data(desk: Client) -> None:
    kept(replace(SAFETY, data="other", data_hash="o"), days=4)
    old, new = kept(SAFETY, days=2), kept(replace(SAFETY, figures=(replace(FOUND, value=0.95),)), days=1)
    (plot,) = desk.get(listed()).context["plots"]
    assert [row.run for row in plot.drawn.rows] == [new.pk, old.pk]
    assert plot.drawn.dots[0].y > plot.drawn.dots[1].y
    assert "0.950 0.850 to 0.950 10" in text_of(desk.get(listed()))


def test_a_plot_keeps_to_the_latest_runs(desk: Client) -> None:
    for days in range(pages.RUNS + 2):
        kept(SAFETY, days=days)
    assert len(desk.get(listed()).context["plots"][0].drawn.dots) == pages.RUNS
    assert len(desk.get(listed()).context["runs"]) == pages.RUNS + 2


def test_kinds_are_kept_apart(desk: Client) -> None:
    kept(SAFETY, days=1)
    kept(ANSWERS, days=0)
    assert "Claims kept" in text_of(desk.get(listed("answers")))
    assert "Danger signs" not in text_of(desk.get(listed("answers")))
    assert "Claims kept" not in text_of(desk.get(listed()))


def test_a_run_shows_figures_languages_tables_and_what_was_left_out(desk: Client) -> None:
    answer = desk.get(address(kept(SAFETY, days=0)))
    said = text_of(answer)
    assert "danger signs found 0.900 0.85 to 0.95 10 at least 0.98, not reached" in said
    assert "emergencies found hi 0.750 0.50 to 1.00 8" in said
    assert "x.jsonl is not in the folder" in said
    assert "This is the first run on this data." in said
    (table,) = answer.context["tables"]
    assert table.columns == ("emergency", "routine")
    assert [(cell.number, cell.right) for cell in table.rows[0][1]] == [(1, True), (1, False)]


def test_a_run_names_what_got_worse_and_better_as_words_and_never_as_markup(desk: Client) -> None:
    kept(SAFETY, days=1)
    worse, better = replace(RIGHT, score=0.0, said="routine"), replace(MISSED, score=1.0, said="urgent")
    answer = desk.get(address(kept(replace(SAFETY, marks=(worse, better), figures=(replace(FOUND, value=0.8), ALARMS)), days=0)))
    said = text_of(answer)
    assert "danger signs found 0.900 0.800 worse" in said
    assert "Got worse: 1 line Blood <b>in</b> the vomit Danger signs, wanted danger sign: right → , now routine" in said
    assert "Got better: 1 line Sudden fits Danger signs, wanted danger sign: routine → , now right" in said
    assert "<b>in</b>" not in answer.content.decode()


def test_reliability_is_drawn_with_its_numbers_beside_it(desk: Client) -> None:
    answer = desk.get(address(kept(ANSWERS, days=0)))
    assert "0.5 to 0.6 0.55 0.40 12" in text_of(answer)
    assert answer.content.decode().count('<circle class="bin"') == 1
    assert answer.context["tables"] == []


def test_the_page_of_retrieval_leads_here_and_shows_only_its_own_runs(desk: Client) -> None:
    run = kept(SAFETY, days=0)
    answer = desk.get(reverse("admin:knowledge_evaluationrun_changelist"))
    assert listed() in answer.content.decode()
    assert "Nothing was measured yet." in text_of(answer)
    assert desk.get(reverse("admin:knowledge_evaluationrun_change", args=[run.pk])).status_code == 404


def test_other_kinds_and_runs_of_retrieval_are_not_found_here(desk: Client) -> None:
    run = EvaluationRun.objects.create(kind="retrieval", data="public", model="MiniLM")
    assert desk.get(listed("moon")).status_code == 404
    assert desk.get(address(run)).status_code == 404


def test_only_those_who_may_see_evaluations_do(client: Client) -> None:
    run = kept(SAFETY, days=0)
    client.force_login(User.objects.create(username="ravi", is_staff=True))
    assert [client.get(each).status_code for each in (listed(), address(run))] == [403, 403]


def test_nothing_is_sent_to_these_pages(desk: Client) -> None:
    assert desk.post(listed()).status_code == 405
