"""A standby's folder: its data directory, the password with which it follows, its settings, and what is known of it.

Everything that the server needs stands in files here, so that it starts again as it was. No command line and no
settings file carries a password.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from operations import postgres, servers

FACTS, FAILOVER, PASSFILE = "standby.json", "failover.json", "passfile"
# A unix socket's whole name may have 107 bytes.
LONGEST = 107
# A standby refuses to follow with less than its primary has of the first; after its promotion it carries the same load.
LIKE_PRIMARY = (
    *("max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction"),
    *("max_replication_slots", "max_slot_wal_keep_size", "shared_buffers", "effective_cache_size", "work_mem"),
    *("maintenance_work_mem", "max_wal_size", "summarize_wal", "wal_compression"),
)
_HBA = """\
# The folder of the socket lets in its owner alone.
local all all trust
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
host replication all ::1/128 scram-sha-256
"""


class NoStandby(Exception):
    """One sentence: why there is nothing to work with in a folder."""


@dataclass(frozen=True)
class Facts:
    """`connection`: host, port, user and the like of the primary, without its password. `superuser`: an account that may
    promote. `system`: the cluster's own number, the same as its primary's."""

    name: str
    slot: str
    system: str
    major: int
    port: int
    listen: str
    superuser: str
    database: str
    connection: dict[str, str]
    created_at: str


@dataclass(frozen=True)
class Folder:
    path: Path

    @property
    def cluster(self) -> Path:
        return self.path / "postgres"

    @property
    def archive(self) -> Path:
        """Pieces of the log that were fetched for it."""
        return self.path / "log"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def passfile(self) -> Path:
        return self.path / PASSFILE

    def make(self, *names: str) -> None:
        """The folder itself and these in it, private and of the servers' account."""
        for each in (self.path, *(self.path / name for name in names)):
            if not each.is_dir():
                each.mkdir(mode=0o700)
                postgres.home().give(each)

    def write(self, path: Path, text: str) -> None:
        """For the servers' account alone, and never half written."""
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(text)
        postgres.home().give(draft)
        draft.rename(path)

    def facts(self) -> Facts:
        try:
            return Facts(**json.loads((self.path / FACTS).read_text()))
        except (FileNotFoundError, NotADirectoryError):
            raise NoStandby(f"{self.path} holds no standby: `manage.py standby create` makes one.") from None
        except (ValueError, TypeError) as error:
            raise NoStandby(f"{self.path / FACTS} cannot be read; build the standby anew.") from error

    def keep(self, facts: Facts) -> None:
        self.write(self.path / FACTS, json.dumps(asdict(facts), indent=1))

    def failover(self) -> dict[str, Any]:
        """What a promotion has done so far."""
        try:
            found: dict[str, Any] = json.loads((self.path / FAILOVER).read_text())
        except FileNotFoundError:
            return {}
        return found

    def keep_failover(self, told: Mapping[str, Any]) -> None:
        self.write(self.path / FAILOVER, json.dumps(told, indent=1))

    def password(self) -> str:
        """Of our account, which is the primary's: the roles came along."""
        line = self.passfile.read_text().strip()
        return _parts(line)[4]

    def scratch(self, facts: Facts) -> postgres.Scratch:
        """The server's socket, for whoever may enter the folder."""
        return postgres.Scratch(self.path, facts.major, facts.port)


def check(path: Path, *, port: int) -> None:
    """Raises NoStandby unless a standby can be made there."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise NoStandby(f"{path} is not empty: name an empty folder, or one that is not there yet.")
    if not path.parent.is_dir():
        raise NoStandby(f"{path.parent} is not there.")
    if len(os.fsencode(path / f".s.PGSQL.{port}")) > LONGEST:
        raise NoStandby(f"{path} is too long a name for the server's socket: name a shorter one.")
    if not servers.can_enter(path.parent):
        raise NoStandby(f"The account that runs PostgreSQL here cannot enter {path.parent}: name another folder.")


def configure(folder: Folder, facts: Facts, *, limits: Mapping[str, str], archive: Path, networks: tuple[str, ...]) -> None:
    """What the server reads at each start. The primary's own settings are kept beside, for the day it takes its place."""
    original = folder.cluster / "postgresql.conf"
    if original.exists():
        original.rename(folder.cluster / "postgresql.conf.primary")
    given = {
        **limits,
        "listen_addresses": facts.listen,
        "port": str(facts.port),
        "unix_socket_directories": str(folder.path),
        "primary_conninfo": conninfo(folder, facts),
        "primary_slot_name": facts.slot,
        "restore_command": fetching(*dict.fromkeys((archive, folder.archive))),
        "recovery_target_timeline": "latest",
        "hot_standby": "on",
        # Nobody receives from it when it is promoted, so no write may wait for anybody.
        "synchronous_standby_names": "",
        "wal_receiver_status_interval": "1s",
        "wal_receiver_timeout": "30s",
        "wal_retrieve_retry_interval": "2s",
    }
    lines = [f"{name} = '{_quoted(value)}'" for name, value in given.items()]
    folder.write(original, servers.server_settings(folder.logs) + "\n".join(["", *lines, ""]))
    # What somebody set on the primary with ALTER SYSTEM is not for this one.
    folder.write(folder.cluster / "postgresql.auto.conf", "")
    allowed = "".join(f"host all all {each} scram-sha-256\nhost replication all {each} scram-sha-256\n" for each in networks)
    folder.write(folder.cluster / "pg_hba.conf", _HBA + allowed)
    folder.write(folder.cluster / "pg_ident.conf", "")
    folder.write(folder.cluster / "standby.signal", "")


def conninfo(folder: Folder, facts: Facts) -> str:
    """How it reaches its primary; the password stands in the file that it names."""
    parts = {
        **facts.connection,
        "passfile": str(folder.passfile),
        "application_name": facts.slot,
        "connect_timeout": "5",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
    }
    return " ".join(f"{name}='{_escaped(value)}'" for name, value in parts.items())


def fetching(*places: Path) -> str:
    """The command by which a standby takes a whole piece of the log from the first of these folders that has it. Never one
    that was being written: when it is promoted it would read that once more, over what was streamed."""
    quoted = [str(each).replace("%", "%%").replace("'", "'\\''") for each in places]
    return " || ".join(f"cp '{each}/%f' '%p' 2>/dev/null" for each in quoted)


def pass_line(connection: Mapping[str, str], password: str) -> str:
    host, port, user = (_colons(connection[name]) for name in ("host", "port", "user"))
    return f"{host}:{port}:*:{user}:{_colons(password)}\n"


def _colons(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _parts(line: str) -> list[str]:
    parts, escaped = [""], False
    for sign in line:
        if escaped or sign not in "\\:":
            parts[-1], escaped = parts[-1] + sign, False
        elif sign == ":":
            parts.append("")
        else:
            escaped = True
    return parts


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _quoted(value: str) -> str:
    return value.replace("'", "''")
