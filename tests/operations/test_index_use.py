"""Indexes: the guide's two by name, broken ones, and tables that are read from end to end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from operations import index_use
from tests.operations.lookers import table

NOW = timezone.now()


@pytest.mark.django_db
def test_the_two_indexes_of_the_guide_are_there_by_the_names_they_have_here() -> None:
    rows = table(index_use.look(NOW), "Indexes of the operations guide")
    assert [(row[1], row[3]) for row in rows] == [("message_contact_time", "present"), ("session_one_open", "present")]


@pytest.mark.django_db
def test_every_index_is_listed_with_its_use_and_size() -> None:
    rows = {row[0]: row for row in table(index_use.look(NOW), "Use of every index, most read first")}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_user_indexes")
        assert len(rows) == cursor.fetchone()[0]
    assert rows["contact_phone_once"][1] == "conversations_contact"
    assert rows["contact_phone_once"][6] == "keeps a rule"
    assert rows["message_open"][6] == ""
    assert rows["message_open"][4].endswith("kB")


@pytest.fixture
def broken() -> Iterator[None]:
    """What a CREATE INDEX CONCURRENTLY leaves that was stopped by two equal values."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE halves (a int)")
        cursor.execute("INSERT INTO halves VALUES (1), (1)")
        with pytest.raises(DatabaseError):
            cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY halves_once ON halves (a)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE halves")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broken")
def test_a_broken_index_is_a_breach_with_the_command_that_mends_it() -> None:
    found = index_use.look(NOW)
    assert (found.answer, found.state) == ("1 index is broken", "breached")
    ((name, of, _, command),) = table(found, "Broken")
    assert (name, of, command) == ("halves_once", "halves", "REINDEX INDEX CONCURRENTLY halves_once")


@pytest.mark.django_db(transaction=True)
def test_a_missing_index_of_the_guide_is_a_breach() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER INDEX message_contact_time RENAME TO elsewhere")
    try:
        found = index_use.look(NOW)
        assert (found.answer, found.state) == ("1 index of the guide is missing", "breached")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER INDEX elsewhere RENAME TO message_contact_time")


@pytest.mark.django_db(transaction=True)
def test_a_large_table_read_from_end_to_end_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE plain AS SELECT generate_series(1, 20000) AS a")
        cursor.execute("ANALYZE plain")
        cursor.execute("SELECT count(*) FROM plain WHERE a = 7")
        cursor.execute("SELECT pg_stat_force_next_flush()")
    try:
        found = index_use.look(NOW)
        assert (found.answer, found.state) == ("1 large table is read from end to end", "at_risk")
        assert table(found, "Large tables read from end to end")[0][0] == "plain"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE plain")


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 B"), (1023, "1,023 B"), (8192, "8.0 kB"), (5 * 2**20, "5.0 MB"), (2**31, "2.0 GB")]
)
def test_sizes_are_said_in_units(number: int, said: str) -> None:
    assert index_use.size(number) == said
