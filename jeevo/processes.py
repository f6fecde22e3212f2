"""Keeps a list of child processes running: starts, listens, restarts with growing patience, stops in order.

One thread and no surprises: `tick` does a little of everything and returns. Each child has a session of
its own, so that Ctrl-C reaches only us, and on Linux asks the kernel for SIGTERM when we die without
a word. Whatever a child leaves behind in its group is killed when it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from jeevo.log_files import LogFile

Say = Callable[[str], None]

TICK_SECONDS = 0.2
PATIENCE_SECONDS = 20.0
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0  # a child that ran this long is forgiven its earlier failures
# A line of the ordinary course, which only the file needs: the terminal is for the addresses and for what needs a look.
ORDINARY = re.compile(rb'\{.*"level": "(?:info|debug)"')
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """One process to keep. Lower stages are stopped first, those of one stage together."""

    name: str
    argv: tuple[str, ...]
    stage: int = 0
    # Nobody waits for it: it starts when the others are up, and leaves them the processor until then.
    late: bool = False


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[bytes]
    pipe: BinaryIO
    since: float


@dataclass
class _Run:
    child: Child
    log: LogFile | None
    running: _Running | None = None
    failures: int = 0
    due: float = 0.0
    rest: bytes = b""


@dataclass
class Interruptions:
    """Counts the requests to stop. Inside `raising` the first one ends what is under way at once."""

    count: int = 0
    _raises: bool = False

    def catch(self) -> None:
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGTERM, self._note)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup it stays ignored
            signal.signal(signal.SIGHUP, self._note)

    def _note(self, signum: int, frame: object) -> None:
        if signum == signal.SIGHUP and self.count:
            return  # shells send it twice when a terminal closes; that is no haste
        self.count += 1
        if self._raises:
            self._raises = False
            raise Interrupted

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        if self.count:
            raise Interrupted
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def check(self) -> None:
        if self.count:
            raise Interrupted


class Interrupted(BaseException):
    """Somebody asked us to stop. Not an Exception, so that no handler on the way keeps it."""


class Processes:
    def __init__(
        self,
        children: Sequence[Child],
        *,
        say: Say,
        folder: Path,
        environment: Mapping[str, str],
        logs: Path | None = None,
    ) -> None:
        self.say, self.folder, self.environment = say, folder, dict(environment)
        self.runs = [_Run(child, LogFile(logs, child.name) if logs else None) for child in children]
        self.selector = selectors.DefaultSelector()
        self.width = max((len(child.name) for child in children), default=0)

    def start(self) -> None:
        for run in self.runs:
            if run.child.late:
                run.due = math.inf
            else:
                self._start(run)

    def start_late(self) -> None:
        for run in self.runs:
            if run.child.late and run.running is None:
                self._start(run)

    def tick(self, seconds: float = TICK_SECONDS) -> None:
        """Pass on what the children write, and see to those that ended."""
        self._listen(seconds)
        now = time.monotonic()
        for run in self.runs:
            if run.running is None and now >= run.due:
                self._start(run)
            elif run.running is not None and run.running.process.poll() is not None:
                self._ended(run, run.running, now)

    def failures(self) -> dict[str, int]:
        """How often in a row each child ended by itself, without those that never did."""
        return {run.child.name: run.failures for run in self.runs if run.failures}

    def stop(self, *, hurried: Callable[[], bool], patience: float = PATIENCE_SECONDS) -> None:
        """Stage by stage: SIGTERM, patience, SIGKILL; without patience once `hurried` says so."""
        for stage in sorted({run.child.stage for run in self.runs}):
            self._stop_stage([run for run in self.runs if run.child.stage == stage], hurried, patience)
        for run in self.runs:
            if run.log:
                run.log.close()
        self.selector.close()

    def _start(self, run: _Run) -> None:
        reading, writing = os.pipe()
        try:
            named = {**self.environment, "JEEVO_PROCESS": run.child.name}
            process = begin(run.child.argv, self.folder, named, stdout=writing)
        finally:
            os.close(writing)
        os.set_blocking(reading, False)
        run.running = _Running(process, os.fdopen(reading, "rb", buffering=0), time.monotonic())
        self.selector.register(reading, selectors.EVENT_READ, run)

    def _ended(self, run: _Run, running: _Running, now: float) -> None:
        code = self._bury(run, running)
        run.failures = 1 if now - running.since > STEADY_SECONDS else run.failures + 1
        pause = min(2.0 ** (run.failures - 1), LONGEST_PAUSE)
        run.due = now + pause
        self.say(f"{run.child.name} ended by itself ({ending(code)}); it is started again in {pause:.0f} s.")

    def _bury(self, run: _Run, running: _Running) -> int:
        """Kill what is left of it and its children, read its last words, give its exit code."""
        kill_group(running.process)
        code = running.process.wait()
        while self._read(run, running.pipe.fileno()):
            pass
        if run.rest:
            self._pass_on(run, run.rest)
            run.rest = b""
        with contextlib.suppress(KeyError):
            self.selector.unregister(running.pipe.fileno())
        running.pipe.close()
        run.running = None
        return code

    def _stop_stage(self, runs: list[_Run], hurried: Callable[[], bool], patience: float) -> None:
        for run in runs:
            if run.running:
                run.running.process.terminate()
        until = time.monotonic() + patience
        while left := [(run, run.running) for run in runs if run.running]:
            self._listen(0.05)
            impatient = time.monotonic() > until or hurried()
            for run, running in left:
                if impatient or running.process.poll() is not None:
                    self._bury(run, running)

    def _listen(self, seconds: float) -> None:
        if not self.selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self.selector.select(seconds):
            if not self._read(key.data, key.fd):  # readable and empty: its end
                self.selector.unregister(key.fd)

    def _read(self, run: _Run, pipe: int) -> bool:
        """Pass on what is there now; False when there is no more to come."""
        try:
            data = os.read(pipe, 65536)
        except BlockingIOError:
            return False
        *lines, run.rest = (run.rest + data).split(b"\n")
        for line in lines:
            self._pass_on(run, line)
        return bool(data)

    def _pass_on(self, run: _Run, line: bytes) -> None:
        if run.log:
            run.log.write(line + b"\n")
        if line.strip() and not (run.log and ORDINARY.match(line)):
            self.say(f"{run.child.name:<{self.width}} | {line.decode(errors='replace')}")


def begin(
    argv: Sequence[str], folder: Path, environment: Mapping[str, str], *, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a child in its own session that does not outlive us."""
    parent = os.getpid()

    def ask_for_death_signal() -> None:
        if LIBC is not None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

    # preexec_fn is safe here and only here: this process has a single thread.
    return subprocess.Popen(  # noqa: S603  (our own programs and arguments)
        list(argv),
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT if stdout is not None else None,
        start_new_session=True,
        preexec_fn=ask_for_death_signal,
    )


def run_through(argv: Sequence[str], folder: Path, environment: Mapping[str, str], *, interruptions: Interruptions) -> int:
    """Run a step to its end on our own output and return its code; when interrupted it is ended first."""
    process = begin(argv, folder, environment)
    while process.poll() is None and not interruptions.count:
        time.sleep(0.05)
    if process.poll() is None:
        process.terminate()
        until = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < until and interruptions.count < 2:
            time.sleep(0.05)
    kill_group(process)
    code = process.wait()
    interruptions.check()
    return code


def kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
