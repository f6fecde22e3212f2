"""The only door to PostgreSQL's own programs: pg_basebackup, pg_dump, pg_restore, pg_combinebackup and a scratch server.

Programs are taken from the wheel or from the machine, never older than the server. The password travels in the
environment, never on a command line. What a program says is kept for its exit code only: it may quote rows.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
from django.conf import settings
from django.db import connection

from jeevo import embedded, embedded_host, embedded_postgres, embedded_programs
from jeevo.embedded_host import EmbeddedError, Home
from operations.locks import held

START_SECONDS = 600.0
# Between making a scratch folder and holding it.
UNUSED_SECONDS = 10.0
Running = subprocess.Popen[bytes]
_PLACES = ("/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin", "/opt/homebrew/opt/postgresql@{major}/bin")


class ToolProblem(Exception):
    """One sentence for an operator: which program, and what to do."""


@dataclass(frozen=True)
class Server:
    """Where a program connects to."""

    host: str
    port: str
    user: str
    password: str
    database: str

    @property
    def variables(self) -> dict[str, str]:
        return {
            "PGHOST": self.host,
            "PGPORT": self.port,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            "PGCONNECT_TIMEOUT": "10",
            "PGAPPNAME": "jeevo-backup",
        }


def live() -> Server:
    """The server that Django is connected to."""
    known = connection.get_connection_params()
    host, port = str(known.get("host") or "127.0.0.1"), str(known.get("port") or "5432")
    return Server(host, port, str(known.get("user") or ""), str(known.get("password") or ""), str(known["dbname"]))


def server_major() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0]) // 10000


def home() -> Home:
    """Where scratch servers may live, and the account they run as: a server refuses to run as root."""
    try:
        return embedded.prepare_home(settings.ENVIRONMENT.data)
    except EmbeddedError as problem:
        raise ToolProblem(str(problem)) from problem


@lru_cache(maxsize=4)
def tools(major: int) -> Path:
    """The folder of programs for a server of this major: neither older, which refuse it, nor newer, whose files it
    cannot read."""
    if str(major) == embedded_postgres.MAJOR:
        with contextlib.suppress(EmbeddedError):
            return embedded_postgres.programs(home())
    for place in _PLACES:
        folder = Path(place.format(major=major))
        if (folder / "pg_basebackup").exists():
            return folder
    found = shutil.which("pg_basebackup")
    if found and _major_of(Path(found)) == major:
        return Path(found).resolve().parent
    raise ToolProblem(
        f"The server runs PostgreSQL {major} and its programs are not here: "
        f"install the client package of PostgreSQL {major}, then try again."
    )


def _major_of(program: Path) -> int | None:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()  # noqa: S603
    number = said[2].split(".")[0] if len(said) > 2 else ""
    return int(number) if number.isdigit() else None


def version(major: int) -> str:
    """Of the programs, such as 18.4."""
    said = subprocess.run([tools(major) / "pg_dump", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S603
    return said.split()[2]


def stream(program: str, *arguments: str, server: Server, major: int, take: Callable[[IO[bytes]], None]) -> None:
    """Run a program whose output is the backup and hand that to `take`. Raises ToolProblem unless both end well."""
    process = _begin(program, arguments, server.variables, major=major, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with _ended_with(process):
        take(process.stdout)
        process.stdout.close()
        _check(program, process)


def feed(program: str, *arguments: str, server: Server, major: int, give: Callable[[IO[bytes]], None]) -> None:
    """Run a program that reads a backup, which `give` writes."""
    process = _begin(program, arguments, server.variables, major=major, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stdin is not None
    with _ended_with(process):
        with contextlib.suppress(BrokenPipeError):  # it ended early: its exit code says why
            give(process.stdin)
            process.stdin.close()
        _check(program, process)


def run(program: str, *arguments: str, major: int, variables: Mapping[str, str] | None = None) -> None:
    process = _begin(program, arguments, variables or {}, major=major, stdout=subprocess.DEVNULL)
    with _ended_with(process):
        _check(program, process)


def manage(*arguments: str, database: str) -> None:
    """Our own command in a process of its own that knows this database and no other."""
    server = live()
    url = f"postgresql://{quote(server.user)}:{quote(server.password, safe='')}@{server.host}:{server.port}/{database}"
    variables = {**os.environ, "DATABASE_URL": url, "REDIS_URL": settings.BROKER_URL.removesuffix("/0")}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
    if subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False).returncode:  # noqa: S603
        raise ToolProblem(f"manage.py {arguments[0]} did not finish on the new database; the log says why.")


def read(program: str, *arguments: str, major: int) -> str:
    """What a program prints."""
    found: list[bytes] = []

    def take(pipe: IO[bytes]) -> None:
        found.append(pipe.read())

    nowhere = Server("", "", "", "", "")
    stream(program, *arguments, server=nowhere, major=major, take=take)
    return b"".join(found).decode(errors="replace")


@contextlib.contextmanager
def kept_running(program: str, *arguments: str, name: str, server: Server, major: int) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs as the servers' account for as long as the block does; asked to end first, so that it can flush.
    The server knows it by this name."""
    with subprocess.Popen(  # noqa: S603  (our own programs and arguments)
        [str(tools(major) / program), *arguments],
        cwd="/",
        env={**embedded_programs.CLEAN_ENVIRONMENT, **server.variables, "PGAPPNAME": name},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **home().identity,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def run_as_server(program: str, *arguments: str, major: int) -> None:
    """As the servers' account, for programs that write a server's files."""
    done = embedded_programs.run(home(), [str(tools(major) / program), *arguments])
    if done.returncode:
        raise ToolProblem(_sentence(program, done.returncode, done.stderr))


def _begin(
    program: str,
    arguments: Sequence[str],
    variables: Mapping[str, str],
    *,
    major: int,
    stdin: int = subprocess.DEVNULL,
    stdout: int,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  (our own programs and arguments)
        [str(tools(major) / program), *arguments],
        env={**embedded_programs.CLEAN_ENVIRONMENT, **variables},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@contextlib.contextmanager
def _ended_with(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens here, the program is gone afterwards."""
    try:
        yield
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _check(program: str, process: subprocess.Popen[bytes]) -> None:
    said = process.stderr.read().decode(errors="replace") if process.stderr else ""
    if process.wait():
        raise ToolProblem(_sentence(program, process.returncode, said))


def _sentence(program: str, code: int, said: str) -> str:
    """Why, for the causes an operator can mend; the program's own words may quote a row and are not passed on."""
    causes = {
        "No space left on device": "the disk is full",
        "quota exceeded": "the disk is full",
        "password authentication failed": "the server refused the password",
        "no pg_hba.conf entry for replication": "the server allows no replication connection from here (pg_hba.conf)",
        "must be superuser or replication role": "the account may not replicate: ALTER ROLE ... REPLICATION",
        "permission denied to start WAL sender": "the account may not replicate: ALTER ROLE ... REPLICATION",
        "could not connect": "the server did not answer",
        "connection to server": "the server did not answer",
        "server version mismatch": "the server is newer than the program",
        "terminating connection": "the server was stopped meanwhile",
        "manifest": "the backup it builds on does not fit",
    }
    why = next((reason for words, reason in causes.items() if words in said), f"it ended with code {code}")
    return f"{program} did not finish: {why}."


def is_own() -> bool:
    """Whether the live server is the one that Jeevo runs itself."""
    return settings.ENVIRONMENT.database_url is None


def wait_for(standby: str) -> None:
    """Let commits on our own server wait for the standby of this name; "" for none."""
    embedded_postgres.wait_for(home(), standby)


def own_cluster() -> Path:
    """The data directory of the server that Jeevo runs itself, whether it is there or not."""
    return Path(home().folder / embedded_postgres.CLUSTER)


def own_password() -> str:
    """Of our account on that server; made when there is none."""
    return embedded_host.keep_password(settings.ENVIRONMENT.keys, embedded_postgres.KEY_FILE)


def works_in(cluster: Path) -> bool:
    """Whether a server runs on this data directory now."""
    with contextlib.suppress(FileNotFoundError):
        first = (cluster / "postmaster.pid").read_text().splitlines()[:1]
        return bool(first) and first[0].isdigit() and embedded_programs.works_in(int(first[0]), cluster)
    return False


def new_cluster(place: Path, *, major: int) -> Path:
    """An empty server of its own, like the one that Jeevo makes for itself; only its socket's folder guards it."""
    cluster = place / "cluster"
    options = [each for each in embedded_postgres.INITDB if not each.startswith("--auth")]
    run_as_server("initdb", f"--pgdata={cluster}", "--auth=trust", *options, "--no-sync", major=major)
    return cluster


@dataclass(frozen=True)
class Scratch:
    """A server of its own on a socket in its own folder, reachable from nowhere else."""

    folder: Path
    major: int
    port: int = 5432

    def server(self, database: str, user: str = "postgres") -> Server:
        return Server(str(self.folder), str(self.port), user, "", database)

    def connect(self, database: str, user: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=user, dbname=database, autocommit=True, connect_timeout=10
        )


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """An empty private folder of the servers' account, removed at the end with whatever still runs in it. Raises ToolProblem
    while another process works there; what one that died has left is removed first."""
    place = home()
    place.make("scratch")
    folder = place.make(f"scratch/{name}")
    with held(folder) as ours:
        if not ours:
            raise ToolProblem("Another process is at work on the same copy; wait until it has ended.")
        _stop(folder)
        for each in folder.iterdir():
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        try:
            yield folder
        finally:
            _stop(folder)
            shutil.rmtree(folder, ignore_errors=True)


def is_used(name: str) -> bool:
    """Whether a process works in this scratch folder."""
    folder = home().folder / "scratch" / name
    if not folder.is_dir():
        return False
    with held(folder) as ours:
        return not ours


def clear_scratch() -> list[str]:
    """Stop and remove what processes that died have left in scratch: a server and a copy of the database each."""
    gone = []
    for folder in home().make("scratch").iterdir():
        with held(folder) as ours:
            if ours and time.time() - folder.stat().st_mtime > UNUSED_SECONDS:
                _stop(folder)
                shutil.rmtree(folder, ignore_errors=True)
                gone.append(folder.name)
    return gone


@contextlib.contextmanager
def started(cluster: Path, *, major: int, options: Mapping[str, str] | None = None) -> Iterator[Scratch]:
    """A scratch server on this data directory until the block ends; it archives nothing and listens on its socket only."""
    place, sockets = home(), cluster.parent
    (cluster / "pg_hba.conf").write_text("local all all trust\n")
    given = {"listen_addresses": "", "unix_socket_directories": str(sockets), "archive_mode": "off", "shared_buffers": "64MB"}
    # What the live server wrote of itself is not for this one.
    given |= {
        "logging_collector": "off",
        "synchronous_standby_names": "",
        "summarize_wal": "off",
        "hba_file": str(cluster / "pg_hba.conf"),
    }
    given |= {"ident_file": str(cluster / "pg_ident.conf"), "jit": "off", **(options or {})}
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    (cluster / "pg_ident.conf").touch()
    command = [str(tools(major) / "postgres"), "-D", str(cluster), "-p", "5432"]
    for key, value in given.items():
        command += ["-c", f"{key}={value}"]
    pid = embedded_programs.launch(place, command, log=sockets / "server.log")
    server = Scratch(sockets, major)
    try:
        _await(server, pid, until=time.monotonic() + START_SECONDS)
        yield server
    finally:
        embedded_programs.end(pid, (signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 5))


def _await(server: Scratch, pid: int, *, until: float) -> None:
    """Ready means out of recovery: a server that still replays answers too, and counts are then short."""
    while True:
        if not embedded_programs.alive(pid):
            raise ToolProblem("The scratch server ended by itself: the backup cannot be started.")
        with contextlib.suppress(psycopg.OperationalError), server.connect("postgres") as one:
            row = one.execute("SELECT pg_is_in_recovery()").fetchone()
            if row is not None and not row[0]:
                return
        if time.monotonic() > until:
            raise ToolProblem("The scratch server did not come up in ten minutes.")
        time.sleep(0.05)


def _stop(folder: Path) -> None:
    for note in (*folder.glob("*/postmaster.pid"), *folder.glob("*/*/postmaster.pid")):
        first = note.read_text().splitlines()[:1]
        if first and first[0].isdigit() and embedded_programs.works_in(int(first[0]), note.parent):
            embedded_programs.end(int(first[0]), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
