"""What several tests of the embedded servers stand on: a pair that runs, and a place for one of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from jeevo import embedded_programs
from tests.jeevo.place import Place, make_place, wait_until


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder any account may enter; pytest's own is closed to others, and root's runs then go elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="jeevo-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def running(open_folder: Path) -> Iterator[Place]:
    """Started once; for tests that only look."""
    (open_folder / "shared").mkdir()
    with make_place(open_folder / "shared") as place:
        place.start()
        yield place


@pytest.fixture
def place(open_folder: Path) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(dir=open_folder))
    folder.chmod(0o755)
    with make_place(folder) as place:
        yield place


@pytest.fixture
def made(running: Place, place: Place) -> Place:
    """A stopped database of its own, copied so that it need not be made again."""
    postgres, _ = running.pids()
    os.kill(postgres, signal.SIGINT)
    wait_until(lambda: not embedded_programs.alive(postgres))
    place.data.mkdir()
    subprocess.run(["cp", "-a", running.data / "postgres", place.data / "postgres"], check=True)
    shutil.copytree(running.keys, place.keys)
    running.start()
    return place
