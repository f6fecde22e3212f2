"""Statements without their values, and plans that run nothing."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from operations import statements
from operations.statements import NoPlan

ANSWERS = 'SELECT "conversations_answer"."id" FROM "conversations_answer" WHERE "conversations_answer"."kind" = $1'


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("SELECT 1", "SELECT $1"),
        ("SELECT * FROM t WHERE a = $1 AND b = 'my chest hurts'", "SELECT * FROM t WHERE a = $1 AND b = $2"),
        ("SELECT * FROM t2 WHERE a1 = 17 LIMIT 21", "SELECT * FROM t2 WHERE a1 = $1 LIMIT $2"),
        ("SELECT 'it''s' || E'a\\b' || $tag$ my words $tag$", "SELECT $1 || $2 || $3"),
        ('SELECT "col 12" FROM "t"', 'SELECT "col 12" FROM "t"'),
        ("SELECT a -- my words\nFROM t /* more words */", "SELECT a FROM t"),
        ("SELECT 'cut off in the midd", "SELECT $1"),
        ("SELECT  a\n\tFROM   t", "SELECT a FROM t"),
        ("SELECT 1.5e3, -2", "SELECT $1, -$2"),
    ],
)
def test_a_literal_becomes_a_parameter(text: str, kept: str) -> None:
    assert statements.normalised(text) == kept


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=60))
def test_no_word_inside_quotes_is_kept(words: str) -> None:
    quoted = "'" + words.replace("'", "''") + "'"
    found = statements.normalised(f"SELECT a FROM t WHERE b = {quoted} AND c = $1")
    # The next number is counted from the highest anywhere, and the words may look like one.
    assert re.fullmatch(r"SELECT a FROM t WHERE b = \$\d+ AND c = \$1", found)


PARTS = [
    "SELECT",
    "a",
    '"a b"',
    "$1",
    "$12",
    "7",
    "1.5",
    "'x'",
    "'it''s'",
    "E'y'",
    "t1.c2",
    ",",
    "(",
    ")",
    "=",
    "-- no\n",
    "/* no */",
]


@given(st.lists(st.sampled_from(PARTS), max_size=20))
def test_what_is_normalised_stays_as_it_is(parts: list[str]) -> None:
    once = statements.normalised(" ".join(parts))
    assert statements.normalised(once) == once
    assert "'" not in once
    assert "no" not in once


def test_a_long_list_of_columns_goes_before_the_rest() -> None:
    columns = ", ".join(f'"conversations_inboundmessage"."column_{number}"' for number in range(20))
    text = f'SELECT {columns} FROM "conversations_inboundmessage" WHERE "id" = $1'
    assert statements.shortened(text) == 'SELECT NULL FROM "conversations_inboundmessage" WHERE "id" = $1'


def test_what_is_still_too_long_ends_in_a_mark() -> None:
    short = statements.shortened("SELECT " + "x" * 900)
    assert (len(short), short[-1]) == (500, "…")


@pytest.mark.django_db
def test_a_plan_is_made_for_whatever_values_may_come() -> None:
    lines = statements.plan(ANSWERS)
    assert "conversations_answer" in lines[0]
    assert any("kind" in line and "$1" in line for line in lines)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM conversations_answer",
        "SELECT 1; DROP TABLE conversations_answer",
        "EXPLAIN ANALYZE SELECT 1",
        "SELECT a from nowhere_at_all",
        "SELECT x" + "x" * 498 + "…",
        "WITH gone AS (DELETE FROM conversations_answer RETURNING id) SELECT id FROM gone",
    ],
)
def test_nothing_but_a_whole_select_has_a_plan(text: str) -> None:
    with pytest.raises(NoPlan):
        statements.plan(text)


@pytest.mark.django_db
def test_a_plan_runs_nothing() -> None:
    """nextval would move the sequence if the statement ran."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value, is_called FROM operations_release_id_seq")
        before = cursor.fetchone()
    assert statements.plan("SELECT nextval('operations_release_id_seq')")
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value, is_called FROM operations_release_id_seq")
        assert cursor.fetchone() == before
