"""Figures of many processes: their sum, what the dead leave behind, and files that are no figures."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import Metric

from jeevo.environment import ROOT
from operations import merged

WORK = """
import os, sys, time
from jeevo import measures
import jeevo.measuring as measuring
measuring.install()
for _ in range(int(sys.argv[1])):
    measures.medical_queries.labels("generated").inc()
    measures.query_duration.observe(2.2)
child = os.fork()
measures.medical_queries.labels("generated").inc(0 if child else 5)
time.sleep(2)
if child:
    os.waitpid(child, 0)
"""


def work(folder: Path, process: str, queries: int) -> None:
    """A process of that kind counts, forks, and its child counts five more."""
    own = folder / process
    own.mkdir(parents=True, exist_ok=True)
    variables = os.environ | {"JEEVO_PROCESS": process, "PROMETHEUS_MULTIPROC_DIR": str(own)}
    subprocess.run([sys.executable, "-c", WORK, str(queries)], cwd=ROOT, env=variables, check=True, timeout=60)


def value(found: list[Metric], name: str, **labels: str) -> float:
    return sum(s.value for metric in found for s in metric.samples if s.name == name and labels.items() <= s.labels.items())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    work(folder, "web", 2)
    work(folder, "worker-answers", 3)
    return folder


def test_counts_of_all_processes_and_their_children_are_added(folder: Path) -> None:
    found = merged.merge(folder, now=time.time())
    assert value(found, "medical_queries_total", kind="generated") == 2 + 5 + 3 + 5
    assert value(found, "query_duration_seconds_count") == 5
    assert value(found, "query_duration_seconds_bucket", le="3.0") == 5
    assert value(found, "query_duration_seconds_bucket", le="2.0") == 0


def test_memory_is_told_by_kind_of_process_and_without_pids(folder: Path) -> None:
    found = merged.merge(folder, now=0)
    assert value(found, "process_resident_memory_bytes", process="web") > 1e6
    assert value(found, "processes_running", process="web") == 2
    assert not [s for metric in found for s in metric.samples if "pid" in s.labels]


def test_the_counts_of_the_dead_stay_and_their_memory_goes(folder: Path) -> None:
    found = merged.merge(folder, now=time.time() + merged.DEAD_AFTER + 10)
    assert value(found, "medical_queries_total") == 15
    assert value(found, "processes_running") == 0
    assert not [s for metric in found for s in metric.samples if s.name == "process_resident_memory_bytes"]


def test_a_file_that_is_being_made_or_was_cut_short_hides_no_other(folder: Path) -> None:
    (folder / "web" / "counter_99999.db").touch()
    (folder / "web" / "histogram_99999.db").write_bytes(b"\xff\x00\x00\x00" + b"x" * 40)
    assert value(merged.merge(folder, now=time.time()), "medical_queries_total") == 15
    for path in (folder / "web").glob("*_99999.db"):
        path.unlink()


def test_files_of_those_that_died_a_day_ago_are_folded_and_nothing_is_lost(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = merged.merge(folder, now=time.time())
    assert merged.fold(folder, now=time.time() + 2 * merged.FOLD_AFTER) == 0  # few files cost nothing
    monkeypatch.setattr(merged, "FOLD_ABOVE", 2)
    assert merged.fold(folder, now=time.time()) == 0  # they may live
    assert merged.fold(folder, now=time.time() + 2 * merged.FOLD_AFTER) > 4
    after = merged.merge(folder, now=time.time())
    assert value(after, "medical_queries_total") == value(before, "medical_queries_total") == 15
    assert value(after, "query_duration_seconds_sum") == pytest.approx(11)
    assert {path.name for path in folder.glob("*/*.db")} == {"counter_folded.db", "histogram_folded.db"}
