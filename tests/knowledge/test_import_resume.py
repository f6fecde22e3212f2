"""A process that is killed in the middle of an import: the same command goes on, and every record is here exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jeevo.environment import ROOT
from knowledge.models import Document, Import, ImportItem
from tests.fixtures import database_url

RECORDS = 6000


def lines(count: int) -> str:
    fields = {"source": "NIH", "url": "https://nih.gov/1", "qtype": "treatment"}
    rows = (
        {"id": f"NIH_{n:05d}", "focus": f"Illness {n}", "question": f"What helps {n}?", "answer": f"With care {n}.", **fields}
        for n in range(count)
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def begin(path: Path, media: Path) -> subprocess.Popen[bytes]:
    variables = os.environ | {"DATABASE_URL": database_url(), "REDIS_URL": "redis://127.0.0.1:1", "JEEVO_DATA_DIR": str(media)}
    command = [sys.executable, "manage.py", "import_knowledge", str(path), "--json"]
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_records(count: int, process: subprocess.Popen[bytes]) -> int:
    """Until so many are committed; how many there are then."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, (process.stderr.read() if process.stderr else b"").decode()[-2000:]
        if (found := Document.objects.count()) >= count:
            return found
        time.sleep(0.02)
    pytest.fail("the import did not get on")


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    path = tmp_path / "medquad.jsonl"
    path.write_text(lines(RECORDS))
    process = begin(path, tmp_path / "data")
    try:
        wait_for_records(1000, process)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    held, item = Document.objects.count(), ImportItem.objects.get()
    assert 1000 <= held < RECORDS
    # Whole parts, and the row says how many.
    assert (held % 500, item.records, item.status, Import.objects.get().status) == (0, held, "running", "running")
    again = begin(path, tmp_path / "data")
    out, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors.decode()[-2000:]
    assert json.loads(out)["added"] == RECORDS
    assert Document.objects.count() == len(set(Document.objects.values_list("key", flat=True))) == RECORDS
    assert (Import.objects.count(), Import.objects.get().status, ImportItem.objects.get().status) == (1, "finished", "added")


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    path = tmp_path / "medquad.jsonl"
    # So many that it cannot be done before it is told to stop.
    path.write_text(lines(5 * RECORDS))
    process = begin(path, tmp_path / "data")
    wait_for_records(500, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run the same command again to go on." in errors.decode()
    assert (Import.objects.get().status, ImportItem.objects.get().status) == ("waiting", "waiting")
