"""The whole program: its data folder and its keys are gone, and it comes back from the off-site copy and the kit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from jeevo import embedded
from jeevo.environment import ROOT
from tests.stack import Stack, eventually

pytestmark = [pytest.mark.stack, pytest.mark.matrix, pytest.mark.timeout(900)]
PHONE = "919811100042"


def manage(stack: Stack, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=stack.variables, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wipe(stack: Stack) -> None:
    """As if the machine had burnt: processes killed, the servers' folders and every key gone."""
    assert stack.process is not None
    family = [*psutil.Process(stack.process.pid).children(recursive=True), psutil.Process(stack.process.pid)]
    for each in family:
        each.kill()
    stack.process.wait(30)
    stack.process = None
    pointer = stack.data / embedded.POINTER
    home = Path(pointer.read_text().strip()) if pointer.exists() else stack.data
    servers = [each for each in psutil.process_iter(["cwd"]) if str(each.info["cwd"] or "").startswith(f"{home}/")]
    for each in servers:
        os.kill(each.pid, signal.SIGKILL)
    psutil.wait_procs(servers, timeout=30)
    for folder in {home, stack.data, stack.keys}:
        shutil.rmtree(folder)


def test_a_data_folder_that_is_gone_comes_back_from_the_off_site_copy_alone(tmp_path: Path) -> None:
    mnt, passphrase, kit = tmp_path / "mnt", tmp_path / "passphrase", tmp_path / "kit.age"
    passphrase.write_text("correct horse battery staple\n")
    folder = tmp_path / "stack"
    stack = Stack(folder, WEB_PORT="8420", SANDBOX_PORT="8520", BURST_SECONDS="0.2", OFFSITE_URL=mnt.as_uri())
    try:
        stack.start()
        received = "SELECT 1 FROM pg_replication_slots WHERE active"
        eventually(lambda: stack.rows(received), seconds=90, what="the operator to receive the log")
        # Not the one of five minutes after the start: somebody asks for it.
        manage(stack, "backup", "take", "full")
        eventually(lambda: _has_full(mnt), seconds=300, what="a full backup outside")
        manage(stack, "recovery_kit", "--out", str(kit), "--passphrase-file", str(passphrase))
        stack.says(PHONE, "How much water should I drink?")
        stack.answers(PHONE, seconds=120)
        count = stack.rows("SELECT count(*) FROM conversations_inboundmessage")[0][0]
        chunks = stack.rows("SELECT count(*) FROM knowledge_chunk")[0][0]
        # What people remember, and no copy holds.
        password = (stack.keys / "admin_password").read_text()
        last = _written_for(stack, seconds=65)
        wipe(stack)
        output = manage(stack, "recover", "--latest", "--kit", str(kit), "--from", str(mnt), "--passphrase-file", str(passphrase))
        assert "The log was replayed." in output
        (stack.keys / "admin_password").write_text(password)
        stack.start()
        # At most a minute is lost when everything here is gone.
        found = stack.rows("SELECT max(at) FROM written")[0][0]
        assert 0 <= last - found <= 60
        assert stack.rows("SELECT count(*) FROM conversations_inboundmessage")[0][0] == count
        assert stack.rows("SELECT count(*) FROM knowledge_chunk")[0][0] >= chunks
        # The words open: the keys are those of before.
        assert (
            "They open what is stored"
            in subprocess.run(
                [sys.executable, "manage.py", "preflight"], cwd=ROOT, env=stack.variables, capture_output=True, text=True
            ).stdout
        )
        mark = stack.data / "backups" / "full_backup_first"
        eventually(lambda: not mark.exists(), seconds=300, what="a full backup of the new line")
        full = "SELECT count(*) FROM operations_backup WHERE kind = 'full' AND status IN ('taken', 'verified')"
        assert stack.rows(full)[0][0] == 2
    finally:
        stack.stop()
        embedded.stop(stack.data)


def _has_full(mnt: Path) -> bool:
    return any(json.loads(each.read_text())["kind"] == "full" for each in mnt.glob("*/backups/*/manifest.json"))


def _written_for(stack: Stack, *, seconds: float) -> float:
    """A row every fifth of a second, and when the last of them was acknowledged."""
    services = embedded.find(stack.data, stack.keys)
    assert services is not None
    with psycopg.connect(services.database_url, autocommit=True) as one:
        one.execute("CREATE TABLE written (at float8)")
        until = time.time() + seconds
        while (now := time.time()) < until:
            one.execute("INSERT INTO written VALUES (%s)", [now])
            time.sleep(0.2)
    return now
