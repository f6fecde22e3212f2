"""`manage.py evaluate_retrieval`: figures for people and for programs, kept when wanted, and plain words when it cannot."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from knowledge import retrieval
from knowledge.evaluation import report, scratch
from knowledge.evaluation.catalogue import SETS
from knowledge.models import Document, EvaluationRun
from tests.knowledge.evaluation import folder as small
from tests.knowledge.evaluation.conftest import Measured

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_embed")]


@pytest.fixture
def place(tmp_path: Path, measured: Measured) -> Path:
    """The same folder as was measured, so its scratch database is found again."""
    return small.make(tmp_path / "small")


def evaluate(place: Path, *options: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("evaluate_retrieval", "--data", str(place), *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def turn_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the worst comes first."""
    usual = retrieval.ranked
    monkeypatch.setattr(retrieval, "ranked", lambda query, candidates: usual(query, candidates)[::-1])


def as_json(place: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(evaluate(place, "--json", *options)[0])
    return found


def test_the_json_has_every_set_system_figure_and_interval(place: Path) -> None:
    found = as_json(place)
    assert (found["schema"], found["data"]["folder"]) == (report.SCHEMA, "small")
    assert set(found) == {"schema", "run", "data", "model", "note", "library", "seconds", "sets", "compared"}
    assert [name for name in SETS if name in found["sets"]] == list(found["sets"])
    for name, each in found["sets"].items():
        assert set(each["figures"]) == {"fused", "dense", "text"}
        for figures in each["figures"].values():
            assert list(figures) == list(SETS[name].figures)
            assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())
    medquad = found["sets"]["medquad"]
    assert medquad["figures"]["fused"]["R@5"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 20}
    assert medquad["goals"]["R@5"] == {"goal": 0.96, "known": 0.93, "met": True}
    assert set(medquad["fused_less_better_half"]) == {"R@1", "R@5", "R@10", "MRR"}


def test_a_run_is_kept_and_named_in_what_is_said(place: Path) -> None:
    found = as_json(place, "--note", "first", "--sets", "liveqa")
    run = EvaluationRun.objects.get()
    assert found["run"] == str(run.pk)
    assert run.settings["note"] == found["note"] == "first"
    assert set(found["sets"]) == {"liveqa_message", "liveqa_subject", "liveqa_summary"}


def test_a_run_may_leave_no_trace(place: Path) -> None:
    assert as_json(place, "--no-save", "--sets", "mediqa")["run"] is None
    assert not EvaluationRun.objects.exists()
    assert not Document.objects.exists()


def test_a_second_run_is_compared_with_the_first(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = as_json(place, "--sets", "medquad")
    assert first["compared"] is None
    turn_around(monkeypatch)
    found = as_json(place, "--sets", "medquad")["compared"]
    assert found["run"] == first["run"]
    assert found["changes"]["medquad"]["high"] < 0
    assert found["better"] == []
    worst = found["worse"][0]
    assert worst["set"] == "medquad"
    assert worst["score"] == [1.0, 0.0]
    assert worst["place"][0] == 1
    assert worst["place"][1] is None or worst["place"][1] > 1


def test_the_sample_of_medquad_may_be_smaller(place: Path) -> None:
    assert as_json(place, "--limit-medquad", "5", "--sets", "medquad", "--no-save")["sets"]["medquad"]["questions"] == 5


def test_people_get_a_table_with_goals_and_what_changed(place: Path) -> None:
    evaluate(place)
    said, progress = evaluate(place)
    assert "| MedQuAD " in said
    assert "1.000 [1.00, 1.00]" in said
    assert "0.96 reached" in said
    assert "Since the run of " in said
    assert "0 questions worse." in said
    assert "XLingHealth (liveqa) has no answers in Chinese." in progress
    assert "LiveQA, real messages: 2 questions" in progress


def test_the_first_run_has_nothing_to_compare_with(place: Path) -> None:
    assert "No earlier run on the same data" in evaluate(place, "--no-save", "--sets", "mediqa")[0]


def test_a_page_gets_the_table_between_its_marks(place: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter\n", encoding="utf-8")
    evaluate(place, "--sets", "medquad", "--no-save", "--write", str(page))
    written = page.read_text(encoding="utf-8")
    assert written.startswith(f"# Before\n\n{report.BEGIN}\n")
    assert written.endswith(f"{report.END}\n\nAfter\n")
    assert "| MedQuAD | R@1" in written
    assert "old" not in written


def test_a_page_without_marks_is_left_as_it_is(place: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Words\n", encoding="utf-8")
    with pytest.raises(CommandError, match=r"was measured, but .* lacks the marks"):
        evaluate(place, "--sets", "mediqa", "--no-save", "--write", str(page))
    assert page.read_text(encoding="utf-8") == "# Words\n"


def test_fusion_below_its_better_half_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turn_around(monkeypatch)
    said, _ = evaluate(place, "--sets", "medquad", "--no-save")
    assert "more than a point below the better half on:" in said
    assert "- MedQuAD, R@1: -" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sets", "medquad,moon"), "There is no set 'moon'. There are: liveqa, medquad, mediqa, xling, healthsearchqa."),
        (("--limit-medquad", "0"), "--limit-medquad needs a number of at least 1."),
    ],
)
def test_wrong_options_are_named_with_a_code_of_their_own(place: Path, options: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError) as problem:
        evaluate(place, *options)
    assert (str(problem.value), problem.value.returncode) == (said, 2)


def test_a_folder_that_is_not_there_or_holds_other_things_is_named(tmp_path: Path) -> None:
    for place, said in ((tmp_path / "no", "is not a folder."), (tmp_path, "holds none of the data this measures on")):
        with pytest.raises(CommandError, match=said) as problem:
            evaluate(place)
        assert problem.value.returncode == 2


def test_a_broken_file_ends_the_run_before_anything_is_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "liveqa_qrels.jsonl").write_text("{", encoding="utf-8")
    monkeypatch.setattr(scratch, "make", lambda name: pytest.fail("a database was made"))
    with pytest.raises(CommandError, match=r"liveqa_qrels\.jsonl, line 1") as problem:
        evaluate(place)
    assert problem.value.returncode == 2


def test_without_the_right_to_make_databases_the_run_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise scratch.NotPossible("the database user modest may not create one")

    monkeypatch.setattr(scratch, "make", refuse)
    with pytest.raises(CommandError, match="modest") as problem:
        evaluate(place)
    assert problem.value.returncode == 2


def test_what_was_measured_is_not_found_by_the_chat(place: Path) -> None:
    evaluate(place, "--sets", "mediqa")
    query = retrieval.prepare("What are the symptoms of Dengue ?")
    assert retrieval.search(query, filters=retrieval.Filters(language=None)) == []
