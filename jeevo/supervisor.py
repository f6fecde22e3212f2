"""`make run`: starts everything one machine needs, in the order of the operations guide, and keeps it up.

Services, wait, prepare (migrate, clear the cache), start, verify by /health/, then one block that says where
everything is. A signal stops it all in order at any moment and leaves nothing behind; a second one
hastens. A step that fails ends the start with one sentence. No Django in this process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import http.client
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO
from urllib.parse import urlsplit

from jeevo import embedded
from jeevo.embedded_host import port_answers, port_is_free
from jeevo.environment import ROOT, Environment, EnvironmentProblem, load_dotenv, read
from jeevo.processes import Child, Interrupted, Interruptions, Processes, run_through

PATIENCE_SECONDS = 90.0
LOOK_SECONDS = 2.0
# What nobody waits for starts when the first questions have been answered.
LATE_SECONDS = 20.0
FAILURES_ALLOWED = 3
DEFAULT_PORTS = {"postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379}
MANAGE = str(ROOT / "manage.py")
QUIET_WORKER = ("--without-gossip", "--without-mingle", "-O", "fair", "--loglevel", "WARNING")


class StartFailed(Exception):
    """One sentence: which step failed, and what to do."""


def say(line: str) -> None:
    # A closed terminal or a broken pipe must not take the helpline down.
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


def main() -> int:
    interruptions = Interruptions()
    interruptions.catch()
    try:
        load_dotenv()
        run(read(os.environ), interruptions)
    except (EnvironmentProblem, embedded.EmbeddedError, StartFailed) as problem:
        say(str(problem))
        return 1
    except Interrupted:
        pass
    return 0


def run(environment: Environment, interruptions: Interruptions) -> None:
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(_lock(environment.data))
        if lock is None:
            say(_already_running(environment.data))
            return
        stack.enter_context(_services(environment, interruptions))
        _prepare(environment, interruptions)
        environment = with_free_ports(environment)
        _forget_figures(environment.data)
        processes = stack.enter_context(_processes(environment, interruptions))
        _verify(environment, processes, interruptions)
        _note_address(lock, environment)
        say(welcome(environment))
        _watch(environment, processes, interruptions)


def addresses(environment: Environment) -> tuple[str, str]:
    """The chat's and the console's; in live mode the chat is WhatsApp itself and its address is empty."""
    chat = f"http://127.0.0.1:{environment.sandbox_port}/" if environment.mode == "sandbox" else ""
    return chat, f"{environment.public_url or _local(environment)}/admin/"


def _local(environment: Environment) -> str:
    return f"http://127.0.0.1:{environment.web_port}"


@contextlib.contextmanager
def _lock(data: Path) -> Iterator[TextIO | None]:
    """One supervisor for a data folder; the system frees the lock however we end."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "supervisor.lock").open("a+")
    except OSError as error:
        raise StartFailed(f"{data} cannot be used ({error.strerror}): set JEEVO_DATA_DIR to another.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        lock.truncate(0)
        # Whom `manage.py drain --stop` asks to end; true only while the lock is held.
        (data / "supervisor.pid").write_text(str(os.getpid()))
        yield lock


def _note_address(lock: TextIO, environment: Environment) -> None:
    lock.write(next(address for address in addresses(environment) if address))
    lock.flush()


def _already_running(data: Path) -> str:
    address = (data / "supervisor.lock").read_text().strip()
    return f"Jeevo is already running here, or still stopping: {address}" if address else "Jeevo is already starting here."


def with_free_ports(environment: Environment) -> Environment:
    """The same environment with ports nobody else listens on."""
    sandbox = environment.sandbox_port
    web = _free_port(environment.web_port, environment.host, "WEB_PORT", {sandbox} - {environment.web_port})
    if environment.mode == "sandbox":
        sandbox = _free_port(sandbox, "127.0.0.1", "SANDBOX_PORT", {web})
    return dataclasses.replace(environment, web_port=web, sandbox_port=sandbox)


def _free_port(wanted: int, host: str, variable: str, reserved: set[int]) -> int:
    for port in range(wanted, min(wanted + 100, 65536)):
        if port not in reserved and port_is_free(port, host):
            if port != wanted:
                say(f"Port {wanted} is taken by another program; Jeevo uses {port} instead.")
            return port
    raise StartFailed(f"No free port from {wanted} on at {host}: set {variable} to one that is free.")


@contextlib.contextmanager
def _services(environment: Environment, interruptions: Interruptions) -> Iterator[None]:
    if environment.database_url and environment.redis_url:
        _await_own(environment.database_url, "DATABASE_URL", interruptions)
        _await_own(environment.redis_url, "REDIS_URL", interruptions)
        yield
        return
    try:
        with interruptions.raising():
            embedded.start(environment.data, environment.keys, report=say)
        yield
    finally:
        embedded.stop(environment.data)


def _await_own(url: str, variable: str, interruptions: Interruptions) -> None:
    parts = urlsplit(url)
    if not parts.hostname:  # a unix socket: `prepare` will tell
        return
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    until = time.monotonic() + PATIENCE_SECONDS
    told = False
    while not port_answers(port, parts.hostname):
        interruptions.check()
        if time.monotonic() > until:
            raise StartFailed(f"{parts.hostname}:{port} does not answer: check {variable} and that server.")
        if not told:
            say(f"Waiting for {parts.hostname}:{port} ({variable}).")
            told = True
        time.sleep(0.5)


def _prepare(environment: Environment, interruptions: Interruptions) -> None:
    code = run_through((sys.executable, MANAGE, "prepare"), ROOT, variables(environment), interruptions=interruptions)
    if code:
        raise StartFailed("Jeevo did not start: `manage.py prepare` failed; the lines above say why.")


def _forget_figures(data: Path) -> None:
    """A full start counts from zero. A process that is started again alone goes on where its kind stood."""
    shutil.rmtree(data / "metrics", ignore_errors=True)


def variables(environment: Environment) -> dict[str, str]:
    """What the children see: our own environment, with the ports that were really taken."""
    # Said by every worker of a root's container, the warning would bury the addresses.
    quiet = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges"}
    return {
        **quiet,
        **os.environ,
        "WEB_PORT": str(environment.web_port),
        "SANDBOX_PORT": str(environment.sandbox_port),
        "PYTHONUNBUFFERED": "1",
    }


def children(environment: Environment) -> list[Child]:
    """In the order they start; they stop by stage: work first, then the workers, the chat, the web."""
    python = sys.executable
    gunicorn, celery = (python, "-m", "gunicorn"), (python, "-m", "celery", "--quiet", "-A", "jeevo")
    bind = f"{environment.host}:{environment.web_port}"
    chat = ("--workers", "1", "--threads", "16", "--worker-class", "gthread", "--keep-alive", "75", "--no-control-socket")
    quiet = ("--bind", f"127.0.0.1:{environment.sandbox_port}", "--log-level", "warning")
    sandbox = Child("sandbox", (*gunicorn, "conversations.sandbox.wsgi:application", *chat, *quiet), 2)
    beat = ("beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler")
    return [
        Child("web", (*gunicorn, "jeevo.wsgi:application", "-c", "jeevo/gunicorn.py", "--bind", bind), 3),
        *([sandbox] if environment.mode == "sandbox" else []),
        Child("dispatcher", (python, MANAGE, "dispatch"), 0),
        Child("watcher", (python, MANAGE, "watch"), 0, late=True),
        Child("operator", (python, MANAGE, "operator"), 0, late=True),
        _worker(celery, "answers", environment.answer_workers),
        _worker(celery, "indexing", 1),
        _worker(celery, "operations", 1),
        Child("beat", (*celery, *beat, "--loglevel", "WARNING", "--pidfile="), 0, late=True),
    ]


def _worker(celery: tuple[str, ...], lane: str, processes: int) -> Child:
    named = ("worker", "-Q", lane, "-n", f"{lane}@%h", "-c", str(processes))
    return Child(f"worker-{lane}", (*celery, *named, *QUIET_WORKER), 1, late=lane == "operations")


@contextlib.contextmanager
def _processes(environment: Environment, interruptions: Interruptions) -> Iterator[Processes]:
    processes = Processes(
        children(environment),
        say=say,
        folder=ROOT,
        environment=variables(environment),
        logs=environment.data / "logs",
    )
    try:
        processes.start()
        yield processes
    finally:
        already = interruptions.count
        say("Stopping Jeevo; a second Ctrl-C hastens it.")
        processes.stop(hurried=lambda: interruptions.count > max(already, 1))


def _verify(environment: Environment, processes: Processes, interruptions: Interruptions) -> None:
    """Every process up and /health/ green, or StartFailed with what was last seen."""
    for path in ("/health/live", "/health/"):
        until = time.monotonic() + PATIENCE_SECONDS
        while (seen := _get(environment, path)) != "200":
            interruptions.check()
            processes.tick()
            _check_failures(processes)
            if time.monotonic() > until:
                raise StartFailed(f"Jeevo started, but {_local(environment)}{path} says: {seen}.")
        interruptions.check()


def _check_failures(processes: Processes) -> None:
    for name, failures in processes.failures().items():
        if failures >= FAILURES_ALLOWED:
            raise StartFailed(f"{name} ended {failures} times in a row; its lines above say why.")


def _get(environment: Environment, path: str) -> str:
    """What our own web process says to the name it is served under: "200", or what is wrong."""
    host = "[::1]" if environment.host == "::1" else "127.0.0.1"
    name = environment.allowed_hosts[0].lstrip(".").replace("*", host)
    connection = http.client.HTTPConnection(host, environment.web_port, timeout=10)
    # With the token a part that is unwell is named.
    token = {"Authorization": f"Bearer {environment.health_token}"} if environment.health_token else {}
    try:
        connection.request("GET", path, headers={"Host": name, "X-Forwarded-Proto": "https", **token})
        response = connection.getresponse()
        told = response.read(400).decode(errors="replace") if response.status != 200 else ""
        return " ".join([str(response.status), *told.split()])
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()


def welcome(environment: Environment) -> str:
    chat, console = addresses(environment)
    lines = ["", "  Jeevo is running.", ""]
    if chat:
        lines.append(f"    Chat      {chat}")
    lines += [f"    Console   {console}", "    User      admin"]
    with contextlib.suppress(OSError):
        lines.append(f"    Password  {(environment.keys / 'admin_password').read_text().strip()}")
    return "\n".join([*lines, "", "  Stop it with Ctrl-C. What was asked and answered is kept.", ""])


def _watch(environment: Environment, processes: Processes, interruptions: Interruptions) -> None:
    look, late = time.monotonic() + LOOK_SECONDS, time.monotonic() + LATE_SECONDS
    while not interruptions.count:
        processes.tick()
        if time.monotonic() > late:
            processes.start_late()
            late = math.inf
        if environment.database_url is None and time.monotonic() > look:
            _mend(environment, interruptions)
            look = time.monotonic() + LOOK_SECONDS


def _mend(environment: Environment, interruptions: Interruptions) -> None:
    try:
        with interruptions.raising():
            embedded.restart_fallen(environment.data, environment.keys, report=say)
    except embedded.EmbeddedError as problem:
        say(f"{problem} It is tried again in {LOOK_SECONDS:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
