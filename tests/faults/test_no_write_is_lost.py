"""Nothing that was acknowledged is lost with the database's disk, and nobody waits for long for a receiver that is gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.machine import PASSPHRASE, Machine, Writers, caught_up, machine
from tests.stack import eventually

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
INCIDENT = "SELECT state FROM operations_incident WHERE kind = 'log_not_synchronous'"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("machine")) as made:
        made.begin("operator")
        yield made


def test_a_database_that_is_struck_down_and_deleted_comes_back_with_every_row_that_was_acknowledged(one: Machine) -> None:
    one.ask("full")
    passphrase, kit = one.folder / "passphrase", one.folder / "kit.age"
    passphrase.write_text(PASSPHRASE + "\n")
    one.manage("recovery_kit", "--out", str(kit), "--passphrase-file", str(passphrase))
    eventually(lambda: list(one.mnt.glob("*/backups/*/manifest.json")), seconds=180, what="a full backup outside")
    caught_up(one)
    writers = Writers(one.url, count=8)
    eventually(lambda: len(writers.acknowledged) > 500, seconds=60, what="some rows")
    one.strike()
    writers.stop()
    shutil.rmtree(one.cluster)
    one.end("operator")
    told = one.manage("recover", "--latest", "--kit", str(kit), "--from", str(one.mnt), "--passphrase-file", str(passphrase))
    assert "received here and had not gone out whole" in told
    one.start_servers()
    assert not one.waits(), "a start waits for nobody"
    found = set(one.rows("SELECT writer, number FROM written"))
    assert len(writers.acknowledged) > 500
    assert writers.acknowledged - found == set()


@pytest.mark.matrix
def test_a_receiver_that_dies_holds_writes_up_for_some_seconds_and_is_waited_for_again_when_it_is_back(one: Machine) -> None:
    for name in ("operator", "watch"):
        if name not in one.processes:
            one.begin(name)
    caught_up(one)
    writers = Writers(one.url, count=4)
    assert writers.goes_on()
    one.kill("operator")
    # The receiver outlives its keeper, and nobody notices.
    assert writers.goes_on()
    assert writers.longest < 3
    for each in one.receivers():
        each.kill()
    eventually(lambda: not writers.goes_on(), seconds=2, what="writes to wait")
    eventually(writers.goes_on, seconds=8, what="writes to be freed")
    assert 3 < writers.longest < 7
    assert not one.waits()
    eventually(lambda: one.rows(INCIDENT), seconds=30, what="an incident that says so")
    one.begin("operator")
    caught_up(one)
    assert writers.goes_on()
    writers.stop()
    # A clean stop frees everybody first; a kill of all leaves a server that waits, which the next start frees.
    assert one.end("operator") == 0
    assert not one.waits()


@pytest.mark.matrix
def test_everything_killed_at_once_leaves_a_server_that_the_next_start_frees(one: Machine) -> None:
    for name in ("operator", "watch"):
        if name not in one.processes:
            one.begin(name)
    caught_up(one)
    for name in ("operator", "watch"):
        one.kill(name)
    for each in one.receivers():
        each.kill()
    assert one.waits()
    one.manage("prepare")
    assert not one.waits()
    # And so does a server that starts anew.
    one.begin("operator")
    caught_up(one)
    one.kill("operator")
    one.strike()
    one.start_servers()
    assert not one.waits()
    Path(one.folder / "operator.log").unlink()
