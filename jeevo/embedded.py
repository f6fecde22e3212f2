"""PostgreSQL with pgvector and Valkey from pip, for whoever has no servers of their own.

`start` may be called by anyone at any time: the first call starts, every other one finds. The servers
outlive their starter until `stop`. Data and passwords live in two folders, so that a copy of one
is no use without the other. No Django here, and nothing slow: every `manage.py` calls `find`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jeevo import embedded_postgres, embedded_valkey
from jeevo.embedded_host import OWN_SERVERS, EmbeddedError, Home, Report, plainly
from jeevo.embedded_programs import run

__all__ = [
    "EmbeddedError",
    "Services",
    "find",
    "restart_fallen",
    "start",
    "start_postgres",
    "start_valkey",
    "stop",
    "stop_postgres",
    "stop_valkey",
]

UNPRIVILEGED = "nobody"
SHARED = Path("/var/lib/jeevo")
POINTER = "embedded_home"


@dataclass(frozen=True)
class Services:
    database_url: str
    redis_url: str  # without a database number


def find(data: Path, keys: Path) -> Services | None:
    """The services that run now for this data folder; starts nothing."""
    with plainly(data):
        folder = _home_of(data)
        database = embedded_postgres.find(folder, keys)
        redis = embedded_valkey.find(folder, keys)
    return Services(database, redis) if database and redis else None


def start(data: Path, keys: Path, *, report: Report) -> Services:
    with _alone(data, report):
        home = prepare_home(data)
        return Services(
            embedded_postgres.start(home, keys, report),
            embedded_valkey.start(home, keys, report),
        )


def stop(data: Path) -> None:
    stop_valkey(data)
    stop_postgres(data)


def start_postgres(data: Path, keys: Path, *, report: Report) -> str:
    with _alone(data, report):
        return embedded_postgres.start(prepare_home(data), keys, report)


def start_valkey(data: Path, keys: Path, *, report: Report) -> str:
    with _alone(data, report):
        return embedded_valkey.start(prepare_home(data), keys, report)


def stop_postgres(data: Path) -> None:
    if data.is_dir():
        with _alone(data):
            embedded_postgres.stop(_home_of(data))


def stop_valkey(data: Path) -> None:
    if data.is_dir():
        with _alone(data):
            embedded_valkey.stop(_home_of(data))


def restart_fallen(data: Path, keys: Path, *, report: Report) -> None:
    """Start again what died; what somebody stopped on purpose stays stopped."""
    with plainly(data):
        folder = _home_of(data)
        postgres, valkey = embedded_postgres.has_fallen(folder), embedded_valkey.has_fallen(folder)
    if postgres:
        report("PostgreSQL ended unexpectedly; it is started again.")
        start_postgres(data, keys, report=report)
    if valkey:
        report("Valkey ended unexpectedly; it is started again.")
        start_valkey(data, keys, report=report)


@contextlib.contextmanager
def _alone(data: Path, report: Report | None = None) -> Iterator[None]:
    """One starter or stopper at a time for a data folder; the system frees the lock if it dies."""
    with plainly(data):
        data.mkdir(parents=True, exist_ok=True)
        with (data / "embedded.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if report:
                    report("Another start or stop of the services is under way here; waiting for it.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _home_of(data: Path) -> Path:
    """The folder that holds the servers' files of this data folder."""
    try:
        return Path((data / POINTER).read_text().strip())
    except FileNotFoundError:
        return data


def prepare_home(data: Path) -> Home:
    data.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return Home(_home_of(data))
    try:
        account = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root and there is no account `{UNPRIVILEGED}` to run it as: "
            f"start Jeevo as an ordinary user, or {OWN_SERVERS}."
        ) from None
    home = Home(_home_of(data), account.pw_uid, account.pw_gid)
    if home.folder == data and not _can_enter(home):
        home = Home(_shared_folder(data), account.pw_uid, account.pw_gid)
    if not _can_enter(home):
        raise EmbeddedError(
            f"The account `{UNPRIVILEGED}` cannot enter {home.folder}: start Jeevo as an ordinary user, or {OWN_SERVERS}."
        )
    return home


def _can_enter(home: Home) -> bool:
    # Asked of the system itself: modes of every parent, access lists and mounts all have a say.
    return run(home, ["/bin/sh", "-c", 'test -x "$1"', "sh", str(home.folder)]).returncode == 0


def _shared_folder(data: Path) -> Path:
    folder = SHARED / hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
    for path in (SHARED, folder):
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o755)
    (data / POINTER).write_text(f"{folder}\n")
    return folder
