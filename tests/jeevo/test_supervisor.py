"""The supervisor: with small children in place of the real ones, and as the command that `make run` runs."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from jeevo import embedded, environment, supervisor
from jeevo.processes import Child, Interruptions, Processes, ending
from tests.jeevo.place import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent

# A supervisor of its own around the children of a test: what supervisor.run does, without the services.
KEEPER = """
import os, sys
from pathlib import Path
from jeevo.processes import Child, Interruptions, Processes
interruptions = Interruptions()
interruptions.catch()
processes = Processes({children!r}, say=lambda line: print(line, flush=True), folder=Path({folder!r}),
                      environment=os.environ, logs=Path({folder!r}) / "logs")
processes.start()
while not interruptions.count:
    processes.tick(0.05)
processes.stop(hurried=lambda: interruptions.count > 1, patience={patience})
print("all stopped", flush=True)
"""

# Says its name, writes its pid, says when it is asked to stop.
POLITE = """
import os, signal, sys, time
name = sys.argv[1]
def leave(*_):
    print("asked to stop", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
open(name + ".pid", "w").write(str(os.getpid()))
print("up", flush=True)
while True:
    time.sleep(60)
"""
STUBBORN = POLITE.replace("    sys.exit(0)", "    pass")
BREAKS = "print('last words'); raise SystemExit(3)"
LEAVES_A_CHILD = """
import subprocess, sys
sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1] + ".pid", "w").write(str(sleeper.pid))
"""


def child(name: str, code: str, stage: int = 0) -> Child:
    return Child(name, (sys.executable, "-c", code, name), stage)


class Kept:
    """A running keeper, its lines as they come, and the pids of its children."""

    def __init__(self, folder: Path, children: list[Child], patience: float = 20) -> None:
        self.folder = folder
        code = KEEPER.format(children=children, folder=str(folder), patience=patience)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []

    def until(self, line: str, times: int = 1) -> None:
        assert self.process.stdout is not None
        while self.lines.count(line) < times:
            said = self.process.stdout.readline()
            assert said, f"ended before {line!r}: {self.lines}"
            self.lines.append(said.rstrip("\n"))

    def finish(self) -> list[str]:
        rest, _ = self.process.communicate(timeout=15)
        self.lines += rest.splitlines()
        return self.lines

    def pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    started: list[Kept] = []

    def start(children: list[Child], patience: float = 20) -> Kept:
        started.append(Kept(tmp_path, children, patience))
        return started[-1]

    yield start
    for kept in started:
        if kept.process.poll() is None:
            kept.process.kill()
        kept.process.communicate()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# ---- keeping ---------------------------------------------------------------------------------------


def test_what_a_child_writes_is_passed_on_under_its_name_and_kept(keep: Callable[..., Kept], tmp_path: Path) -> None:
    kept = keep([child("web", POLITE), child("worker-answers", POLITE)])
    kept.until("web            | up")
    kept.until("worker-answers | up")
    kept.process.terminate()
    kept.finish()
    assert (tmp_path / "logs" / "web.log").read_text() == "up\nasked to stop\n"


def test_a_child_that_ends_is_restarted_with_growing_pauses_and_said_so(keep: Callable[..., Kept]) -> None:
    kept = keep([child("beat", BREAKS), child("web", POLITE)])
    kept.until("beat ended by itself (exit code 3); it is started again in 1 s.")
    kept.until("beat ended by itself (exit code 3); it is started again in 2 s.")
    assert kept.lines.count("beat | last words") == 2
    kept.process.terminate()
    assert kept.finish()[-1] == "all stopped"


def test_a_child_killed_from_outside_comes_back(keep: Callable[..., Kept]) -> None:
    kept = keep([child("web", POLITE)])
    kept.until("web | up")
    os.kill(kept.pid("web"), signal.SIGKILL)
    kept.until("web ended by itself (killed by SIGKILL); it is started again in 1 s.")
    kept.until("web | up", times=2)


def test_stages_stop_in_their_order_not_in_that_of_the_start(keep: Callable[..., Kept]) -> None:
    kept = keep([child("web", POLITE, 2), child("dispatcher", POLITE, 0), child("worker", POLITE, 1)])
    for name in ("web", "dispatcher", "worker"):
        kept.until(f"{name:<10} | up")
    kept.process.terminate()
    stops = [line.split()[0] for line in kept.finish() if line.endswith("asked to stop")]
    assert stops == ["dispatcher", "worker", "web"]
    assert kept.process.returncode == 0


def test_one_that_will_not_stop_is_killed_after_the_patience(keep: Callable[..., Kept]) -> None:
    kept = keep([child("worker", STUBBORN)], patience=5)
    kept.until("worker | up")
    kept.process.terminate()
    assert kept.finish()[-2:] == ["worker | asked to stop", "all stopped"]
    assert gone(kept.pid("worker"))


def test_a_second_ctrl_c_hastens(keep: Callable[..., Kept]) -> None:
    kept = keep([child("worker", STUBBORN)], patience=60)
    kept.until("worker | up")
    kept.process.send_signal(signal.SIGINT)
    kept.until("worker | asked to stop")
    began = time.monotonic()
    kept.process.send_signal(signal.SIGINT)
    assert kept.finish()[-1] == "all stopped"
    assert time.monotonic() - began < 30


def test_a_closing_terminal_stops_it_without_haste(keep: Callable[..., Kept]) -> None:
    kept = keep([child("web", POLITE)])
    kept.until("web | up")
    kept.process.send_signal(signal.SIGHUP)
    kept.process.send_signal(signal.SIGHUP)
    assert kept.finish()[-2:] == ["web | asked to stop", "all stopped"]


def test_what_a_child_leaves_behind_is_killed_with_it(keep: Callable[..., Kept]) -> None:
    kept = keep([child("worker", LEAVES_A_CHILD)])
    kept.until("worker ended by itself (exit code 0); it is started again in 1 s.")
    wait_until(lambda: gone(kept.pid("worker")))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_keeper_killed_without_a_word_leaves_no_children(keep: Callable[..., Kept]) -> None:
    kept = keep([child("web", POLITE), child("worker", POLITE)])
    kept.until("web    | up")
    kept.until("worker | up")
    kept.process.kill()
    wait_until(lambda: gone(kept.pid("web")) and gone(kept.pid("worker")))


def test_a_child_that_writes_much_and_no_line_end_is_read_to_its_end(tmp_path: Path) -> None:
    said: list[str] = []
    code = "import sys; sys.stdout.write('x' * 300_000)"
    processes = Processes([child("web", code)], say=said.append, folder=tmp_path, environment=os.environ)
    processes.start()
    while not processes.failures():
        processes.tick(0.02)
    processes.stop(hurried=lambda: True)
    assert said[0] == "web | " + "x" * 300_000


@pytest.mark.parametrize(("code", "words"), [(0, "exit code 0"), (-9, "killed by SIGKILL"), (-63, "killed by signal 63")])
def test_an_ending_is_told_in_words(code: int, words: str) -> None:
    assert ending(code) == words


# ---- the plan --------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> environment.Environment:
    folders = {"JEEVO_DATA_DIR": str(tmp_path / "data"), "JEEVO_KEYS_DIR": str(tmp_path / "keys")}
    return environment.read(folders)


def test_the_children_start_with_the_web_and_stop_with_it(settings: environment.Environment) -> None:
    children = supervisor.children(settings)
    names = [
        "web",
        "sandbox",
        "dispatcher",
        "watcher",
        "operator",
        "worker-answers",
        "worker-indexing",
        "worker-operations",
        "beat",
    ]
    assert [child.name for child in children] == names
    by_stop = sorted(children, key=lambda child: child.stage)
    assert [child.name for child in by_stop][-2:] == ["sandbox", "web"]
    assert {child.name for child in children if child.stage == 0} == {"dispatcher", "watcher", "operator", "beat"}


def test_with_a_real_number_there_is_no_sandbox(settings: environment.Environment) -> None:
    live = dataclasses.replace(settings, mode="live", public_url="https://jeevo.example.org")
    assert "sandbox" not in [child.name for child in supervisor.children(live)]
    assert supervisor.addresses(live) == ("", "https://jeevo.example.org/admin/")


def test_taken_ports_are_passed_over_said_and_told_to_the_children(
    settings: environment.Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as web, socket.create_server(("127.0.0.1", 0)) as chat:
        wanted = web.getsockname()[1], chat.getsockname()[1]
        taken = dataclasses.replace(settings, web_port=wanted[0], sandbox_port=wanted[1])
        free = supervisor.with_free_ports(taken)
    assert free.web_port not in wanted
    assert free.sandbox_port not in (*wanted, free.web_port)
    said = capsys.readouterr().out
    assert f"Port {wanted[0]} is taken by another program; Jeevo uses {free.web_port} instead." in said
    assert supervisor.variables(free)["WEB_PORT"] == str(free.web_port)
    assert supervisor.variables(free)["SANDBOX_PORT"] == str(free.sandbox_port)
    assert f"127.0.0.1:{free.web_port}" in supervisor.children(free)[0].argv


def test_own_servers_that_do_not_answer_are_named_with_their_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(supervisor.StartFailed, match=r"127\.0\.0\.1:9 does not answer: check REDIS_URL"):
        supervisor._await_own("redis://127.0.0.1:9", "REDIS_URL", Interruptions())


def test_the_welcome_tells_addresses_user_and_password(settings: environment.Environment) -> None:
    (settings.keys / "admin_password").write_text("four words and more\n")
    told = supervisor.welcome(settings)
    for words in (":8001/", ":8000/admin/", "admin", "four words and more", "Ctrl-C"):
        assert words in told


# ---- the command -----------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that any account may enter, so that root's servers keep their files inside it."""
    path = Path(tempfile.mkdtemp(prefix="jeevo-test-"))
    path.chmod(0o755)
    yield path
    embedded.stop(path / "data")
    shutil.rmtree(path)


