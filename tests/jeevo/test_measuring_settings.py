"""Which processes keep their figures in files, and that only a full start forgets them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jeevo import supervisor
from jeevo.environment import ROOT, read

SHOW = "import jeevo.settings, os; print(os.environ.get('PROMETHEUS_MULTIPROC_DIR', 'none'))"


def folder_of(process: str, data: Path) -> str:
    variables = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
    variables |= {"JEEVO_PROCESS": process, "JEEVO_DATA_DIR": str(data), "JEEVO_KEYS_DIR": str(data.parent / "keys")}
    shown = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    return shown.stdout.strip()


@pytest.mark.parametrize("process", ["web", "beat"])
def test_a_process_that_runs_for_long_has_a_folder_of_its_kind(process: str, tmp_path: Path) -> None:
    assert folder_of(process, tmp_path / "data") == str(tmp_path / "data" / "metrics" / process)
    assert (tmp_path / "data" / "metrics" / process).is_dir()


@pytest.mark.parametrize("process", ["", "migrate", "sandbox"])
def test_a_command_keeps_its_figures_to_itself(process: str, tmp_path: Path) -> None:
    assert folder_of(process, tmp_path / "data") == "none"
    assert not (tmp_path / "data" / "metrics").exists()


def test_every_process_of_the_supervisor_but_the_sandbox_is_measured(tmp_path: Path) -> None:
    environment = read({"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys")})
    from jeevo.settings import MEASURED

    assert {child.name for child in supervisor.children(environment)} - {"sandbox"} == set(MEASURED)


def test_a_full_start_forgets_the_figures_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "metrics" / "web").mkdir(parents=True)
    (tmp_path / "metrics" / "web" / "counter_7.db").touch()
    (tmp_path / "media").mkdir()
    supervisor._forget_figures(tmp_path)
    supervisor._forget_figures(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["media"]
