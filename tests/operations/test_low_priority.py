"""A backup stands back for whoever answers people, and goes to the disk in pieces."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

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
