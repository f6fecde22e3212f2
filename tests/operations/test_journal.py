"""The journal: every line on the disk and chained to the one before; a torn end is dropped, anything else refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from operations import journal
from operations.journal import Journal
from tests.fixtures import ChangeEnvironment

NOW = timezone.now()


@pytest.fixture(autouse=True)
def _own_folder(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(data=tmp_path)


def a_journal() -> Journal:
    one = Journal("0198")
    one.write("preflight", "done", now=NOW, free=12)
    one.write("safety", "begun", now=NOW)
    return one


def test_what_was_written_is_read_in_order() -> None:
    lines = a_journal().read()
    assert [(line.step, line.state) for line in lines] == [("preflight", "done"), ("safety", "begun")]
    assert lines[0].facts == {"free": 12}
    found = Journal("0198").done("preflight")
    assert found is not None
    assert Journal("0198").done("safety") is None


def test_a_line_that_was_torn_by_a_kill_is_dropped_and_the_next_takes_its_place() -> None:
    one = a_journal()
    with one.path.open("ab") as file:
        file.write(b'{"step": "lif')
    assert len(one.read()) == 2
    one.write("safety", "done", now=NOW)
    assert [line.state for line in one.read()] == ["done", "begun", "done"]


@pytest.mark.parametrize("at", [10, 60, 200])
def test_one_changed_byte_is_refused(at: int) -> None:
    one = a_journal()
    data = bytearray(one.path.read_bytes())
    data[at] = ord("x") if data[at] != ord("x") else ord("y")
    one.path.write_bytes(data)
    with pytest.raises(journal.Broken):
        one.read()


def test_a_line_that_was_taken_out_is_missed() -> None:
    one = a_journal()
    lines = one.path.read_bytes().splitlines(keepends=True)
    one.path.write_bytes(lines[1])
    with pytest.raises(journal.Broken, match="not what was written"):
        one.write("more", "done", now=NOW)


def test_two_restores_are_never_under_way_at_once() -> None:
    with journal.alone(), pytest.raises(journal.Busy, match="Another restore"), journal.alone():
        pass
    with journal.alone():
        pass
