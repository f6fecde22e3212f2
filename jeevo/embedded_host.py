"""What both embedded servers need from the machine: a folder, an account, a port, a password.

Only what is made here is given to the servers' account; nothing that existed before changes its owner
or mode. What the system refuses leaves here as an EmbeddedError of one sentence.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Report = Callable[[str], None]

OWN_SERVERS = "set DATABASE_URL and REDIS_URL to use your own servers"


class EmbeddedError(Exception):
    """One sentence: what is wrong, and what to do."""


@dataclass(frozen=True)
class Home:
    """Where the servers keep their files, and the account they run as (None: as whoever starts them)."""

    folder: Path
    uid: int | None = None
    gid: int | None = None

    @property
    def identity(self) -> dict[str, Any]:
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def make(self, name: str) -> Path:
        """A private folder of the servers' account."""
        path = self.folder / name
        if not path.is_dir():
            path.mkdir(mode=0o700)
            self.give(path)
        return path


@contextlib.contextmanager
def plainly(folder: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a sentence about this folder."""
    try:
        yield
    except OSError as error:
        raise EmbeddedError(sentence(error, folder)) from error


def full_disk(folder: Path) -> str:
    return f"The disk that holds {folder} is full: free some space, then start again."


def sentence(error: OSError, folder: Path) -> str:
    path = error.filename or folder
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full_disk(folder)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"{path} cannot be used by this account: start Jeevo as the account that owns it, "
            "or set JEEVO_DATA_DIR to a folder you may write."
        )
    return f"{path}: {error.strerror or error}; mend it, or set JEEVO_DATA_DIR to another folder."


def port_answers(port: int, host: str = "127.0.0.1") -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    if port_answers(port):
        return False
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError:
        return False
    return True


def is_full(complaint: str) -> bool:
    """Whether a server's complaint is about a full disk; a short write is how PostgreSQL meets one."""
    return any(words in complaint for words in ("No space left on device", "wrote only", "quota exceeded"))


def choose_port(home: Home, name: str, preferred: int) -> int:
    """The port of last time, else the preferred one, else any that is free."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        remembered = int((home.folder / f"{name}.port").read_text())
        # A killed server's last thread, or a client that retries, may hold it for a moment longer.
        until = time.monotonic() + 1
        while time.monotonic() < until:
            if port_is_free(remembered):
                return remembered
            time.sleep(0.05)
    if port_is_free(preferred):
        return preferred
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def remember_port(home: Home, name: str, port: int) -> None:
    (home.folder / f"{name}.port").write_text(f"{port}\n")


def password(keys: Path, name: str) -> str | None:
    try:
        return (keys / name).read_text().strip() or None
    except FileNotFoundError:
        return None


def keep_password(keys: Path, name: str) -> str:
    """The password of this name, made on first use: whole or not there, and only its owner reads it."""
    known = password(keys, name)
    if known:
        return known
    if not keys.is_dir():
        keys.mkdir(parents=True, mode=0o700)
    draft = keys / f".{name}.new"
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(24))
    draft.rename(keys / name)
    return draft.with_name(name).read_text()
