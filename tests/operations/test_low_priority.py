"""A backup stands back for whoever answers people, and goes to the disk in pieces."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from jeevo.environment import ROOT
from operations import low_priority, sealed

linux = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux does a thread have a priority of its own")


@linux
def test_a_thread_and_what_it_starts_stand_back_and_nobody_else_does() -> None:
    found: list[int] = []

    def look() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        child = subprocess.run(["nice"], capture_output=True, check=True)
        found.append(int(child.stdout))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    low_priority.in_a_thread(look)
    assert found == [low_priority.NICE] * 2
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_what_goes_wrong_is_heard() -> None:
    def fail() -> None:
        raise ValueError("it went wrong")

    with pytest.raises(ValueError, match="it went wrong"):
        low_priority.in_a_thread(fail)


@linux
def test_the_command_stands_back() -> None:
    said = "import os, sys; from operations.management.commands.backup import Command; c = Command(); "
    said += (
        "c.execute = lambda *a, **k: print(os.getpriority(os.PRIO_PROCESS, 0)); c.run_from_argv(['manage.py', 'backup', 'list'])"
    )
    begin = "import django; django.setup(); "
    variables = os.environ | {"DJANGO_SETTINGS_MODULE": "jeevo.settings"}
    found = subprocess.run(
        [sys.executable, "-c", begin + said], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )
    assert int(found.stdout) == max(low_priority.NICE, os.getpriority(os.PRIO_PROCESS, 0))


@linux
def test_one_that_is_lower_already_stays_there() -> None:
    def look() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        low_priority.stand_back()
        assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == 15

    low_priority.in_a_thread(look)


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each rest, for a thread that was kept waiting for 20 ms, 5 s and not at all before each."""
    waited, found = iter([0.0, 0.02, 1.0, 6.0, 6.5, 6.5, 6.5]), list[float]()
    monkeypatch.setattr(low_priority, "_waited", lambda: next(waited))
    monkeypatch.setattr(low_priority, "time", SimpleNamespace(sleep=found.append))
    return found


@linux
def test_who_stands_back_rests_six_times_as_long_as_it_was_kept_waiting(rests: list[float]) -> None:
    def work() -> None:
        for _ in range(3):
            low_priority.give_way(low_priority.WORK_BYTES)

    low_priority.in_a_thread(work)
    assert rests == [pytest.approx(0.12), low_priority.LONGEST_SECONDS]


@linux
def test_a_second_thread_stands_back_where_the_first_does(rests: list[float]) -> None:
    def in_a_second(step: Callable[[], None]) -> None:
        second = threading.Thread(target=low_priority.alike(step))
        second.start()
        second.join()

    give_way = partial(low_priority.give_way, low_priority.WORK_BYTES)
    in_a_second(give_way)
    assert rests == []
    low_priority.in_a_thread(lambda: in_a_second(give_way))
    assert rests == [low_priority.LONGEST_SECONDS]


def test_nobody_else_rests(rests: list[float]) -> None:
    low_priority.give_way(low_priority.WORK_BYTES)
    assert rests == []


@linux
def test_the_kernel_says_how_long_a_thread_was_kept_waiting() -> None:
    """Beside as many others as there are processors, and twice more, it cannot run all the time."""
    spin = "import time; end = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
    others = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(3 * (os.cpu_count() or 1))]
    try:
        before, until = low_priority._waited(), time.monotonic() + 20
        while low_priority._waited() - before < 0.01:
            assert time.monotonic() < until, "it was never kept waiting"
    finally:
        for each in others:
            each.kill()
            each.wait()


@linux
def test_a_file_that_is_written_gives_way_at_each_megabyte(tmp_path: Path, rests: list[float]) -> None:
    def write() -> None:
        with (tmp_path / "large").open("wb") as file:
            steady = sealed.Steady(file)
            for _ in range(47):  # not quite three
                steady.write(bytes(64 * 1024))

    low_priority.in_a_thread(write)
    assert rests == [pytest.approx(0.12), low_priority.LONGEST_SECONDS]


@pytest.mark.django_db
def test_a_large_file_is_on_the_disk_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "SYNC_EVERY", 100_000)
    sizes: list[int] = []
    sync = os.fsync

    def noted(number: int) -> None:
        if stat.S_ISREG(os.fstat(number).st_mode):
            sizes.append(os.fstat(number).st_size)
        sync(number)

    monkeypatch.setattr(os, "fsync", noted)
    kept = sealed.write(tmp_path / "large", io.BytesIO(os.urandom(1_000_000)))
    assert sizes[-1] == kept.bytes
    assert max(later - earlier for earlier, later in zip([0, *sizes], sizes, strict=False)) < 200_000
    out = io.BytesIO()
    sealed.read(tmp_path / "large", out, expected=kept)
    assert len(out.getvalue()) == 1_000_000
