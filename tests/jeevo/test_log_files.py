"""Log files: bounded while the program runs, each line whole in one of them, and a disk that refuses costs only lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jeevo.log_files import LogFile
from jeevo.processes import Child, Processes

ROOT = Path(__file__).resolve().parent.parent.parent


def lines(folder: Path) -> list[bytes]:
    """Everything that is kept, oldest first."""
    files = sorted(folder.glob("web.log*"), key=lambda path: -int(path.suffix[1:]) if path.suffix != ".log" else 0)
    return [line for path in files for line in path.read_bytes().splitlines()]


def written(folder: Path, count: int, *, largest: int = 100, kept: int = 5) -> LogFile:
    log = LogFile(folder, "web", largest=largest, kept=kept)
    for number in range(count):
        log.write(b"line %06d\n" % number)
    log.close()
    return log


def test_it_turns_over_while_it_is_written_and_keeps_five_files(tmp_path: Path) -> None:
    written(tmp_path, 1000)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["web.log", "web.log.1", "web.log.2", "web.log.3", "web.log.4"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())


def test_what_is_kept_is_the_newest_in_order_and_no_line_is_torn(tmp_path: Path) -> None:
    written(tmp_path, 1000)
    kept = lines(tmp_path)
    assert kept == [b"line %06d" % number for number in range(1000 - len(kept), 1000)]
    assert len(kept) > 32


def test_nothing_is_lost_before_the_files_are_full(tmp_path: Path) -> None:
    written(tmp_path, 30)
    assert len(lines(tmp_path)) == 30


def test_a_line_larger_than_a_file_has_one_to_itself(tmp_path: Path) -> None:
    log = written(tmp_path, 3)
    log.write(b"x" * 500 + b"\n")
    log.write(b"after\n")
    log.close()
    assert (tmp_path / "web.log").read_bytes() == b"after\n"
    assert len((tmp_path / "web.log.1").read_bytes()) == 501


def test_a_file_of_an_earlier_start_is_gone_on_with(tmp_path: Path) -> None:
    written(tmp_path, 3)
    written(tmp_path, 3)
    assert len((tmp_path / "web.log").read_bytes().splitlines()) == 6


def test_one_that_was_too_large_at_the_start_is_turned_over_with_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_bytes(b"old\n" * 100)
    written(tmp_path, 1)
    assert (tmp_path / "web.log").read_bytes() == b"line 000000\n"
    assert (tmp_path / "web.log.1").read_bytes() == b"old\n" * 100


def test_a_folder_that_goes_away_costs_the_lines_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    log = written(folder, 1)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    log.write(b"lost\n")
    folder.mkdir()
    log.write(b"kept\n")
    log.close()
    assert (folder / "web.log").read_bytes() == b"kept\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this platform")
def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    os.symlink("/dev/full", tmp_path / "web.log")
    log = LogFile(tmp_path, "web")
    log.write(b"lost\n")
    log.write(b"lost too\n")
    log.close()


def test_the_supervisor_turns_over_the_file_of_a_child_that_talks_much(tmp_path: Path) -> None:
    """A real child and real pipes: 12 MB, of which every line comes through or is in a file that was dropped as the oldest."""
    code = "for number in range(60000): print('%06d' % number, 'x' * 193, flush=False)"
    child = Child("web", (sys.executable, "-c", code))
    processes = Processes([child], say=lambda line: None, folder=ROOT, environment=os.environ, logs=tmp_path)
    processes.start()
    while not processes.failures():
        processes.tick(0.05)
    processes.stop(hurried=lambda: True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["web.log", "web.log.1", "web.log.2"]
    numbers = [int(line[:6]) for line in lines(tmp_path)]
    assert numbers[:60000] == list(range(60000))


def test_the_terminal_gets_what_needs_a_look_and_the_file_every_line(tmp_path: Path) -> None:
    said: list[str] = []
    code = (
        "import json\n"
        "for level in ('debug', 'info', 'warning', 'critical'): print(json.dumps({'event': 'x', 'level': level, 'n': 1}))\n"
        "print('words of its own'); print('Traceback (most recent call last):')"
    )
    child = Child("web", (sys.executable, "-c", code))
    processes = Processes([child], say=said.append, folder=ROOT, environment=os.environ, logs=tmp_path)
    processes.start()
    while not processes.failures():
        processes.tick(0.05)
    processes.stop(hurried=lambda: True)
    shown = [line.removeprefix("web | ") for line in said if line.startswith("web | ")]
    assert [line[:30] for line in shown[:2]] == ['{"event": "x", "level": "warni', '{"event": "x", "level": "criti']
    assert shown[2:4] == ["words of its own", "Traceback (most recent call last):"]
    assert len(lines(tmp_path)) == 6


def test_a_process_that_is_not_under_the_supervisor_writes_to_its_own_output_only(tmp_path: Path) -> None:
    """In a container the engine keeps the lines: nothing of Jeevo opens a log file there."""
    code = "import logging.config; from jeevo import logging as ours; logging.config.dictConfig(ours.configuration(level='INFO'))"
    code += "; logging.getLogger('tests').warning('here')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert '"event": "here"' in done.stderr
    assert done.stdout == ""