def make_run(folder: Path, **variables: str) -> subprocess.Popen[str]:
    given = {"JEEVO_DATA_DIR": str(folder / "data"), "JEEVO_KEYS_DIR": str(folder / "keys"), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "jeevo.supervisor"],
        cwd=ROOT,
        env=os.environ | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_in(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if str(folder) in process.cwd() or process.environ().get("JEEVO_DATA_DIR") == str(folder / "data"):
                found.append(" ".join(process.cmdline()))
    return found


def test_a_second_run_says_where_the_first_one_is(folder: Path) -> None:
    (folder / "data").mkdir()
    with (folder / "data" / "supervisor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        starting = make_run(folder)
        assert starting.communicate(timeout=20)[0] == "Jeevo is already starting here.\n"
        lock.write("http://127.0.0.1:8001/")
        lock.flush()
        second = make_run(folder)
        assert second.communicate(timeout=20)[0] == "Jeevo is already running here, or still stopping: http://127.0.0.1:8001/\n"
    assert (starting.returncode, second.returncode) == (0, 0)


def test_a_wrong_variable_stops_it_before_anything_starts(folder: Path) -> None:
    refused = make_run(folder, WEB_PORT="a lot")
    assert "WEB_PORT: must be a number" in refused.communicate(timeout=20)[0]
    assert refused.returncode == 1
    assert not (folder / "data").exists()


def test_a_signal_while_the_services_start_stops_it_and_leaves_nothing(folder: Path) -> None:
    starting = make_run(folder)
    wait_until((folder / "data" / "postgres.new" / "base").exists)
    starting.terminate()
    assert starting.communicate(timeout=20)[0] == "Preparing a database: a few seconds, the first time only.\n"
    assert starting.returncode == 0
    wait_until(lambda: processes_in(folder) == [])


def test_a_signal_while_it_prepares_stops_it_and_leaves_nothing(folder: Path) -> None:
    starting = make_run(folder)
    wait_until(lambda: any("manage.py prepare" in line for line in processes_in(folder)))
    starting.send_signal(signal.SIGINT)
    assert "Traceback" not in starting.communicate(timeout=30)[0]
    assert starting.returncode == 0
    wait_until(lambda: processes_in(folder) == [])
