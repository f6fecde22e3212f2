"""The operator's process is killed at every step of a backup and of a restore: what it was at goes on or fails clearly."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import pytest

from jeevo import embedded
from tests.faults.machine import Machine, Step, Writers, caught_up, killed_at, machine
from tests.stack import eventually

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]
VERIFYING = "restoring it to check it"
BACKUP_STEPS = [
    ("full", "beginning"),
    ("full", "copying the server's files"),
    ("full", VERIFYING),
    ("incremental", "copying the server's files"),
    ("incremental", VERIFYING),
    ("dump", "dumping the database"),
    ("dump", "counting what was dumped"),
    ("dump", VERIFYING),
    ("configuration", "keeping settings and files"),
]
# The lines of the journal, up to the question and after it.
PREPARING = ["preflight", "safety", "lift", "migrate"]
SWAPPING = [("exchange", "begun"), ("carry", "begun"), ("carry", "done"), ("exchange", "done"), ("health", "begun")]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("machine")) as made:
        made.begin("operator")
        # Beside a start, the only thing that would free writes while the operator is away.
        made.begin("watch")
        yield made


def verified(one: Machine, kind: str) -> None:
    step = Step(one, one.ask(kind))
    eventually(lambda: step.now()[0] in ("verified", "failed"), seconds=120, what=f"a {kind} backup")
    assert step.now()[0] == "verified", one.rows("SELECT reason FROM operations_backup WHERE id = %s", step.key)


def nothing_left(one: Machine) -> bool:
    """No half-written backup, no copy in scratch, and no server that runs in one."""
    scratch = one.home / "scratch"
    servers = [each for each in psutil.process_iter(["cwd"]) if str(each.info["cwd"] or "").startswith(f"{scratch}/")]
    return not servers and not list((one.data / "backups").glob("*.tmp")) and not list(scratch.iterdir())


@pytest.mark.matrix
@pytest.mark.parametrize(("kind", "step"), BACKUP_STEPS, ids=[f"{kind}-{step.split()[0]}" for kind, step in BACKUP_STEPS])
def test_a_backup_whose_process_is_killed_at_any_step_fails_at_once_or_is_verified_by_the_next(
    one: Machine, kind: str, step: str
) -> None:
    if "operator" not in one.processes:
        one.begin("operator")
    caught_up(one)
    if kind == "incremental" and not one.rows("SELECT 1 FROM operations_backup WHERE kind = 'full' AND status = 'verified'"):
        verified(one, "full")
    writers = Writers(one.url, count=2)
    at = Step(one, one.ask(kind))
    killed_at(one, lambda: at.is_at(step))
    assert writers.goes_on()
    began = time.monotonic()
    one.begin("operator")
    if step == VERIFYING:
        # It is whole; whoever comes next restores it to see whether it is good.
        eventually(lambda: at.now()[0] == "verified", seconds=150, what="what was left to be verified")
    else:
        eventually(lambda: at.now()[0] == "failed", seconds=60, what="the row to say that it failed")
        assert time.monotonic() - began < 60
        reason = one.rows("SELECT reason FROM operations_backup WHERE id = %s", at.key)
        assert reason == [("Its process ended before it was done.",)]
        verified(one, kind)
    eventually(lambda: nothing_left(one), seconds=90, what="what was left to be removed")
    assert writers.goes_on()
    writers.stop()
    assert writers.longest < 7
    assert writers.acknowledged == set(one.rows("SELECT writer, number FROM written"))


@pytest.mark.matrix
def test_a_second_operator_leaves_the_first_its_receiver_and_takes_over_when_it_is_killed(one: Machine) -> None:
    if "operator" not in one.processes:
        one.begin("operator")
    caught_up(one)
    (receiver,) = one.receivers()
    first = one.processes.pop("operator")
    one.begin("operator")
    eventually(lambda: "another operator works in this folder" in one.said("operator"), seconds=60, what="the second to wait")
    time.sleep(10)
    assert [each.pid for each in one.receivers()] == [receiver.pid]
    first.kill()
    first.wait(30)
    eventually(
        lambda: [each.pid for each in one.receivers()] not in ([], [receiver.pid]), seconds=60, what="the second to receive"
    )
    caught_up(one)


@pytest.mark.matrix
def test_a_database_that_restarts_while_it_is_copied_fails_the_backup_in_words_and_the_next_one_is_good(one: Machine) -> None:
    if "operator" not in one.processes:
        one.begin("operator")
    caught_up(one)
    at = Step(one, one.ask("full"))
    eventually(lambda: at.is_at("copying the server's files"), seconds=60, what="the copy to begin", every=0.0)
    embedded.stop_postgres(one.data)
    one.start_servers()
    after = Step(one, at.key)
    eventually(lambda: after.now()[0] == "failed", seconds=60, what="the row to say that it failed")
    (reason,) = one.rows("SELECT reason FROM operations_backup WHERE id = %s", at.key)
    assert reason[0].endswith((".",))
    assert "pg_basebackup did not finish" in reason[0] or "ended" in reason[0], reason
    verified(one, "full")
    caught_up(one)


PEOPLE = """
from django.contrib.auth.models import User
for name in ("asha", "ravi"):
    User.objects.filter(username=name).exists() or User.objects.create_superuser(name, password="a long enough password")
