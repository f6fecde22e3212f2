"""`manage.py evaluate_answers` over a small made-up folder: figures, rows kept, plain words when it cannot."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from conversations.evaluation import answers, answers_cases, answers_library, answers_questions
from conversations.evaluation.answers_cases import ERRORS, TRUE
from conversations.models import InboundMessage, OutboundMessage
from knowledge.evaluation import scratch
from knowledge.models import Document, EvaluationRun
from tests.knowledge.evaluation import folder as small

_PLACES = "kitchen garden market school office temple harbour station village hospital".split()
_TEXT = (
    "{topic} is an illness that people catch from dusty water near the {place}. Nurses at the {place} see about {n} "
    "patients with "
    "the illness each year. Do not drink the water of the {place} without boiling it for {n} minutes. The doctor may give 20 mg "
    "of {word} twice a day for {n} days. If the fever lasts more than 3 days, go to the clinic of the {place}. Severe "
    "pain in the "
    "{word} side of the belly can increase after a meal. The liver and the kidneys of patients are healthy."
)


def write(place: Path) -> Path:
    place.mkdir(parents=True)
    rows = [
        row | {"answer": _TEXT.format(topic=row["focus"], place=where, word=small._WORDS[n], n=n + 4) + f" {row['answer']}"}
        for n, (row, where) in enumerate(zip(small.medquad()[::2], _PLACES, strict=True))
    ]
    with gzip.open(place / "medquad.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    _lines(
        place / "medquad_questions_without_answers.jsonl", [{"id": "w", "focus": "Zebrafish", "question": "What is zebrafish?"}]
    )
    _lines(
        place / "kqa_nli.jsonl",
        [
            {
                "id": "n1",
                "question": "fever?",
                "llm_answer": "Rest and drink water.",
                "claim": "Rest and drink water.",
                "label": "Entailment",
            },
            {
                "id": "n2",
                "question": "fever?",
                "llm_answer": "Rest and drink water.",
                "claim": "Swallow camphor.",
                "label": "Neutral",
            },
        ],
    )
    _lines(
        place / "kqa.jsonl",
        [{"id": "k1", "question": "asthma?", "answer": "Asthma is long. Rest helps.", "must_have": ["Rest helps."]}],
    )
    _lines(place / "kqa_questions.jsonl", [{"id": "q1", "question": "Is platypus safe?", "entities": ["platypus"]}])
    return place


def _lines(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return write(tmp_path / "public")


@pytest.fixture
def no_scratch_left() -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{scratch.PREFIX}%"])
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        scratch.drop(name)


def evaluate(*options: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("evaluate_answers", *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_cases_are_drawn_the_same_way_and_never_say_what_the_source_says(place: Path) -> None:
    first, again = (answers_cases.cases(place, each=5) for _ in range(2))
    assert first == again
    assert {case.kind for case in first} >= {*TRUE[:2], *ERRORS[:4], TRUE[3]}
    for case in first:
        verbatim = case.text in case.source.sentences
        assert verbatim == (case.kind == TRUE[0]) or case.kind in (TRUE[3], "swapped source")
    halves = {case.source.document: case.half for case in first}
    assert all(halves[case.source.document] == case.half for case in first)


def test_a_page_is_loaded_whole_or_not_at_all(place: Path) -> None:
    whole = answers_library.corpus(place)
    some = answers_library.corpus(place, limit=3)
    assert len(whole.answers) == 10
    assert len(some.answers) == 3
    assert {each.corpus for each in some.answers} == {answers_library.AUDIENCE}
    assert answers_library.corpus(place, limit=3) == some


def test_unanswerable_are_those_that_no_page_is_about(place: Path) -> None:
    asked, left_out = answers_questions.questions(place, answers_library.corpus(place))
    kinds = {each.kind for each in asked}
    assert kinds == {answers_questions.MEDQUAD, *answers_questions.UNANSWERED}
    assert [each.answerable for each in asked if each.kind == answers_questions.MEDQUAD] == [True] * 10
    assert left_out == ["LiveQA was left out: liveqa_qrels.jsonl is not in the folder."]


@pytest.mark.django_db
@pytest.mark.usefixtures("fake_embed")
def test_the_check_is_measured_without_a_library(place: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before <!-- answers: begin -->old<!-- answers: end --> after")
    options = ("--data", str(place), "--sets", "planted,physicians", "--each", "4", "--note", "small", "--write", str(page))
    said, progress = evaluate(*options, "--json")
    found = json.loads(said)
    by_name = {(each["set"], each["figure"]): each for each in found["figures"]}
    assert (found["schema"], found["kind"], found["note"]) == (1, "answers", "small")
    assert by_name["physicians", "agrees with physicians"]["value"] == 1
    assert by_name["planted", "errors let through"]["goal"] == 0.02
    assert all(each["low"] <= each["value"] <= each["high"] for each in found["figures"])
    assert set(found["tables"]) == {"planted", "physicians"}
    assert EvaluationRun.objects.get(pk=found["run"]).kind == answers.KIND
    assert "embedding the sentences" in progress
    assert page.read_text().startswith("before <!-- answers: begin -->\n")
    assert "Since the run of" in evaluate(*options)[0]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("fake_embed", "no_scratch_left")
def test_the_whole_path_is_asked_over_a_database_of_its_own(place: Path) -> None:
    found = json.loads(evaluate("--data", str(place), "--sets", "asking,statements,played", "--no-save", "--json")[0])
    by_name = {(each["set"], each["figure"]): each for each in found["figures"]}
    assert by_name["asking", "declines without evidence"]["n"] > 30
    assert by_name["asking", "answers what it covers"]["n"] == 10
    assert by_name["played", "planted words sent"]["value"] == 0
    assert by_name["statements", "questions answered"]["n"] == 1
    rows = found["tables"]["reliability"].values()
    assert sum(row["n"] for row in rows) == by_name["asking", "declines without evidence"]["n"] + 10
    assert not Document.objects.exists()
    assert not EvaluationRun.objects.exists()
    assert not InboundMessage.objects.exists()
    assert not OutboundMessage.objects.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--data", "/nowhere"), "is not a folder"),
        (("--data", "{empty}"), "lacks medquad.jsonl"),
        (("--data", "{place}", "--sets", "zzz"), "There is no set “zzz”"),
        (("--data", "{place}", "--limit", "0"), "--limit needs a number"),
        (("--data", "{place}", "--each", "0"), "--each needs a number"),
    ],
)
@pytest.mark.django_db
def test_what_it_cannot_use_is_said(place: Path, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CommandError, match=said) as problem:
        evaluate(*(each.format(place=place, empty=empty) for each in options))
    assert problem.value.returncode == 2


@pytest.mark.django_db
def test_a_broken_line_is_named(place: Path) -> None:
    with (place / "kqa_nli.jsonl").open("a") as file:
        file.write("{broken\n")
    with pytest.raises(CommandError, match=r"kqa_nli\.jsonl, line 3"):
        evaluate("--data", str(place), "--sets", "physicians")
