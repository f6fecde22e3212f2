"""The database is away: the watcher writes it down once, after a minute, and not again."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jeevo.environment import ROOT
from operations import spool
from operations.absence import Absence
from tests.fixtures import ChangeEnvironment

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# What a watcher does whose database takes no connection: one process, its looks at these seconds.
LOOKS = """
import django; django.setup()
import sys
from datetime import datetime, timedelta, UTC
from operations import spool
from operations.absence import Absence
start = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
absence = Absence()
for second in map(int, sys.argv[1:]):
    absence.look(start + timedelta(seconds=second))
    print(second, len(spool.waiting()))
"""


def looks(folder: Path, *seconds: int) -> list[str]:
    given = {
        "DATABASE_URL": "postgres://jeevo:secret@127.0.0.1:1/jeevo",
        "REDIS_URL": "redis://127.0.0.1:1",
        "JEEVO_DATA_DIR": str(folder / "data"),
        "JEEVO_KEYS_DIR": str(folder / "keys"),
    }
    command = [sys.executable, "-c", LOOKS, *map(str, seconds)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | given, capture_output=True, text=True, timeout=60, check=True)
    return [line for line in done.stdout.splitlines() if line[:1].isdigit()]


def test_it_is_written_down_on_the_second_of_a_minute_and_once(tmp_path: Path, environment: ChangeEnvironment) -> None:
    assert looks(tmp_path, 0, 59, 60, 65, 7200) == ["0 0", "59 0", "60 1", "65 1", "7200 1"]
    environment(data=tmp_path / "data")
    (step,) = spool.steps()
    assert (step.kind, step.severity, step.at, step.title) == ("database_away", 1, NOW, "The database does not answer")
    # A watcher that is started again finds the file.
    assert looks(tmp_path, 0, 70)[-1] == "70 1"


def test_a_clock_that_is_put_back_delays_it_by_no_more_than_a_minute(tmp_path: Path) -> None:
    assert looks(tmp_path, 7200, 10, 69, 70) == ["7200 0", "10 0", "69 0", "70 1"]


@pytest.mark.django_db
def test_while_the_database_answers_nothing_is_written(tmp_path: Path, environment: ChangeEnvironment) -> None:
    environment(data=tmp_path)
    absence = Absence()
    absence.since = NOW - 10 * MINUTE
    absence.look(NOW)
    assert not absence.since
    assert spool.waiting() == []
