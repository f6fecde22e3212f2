"""A standby's own server: started, stopped, asked how it stands. Needs neither its primary nor the application's database."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from operations import postgres, servers
from operations.standby_folder import Facts, Folder, NoStandby

START_SECONDS = 120.0
# As long as the replayed log goes on, a standby may take hours to catch up.
SILENT_SECONDS = 120.0
TELL_SECONDS = 5.0
_ASK = """
    SELECT pg_is_in_recovery(), coalesce(r.status, ''), r.latest_end_lsn::text,
           coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text, pg_last_wal_replay_lsn()::text,
           CASE WHEN pg_is_in_recovery() THEN
               greatest(0, pg_wal_lsn_diff(greatest(r.latest_end_lsn, pg_last_wal_receive_lsn()),
                                           pg_last_wal_replay_lsn()))::bigint
           ELSE 0 END,
           pg_last_xact_replay_timestamp(), clock_timestamp(),
           CASE WHEN pg_is_in_recovery() THEN coalesce(r.received_tli, (SELECT timeline_id FROM pg_control_checkpoint()))
           ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END,
           (SELECT min(backend_start) FROM pg_stat_activity WHERE backend_type = 'walreceiver')
    FROM (SELECT) AS one LEFT JOIN pg_stat_wal_receiver r ON true
"""
# Text is ordered by the system's library; with another version of it the indexes of a copy are wrong.
OTHER_COLLATIONS = """
    SELECT datname FROM pg_database WHERE datallowconn AND datcollversion IS NOT NULL
    AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)
"""


@dataclass(frozen=True)
class Standing:
    """How it stands. `told`: the end of the log as its primary last said; `since`: when it began to follow this time."""

    in_recovery: bool
    receiver: str
    told: str | None
    received: str | None
    replayed: str | None
    behind_bytes: int
    last_commit: datetime | None
    at: datetime
    timeline: int
    since: datetime | None

    @property
    def follows(self) -> bool:
        return self.in_recovery and self.receiver == "streaming"

    @property
    def behind_seconds(self) -> float | None:
        """None where it does not follow: nobody knows what its primary did since."""
        if not self.follows:
            return None
        if not self.behind_bytes or self.last_commit is None:
            return 0.0
        return max(0.0, (self.at - self.last_commit).total_seconds())


def start(folder: Folder, facts: Facts) -> None:
    """Returns when it answers. One that runs already is left as it is."""
    if postgres.works_in(folder.cluster) and _answers(folder, facts):
        return
    folder.make("logs")
    pid = servers.launch(folder.cluster, major=facts.major, log=folder.path / "start.log")
    until = time.monotonic() + START_SECONDS
    while not _answers(folder, facts):
        if not servers.alive(pid):
            raise NoStandby(f"The standby's server ended by itself: {folder.logs} and start.log beside it say why.")
        if time.monotonic() > until:
            raise NoStandby(f"The standby's server does not answer after two minutes: look into {folder.logs}.")
        time.sleep(0.1)


def runs(folder: Folder) -> bool:
    return postgres.works_in(folder.cluster)


def stop(folder: Folder) -> None:
    servers.end(folder.cluster)


def connect(folder: Folder, facts: Facts, database: str | None = None) -> psycopg.Connection[Any]:
    """As the server's superuser, by its socket."""
    return folder.scratch(facts).connect(database or facts.database, facts.superuser)


def standing(folder: Folder, facts: Facts) -> Standing:
    try:
        with connect(folder, facts, "postgres") as one:
            row = one.execute(_ASK).fetchone()
    except psycopg.OperationalError as error:
        raise NoStandby("The standby's server does not answer: `manage.py standby start` starts it.") from error
    assert row is not None
    return Standing(*row)


def follow(folder: Folder, facts: Facts, *, told: Callable[[str], None]) -> Standing:
    """Wait until it receives from its primary. Raises NoStandby when it gets no further."""
    moved = spoken = time.monotonic()
    last: str | None = None
    while True:
        now = standing(folder, facts)
        if now.follows:
            return now
        if now.replayed != last:
            last, moved = now.replayed, time.monotonic()
        if time.monotonic() - moved > SILENT_SECONDS:
            raise NoStandby(
                f"It does not reach the primary, or the log that it needs is gone: {folder.logs} says which. "
                "Look whether the primary lets this machine in for replication (pg_hba.conf)."
            )
        if time.monotonic() - spoken > TELL_SECONDS:
            spoken = time.monotonic()
            told(f"It is replaying the log, and stands at {now.replayed}.")
        time.sleep(0.1)


def _answers(folder: Folder, facts: Facts) -> bool:
    with contextlib.suppress(psycopg.OperationalError), connect(folder, facts, "postgres") as one:
        return one.execute("SELECT 1").fetchone() is not None
    return False