"""
ASKED = """
from datetime import datetime
from django.contrib.auth.models import User
from django.utils import timezone
from operations import restores
asha, ravi = User.objects.get(username="asha"), User.objects.get(username="ravi")
found = restores.request(instant=datetime.fromisoformat("{instant}"), reason="A test.", by=asha, now=timezone.now())
restores.approve(found, by=ravi, now=timezone.now())
print("key", found.pk)
"""
CONFIRMED = """
from django.contrib.auth.models import User
from django.utils import timezone
from operations import restores
from operations.models import Restore
asha = User.objects.get(username="asha")
restores.confirm(Restore.objects.get(pk="{key}"), typed="jeevo", by=asha, now=timezone.now())
"""
GROUPS = "SELECT name FROM auth_group WHERE name LIKE 'of the test%%' ORDER BY 1"


class Journal:
    def __init__(self, one: Machine, key: str) -> None:
        self.path, self.one, self.key = one.data / "restores" / f"{key}.jsonl", one, key
        self.known = Counter[tuple[str, str]]()

    def lines(self) -> Counter[tuple[str, str]]:
        """How often each stands there: whoever goes on writes some of them again."""
        try:
            found = [_parsed(line) for line in self.path.read_text().splitlines()]
        except FileNotFoundError:
            return Counter()
        return Counter(each for each in found if each is not None)

    def kill_at(self, step: str, state: str) -> None:
        """When the process that runs now writes this line."""
        killed_at(self.one, lambda: self.lines()[step, state] > self.known[step, state])

    def restart(self) -> None:
        self.known = self.lines()
        self.one.begin("operator")

    def status(self) -> str:
        return str(self.one.rows("SELECT status FROM operations_restore WHERE id = %s", self.key)[0][0])

    def problem(self) -> str:
        return str(self.one.rows("SELECT problem FROM operations_restore WHERE id = %s", self.key)[0][0])


def _parsed(line: str) -> tuple[str, str] | None:
    try:
        found = json.loads(line)
    except ValueError:  # it is being written
        return None
    return found["step"], found["state"]


@pytest.mark.matrix
def test_a_restore_whose_process_is_killed_at_every_step_is_put_in_place(one: Machine) -> None:
    if "operator" not in one.processes:
        one.begin("operator")
    caught_up(one)
    one.manage("shell", "-c", PEOPLE)
    verified(one, "full")
    one.rows("INSERT INTO auth_group (name) VALUES ('of the test, to be lost') RETURNING id")
    time.sleep(1)
    instant = datetime.now(UTC)
    time.sleep(1)
    one.rows("DELETE FROM auth_group WHERE name LIKE 'of the test%%' RETURNING id")
    said = one.manage("shell", "-c", ASKED.format(instant=instant.isoformat()))
    journal = Journal(one, said.split("key ")[-1].split()[0])
    for step in PREPARING:
        journal.kill_at(step, "begun")
        assert one.rows(GROUPS) == [], "nothing live is touched"
        journal.restart()
    eventually(lambda: journal.status() in ("ready", "failed"), seconds=180, what="the restored copy")
    assert journal.status() == "ready", journal.problem()
    confirming = threading.Thread(target=one.manage, args=("shell", "-c", CONFIRMED.format(key=journal.key)))
    confirming.start()
    for step, state in SWAPPING:
        journal.kill_at(step, state)
        journal.restart()
    confirming.join()
    eventually(lambda: journal.lines()["end", "done"], seconds=180, what="the restored database to be live")
    assert journal.status() == "done", journal.problem()
    assert one.rows(GROUPS) == [("of the test, to be lost",)]
    caught_up(one)
    eventually(lambda: nothing_left(one), seconds=90, what="what was left to be removed")
