"""Whoever was erased does not come back with a server that is rebuilt from the copies outside and the kit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as now_set
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from conversations import erasure
from jeevo.fields import unseal
from operations import erasure_record, erasures, journal, lost_server, offsite_erasures, postgres, wal
from tests.fixtures import ChangeEnvironment
from tests.operations import test_recover
from tests.operations.erased_people import NUMBER, OTHER, OTHER_ID, somebody
from tests.operations.test_recover import World, caught_up, copied, flip, lose, pause, recovered

pytestmark = pytest.mark.django_db(transaction=True)
world = test_recover.world


@pytest.fixture(autouse=True)
def _own_record(environment: ChangeEnvironment, tmp_path: Path) -> None:
    environment(data=tmp_path / "data")


def erased(number: str = NUMBER) -> None:
    erasures.erase(erasure.person(f"+{number}"), reason="They asked for it.")
    assert offsite_erasures.round_of(now=timezone.now())


def numbers(world: World) -> list[str]:
    """Of the people in the rebuilt database, and everything that was written to or by anybody."""
    with (
        postgres.started(world.target, major=postgres.server_major()) as server,
        server.connect(str(connection.settings_dict["NAME"])) as one,
    ):
        rows: Any = one.execute("SELECT phone FROM conversations_contact").fetchall()
        return sorted(unseal(bytes(row[0])) for row in rows)


@pytest.mark.matrix
def test_an_instant_before_the_erasure_does_not_bring_them_back_and_the_record_is_here_again(
    world: World, settings: Settings
) -> None:
    with wal.received():
        caught_up()
        somebody()
        somebody(OTHER, OTHER_ID, words="an indigo headache", name="Imran Qureshi")
        copied("full")
        before = pause()
        erased()
        copied()
    record = erasure_record.read()
    lose(world)
    shutil.rmtree(journal.folder())
    keys, settings.FIELD_KEYS = settings.FIELD_KEYS, ["4" * 43 + "="]  # as on a machine that has just been installed
    _, said = recovered(world, before)
    settings.FIELD_KEYS = keys
    assert numbers(world) == [OTHER]
    assert any("1 person whom the copy still held went again" in line for line in said)
    assert erasure_record.read() == record


@pytest.mark.matrix
def test_with_a_damaged_record_nothing_is_rebuilt_unless_that_is_meant(world: World) -> None:
    with wal.received():
        caught_up()
        somebody()
        copied("full")
        before = pause()
        erased()
        copied()
    lose(world)
    shutil.rmtree(journal.folder())
    flip(world.only("*/erasures/*"))
    with pytest.raises(lost_server.NotRecovered, match="--without-erasures"):
        recovered(world, before)
    assert not world.target.exists()
    wanted = lost_server.Wanted(before, world.source, world.kit, without_erasures=True)
    said: list[str] = []
    lost_server.recover(wanted, now=timezone.now(), report=said.append)
    assert any("people who were erased may be back" in line for line in said)
    assert numbers(world) == [NUMBER]


def test_a_record_here_that_tells_another_story_than_that_outside_is_in_the_way(world: World) -> None:
    erasure_record.append([NUMBER], at=timezone.now())
    assert offsite_erasures.round_of(now=timezone.now())
    erasure_record.replace([])
    erasure_record.append([OTHER], at=timezone.now())
    with pytest.raises(lost_server.NotRecovered, match="move .*erasures.jsonl away first"):
        recovered(world)
    assert now_set.ENVIRONMENT.data.exists()
    assert not world.target.exists()
