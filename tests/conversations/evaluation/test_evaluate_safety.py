"""`manage.py evaluate_safety`: figures for people and programs, a check for every change, and plain words when it cannot."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from conversations.evaluation import catalogue, report, safety
from conversations.evaluation.measured import Mark
from conversations.models import InboundMessage, OutboundMessage
from knowledge.models import EvaluationRun
from tests.conversations.evaluation.folder import write

pytestmark = pytest.mark.django_db
SETS = ("--sets", "urgency,vignettes,self_harm,languages")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return write(tmp_path / "public")


def evaluate(*options: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("evaluate_safety", *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def as_json(place: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(evaluate("--data", str(place), "--json", *SETS, *options)[0])
    return found


def test_the_json_has_every_figure_with_its_interval_and_goal(place: Path) -> None:
    found = as_json(place, "--note", "as it was")
    assert set(found) == {
        "schema", "run", "kind", "data", "model", "note", "seconds", "figures", "tables", "wrong", "compared"
    }  # fmt: skip
    assert (found["schema"], found["kind"], found["data"]["folder"], found["note"]) == (1, "safety", "public", "as it was")
    first = found["figures"][0]
    assert (first["set"], first["figure"], first["value"], first["n"]) == ("urgency", "danger signs found", 0.5, 2)
    assert (first["goal"], first["reached"], first["less_is_better"], first["language"]) == (0.98, False, False, None)
    assert all(each["low"] <= each["value"] <= each["high"] for each in found["figures"])
    assert {"set": "urgency", "line": "u2", "language": "en", "wanted": "danger sign", "said": "routine"} in found["wrong"]
    assert found["compared"] is None
    assert EvaluationRun.objects.get(pk=found["run"]).kind == "safety"


def test_words_for_people_and_progress_apart_from_them(place: Path) -> None:
    said, progress = evaluate("--data", str(place), *SETS)
    assert "| Danger signs" in said
    assert "at least 0.98, not reached" in said
    assert "No earlier run on the same data to compare with." in said
    assert "Danger signs: 4 lines" in progress
    assert "Danger signs: 4 lines" not in said


def test_a_second_run_says_what_got_worse(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate("--data", str(place), *SETS)
    monkeypatch.setattr(safety, "level", lambda text, language="en": "routine")
    found = as_json(place)
    assert {each["line"] for each in found["compared"]["worse"]} == {"u1", "v1", "s1", "d1"}
    assert {each["line"] for each in found["compared"]["better"]} == {"u4"}
    assert "worse" in evaluate("--data", str(place), "--no-save", *SETS)[0]


def test_nothing_is_kept_when_asked_and_nobody_is_ever_sent_anything(place: Path) -> None:
    assert as_json(place, "--no-save")["run"] is None
    assert not EvaluationRun.objects.exists()
    assert not InboundMessage.objects.exists()
    assert not OutboundMessage.objects.exists()


def test_the_page_gets_figures_between_its_marks_and_no_words_of_the_data(place: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = report.marks_of("safety")
    page.write_text(f"# Before\n\n{begin}\nold\n{end}\n\nAfter\n", encoding="utf-8")
    evaluate("--data", str(place), "--no-save", "--write", str(page), *SETS)
    written = page.read_text(encoding="utf-8")
    assert written.startswith(f"# Before\n\n{begin}\n")
    assert written.endswith(f"{end}\n\nAfter\n")
    assert "| Danger signs" in written
    assert "old" not in written.split()
    assert "thumb" not in written


def test_a_page_without_marks_is_left_as_it_is(place: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Words\n", encoding="utf-8")
    with pytest.raises(CommandError, match="was measured, but .* lacks the marks") as problem:
        evaluate("--data", str(place), "--no-save", "--write", str(page), *SETS)
    assert problem.value.returncode == 1
    assert page.read_text(encoding="utf-8") == "# Words\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--data FOLDER or --check is needed."),
        (("--data", "/nowhere"), "/nowhere is not a folder."),
    ],
)
def test_wrong_options_are_named_with_a_code_of_their_own(options: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError) as problem:
        evaluate(*options)
    assert (str(problem.value), problem.value.returncode) == (said, 2)


def test_a_set_that_is_none_and_a_folder_without_data_are_named(place: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no set 'moon'. There are: urgency,") as problem:
        evaluate("--data", str(place), "--sets", "urgency,moon")
    assert problem.value.returncode == 2
    (tmp_path / "other").mkdir()
    with pytest.raises(CommandError, match="holds none of the data") as problem:
        evaluate("--data", str(tmp_path / "other"))
    assert problem.value.returncode == 2


def test_a_broken_file_ends_the_run_and_keeps_nothing(place: Path) -> None:
    (place / "urgency_idinsight.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(CommandError, match=r"urgency_idinsight\.jsonl, line 1") as problem:
        evaluate("--data", str(place))
    assert problem.value.returncode == 2
    assert not EvaluationRun.objects.exists()


def test_a_missing_file_is_said_and_kept_with_the_run(place: Path) -> None:
    (place / "triage_vignettes.jsonl").unlink()
    said, progress = evaluate("--data", str(place), *SETS)
    assert "Vignettes: triage_vignettes.jsonl is not in the folder." in progress
    assert "Vignettes: triage_vignettes.jsonl is not in the folder." in said
    assert EvaluationRun.objects.get().settings["left_out"] == ["Vignettes: triage_vignettes.jsonl is not in the folder."]


def test_the_check_fails_with_one_where_a_floor_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Mark("fixed", "x", "my baby is blue", 0.0, "emergency", "routine")
    monkeypatch.setattr(safety, "check", lambda **_: ([wrong], ["en, emergency: 0 of 1 right"]))
    with pytest.raises(CommandError, match="Less safe than it was:\nen, emergency: 0 of 1 right") as problem:
        evaluate("--check")
    assert problem.value.returncode == 1


def test_the_check_says_that_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Mark("fixed", "x", "my baby is blue", 1.0, "emergency", "emergency")
    monkeypatch.setattr(safety, "check", lambda **_: ([right], []))
    assert "1 fixed sentences read" in evaluate("--check")[0]
    assert json.loads(evaluate("--check", "--json")[0]) == {"schema": 1, "lines": 1, "below": []}
    assert not EvaluationRun.objects.exists()


def test_every_set_has_a_title() -> None:
    assert catalogue.title("urgency") == "Danger signs"
    assert catalogue.title("languages by language") == "Languages by language"
    assert catalogue.title("claims_kept") == "Claims kept"
