"""`manage.py inspect`: the same answers in a terminal, as words and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command

from operations.findings import Code, Finding, Judged, Link, Step, Table, as_json, as_text
from operations.troubleshooting import GROUPS, TOPICS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    cache.clear()


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("inspect", *arguments)
    return capsys.readouterr().out


FINDING = Finding(
    "tests",
    "Is it well?",
    "Two are late",
    "at_risk",
    ("One is away.",),
    (("In use", "3 of 5"),),
    (
        Table(
            "Late ones",
            ("Name", "For", ""),
            ((Code("a"), "12", Link("End", "/end/")), (Judged("longer", "breached"), "7", "-")),
            numbers=(1,),
        ),
        Table("Others", ("Name",), (), "None."),
    ),
    steps=(Step("Look here", "/there/"),),
)


def test_a_finding_is_told_answer_first_in_aligned_columns() -> None:
    assert as_text(FINDING) == [
        "Is it well?",
        "  Two are late  [at risk]",
        "  One is away.",
        "  In use: 3 of 5",
        "",
        "Late ones",
        "  Name    For",
        "  a        12  End",
        "  longer    7  -",
        "",
        "Others",
        "  None.",
        "",
        "Next",
        "  Look here: /there/",
    ]


def test_a_finding_is_given_to_programs_with_its_columns_as_names() -> None:
    given = as_json(FINDING)
    assert (given["name"], given["answer"], given["state"]) == ("tests", "Two are late", "at_risk")
    assert given["facts"] == {"In use": "3 of 5"}
    assert given["tables"]["Late ones"][0]["Name"] == "a"
    assert given["tables"]["Others"] == []
    assert json.loads(json.dumps(given)) == given


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
def test_every_topic_is_told_and_given(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = json.loads(said(capsys, topic, "--json"))
    assert given["name"] == topic
    told = said(capsys, topic)
    assert told.startswith(given["question"])


def test_the_database_is_three_topics_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    given = json.loads(said(capsys, "database", "--json"))
    assert tuple(each["name"] for each in given) == GROUPS["database"]


def test_without_a_name_each_topic_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()
    assert [line.split()[0] for line in lines] == [topic.name for topic in TOPICS]
    assert [each["name"] for each in json.loads(said(capsys, "--json"))] == [topic.name for topic in TOPICS]


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError):
        call_command("inspect", "everything")


def test_reach_asks_only_when_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(said(capsys, "reach", "--json"))["tables"].keys() == {"What the last calls ran into"}
    asked = json.loads(said(capsys, "reach", "--ask", "--json"))
    assert [row["Step"] for row in asked["tables"]["Step by step"]][:2] == ["Name", "Connection"]


def test_without_the_database_it_says_so_and_looks_at_what_is_left() -> None:
    dead = {"DATABASE_URL": "postgres://jeevo@127.0.0.1:1/jeevo", "REDIS_URL": "redis://127.0.0.1:1", "JEEVO_PROCESS": "manage"}
    ran = subprocess.run(
        [sys.executable, "manage.py", "inspect"],
        env={**os.environ, **dead},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    answers = {line.split()[0]: line for line in ran.stdout.splitlines() if line}
    assert answers.keys() == {topic.name for topic in TOPICS}
    assert answers["workers"].endswith("breached  The database did not answer")
    assert answers["cache"].endswith("breached  Valkey does not answer")
    assert answers["reach"].split()[1] == "unknown"
    assert "Traceback" not in ran.stderr
