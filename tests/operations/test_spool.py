"""Steps in files: whole or not at all, for their owner only, read as they were written."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from operations import spool
from operations.spool import Known, Step
from tests.fixtures import ChangeEnvironment

NOW = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _folder(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(data=tmp_path)


def step(what: str = spool.DECLARE, **values: object) -> Step:
    return spool.new_step(what, now=NOW, **{"title": "Nothing works", "by": "meera"} | values)


def test_a_step_is_read_as_it_was_written_and_by_its_owner_only() -> None:
    written = step(severity=1, details="Seit 9 Uhr: “nichts” geht\nmehr")
    path = spool.write(written)
    assert spool.read(path) == written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == [f"{written.key}.jsonl"]
    assert path.read_text().count("\n") == 1


def test_steps_wait_in_the_order_in_which_they_were_done() -> None:
    several = [step(title=str(number)) for number in range(5)]
    for each in reversed(several):
        spool.write(each)
    assert [each.title for each in spool.steps()] == ["0", "1", "2", "3", "4"]


GOOD = {"key": "0195f0a0-0000-7000-8000-000000000000", "what": "declare", "at": "2026-03-01T09:00:00+00:00", "title": "x"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        json.dumps(GOOD)[:-9],
        json.dumps(GOOD | {"what": "delete"}),
        json.dumps(GOOD | {"severity": 9}),
        json.dumps(GOOD | {"at": "2026-03-01T09:00:00"}),
        json.dumps(GOOD | {"at": "soon"}),
        json.dumps(GOOD | {"at": None}),
        json.dumps(GOOD | {"key": "no key"}),
        json.dumps(GOOD | {"is_admin": True}),
        json.dumps(GOOD | {"details": "x" * spool.LARGEST}),
        "\udcff",
    ],
)
def test_what_is_no_step_is_told_from_one(text: str) -> None:
    path = spool.folder() / "odd.jsonl"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(spool.Unreadable):
        spool.read(path)
    assert list(spool.steps()) == []


def test_a_good_step_stands_between_the_damaged_ones() -> None:
    (spool.folder() / "0.jsonl").write_text("{")
    (spool.folder() / f"{GOOD['key']}.jsonl").write_text(json.dumps(GOOD))
    assert [each.title for each in spool.steps()] == ["x"]


def test_an_incident_is_found_by_the_reference_that_was_printed() -> None:
    first = step()
    path = spool.write(first)
    assert spool.key_of(first.reference) == spool.key_of(first.reference.lower()) == first.key
    spool.put_away(path, "imported")
    assert spool.key_of(first.reference) == first.key
    assert spool.waiting() == []


@pytest.mark.parametrize("text", ["", "12", "F", "F*******", "F0000000", "Fx/../../", "INC-1234", "F123456789"])
def test_what_is_no_reference_finds_nothing(text: str) -> None:
    spool.write(step())
    assert spool.key_of(text) is None


def test_contacts_are_kept_and_written_only_when_they_change() -> None:
    assert spool.kept_contacts() == []
    contacts = [Known("Meera", "meera@example.org")]
    assert [spool.keep_contacts(contacts), spool.keep_contacts(contacts)] == [True, False]
    assert spool.kept_contacts() == contacts
    path = spool.folder().parent / "contacts.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert spool.keep_contacts([])
    path.write_text("{ damaged")
    assert spool.kept_contacts() == []
