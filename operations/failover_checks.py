"""What is looked at before and after a standby takes its primary's place: is the primary truly away, and is all here?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from operations import checkpoints
from operations.drill_compare import SHARE, SLACK
from operations.phrases import count
from operations.preflight import rows
from operations.standby_folder import Facts, Folder
from operations.standby_server import OTHER_COLLATIONS, connect

CONNECT_SECONDS = 4
# Whoever keeps a server running starts it again within seconds.
LOOKS, PAUSE_SECONDS = 3, 1.5
# Of the indexes, the ones that keep rows apart; a large one takes minutes.
INDEX_SECONDS, INDEX_BYTES = 60.0, 500_000_000
_FAR = (
    "timeout expired",
    "No route to host",
    "Network is unreachable",
    "could not translate",
    "Name or service",
    "failed to resolve",
)
_INDEXES = """
    SELECT i.indexrelid::regclass::text, i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indisunique AND i.indisvalid AND a.amname = 'btree' AND n.nspname = 'public' AND pg_relation_size(c.oid) < %s
    ORDER BY pg_relation_size(c.oid)
"""
# An index may have outlived the rows that it names.
_FROM_THE_ROWS = ("enable_indexonlyscan", "enable_indexscan", "enable_bitmapscan")


class Verdict(StrEnum):
    ANSWERS = "answers"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Primary:
    verdict: Verdict
    said: str


@dataclass(frozen=True)
class Check:
    good: bool
    said: str


def primary(folder: Folder, facts: Facts, *, pause: Callable[[float], None] = time.sleep) -> Primary:
    """Stopped only when it was refused each time: what cannot be reached may be there for everybody else."""
    found = _asked(folder, facts)
    for _ in range(LOOKS - 1):
        if found.verdict is not Verdict.STOPPED:
            break
        pause(PAUSE_SECONDS)
        found = _asked(folder, facts)
    return found


def _asked(folder: Folder, facts: Facts) -> Primary:
    given: dict[str, Any] = {**facts.connection, "dbname": facts.database, "password": folder.password()}
    try:
        with psycopg.connect(**given, connect_timeout=CONNECT_SECONDS, application_name="failover") as one:
            row = one.execute("SELECT pg_is_in_recovery()").fetchone()
    except psycopg.OperationalError as error:
        return _judged(str(error))
    if row is not None and row[0]:
        return Primary(Verdict.ANSWERS, "The primary answers, and is itself a standby of another server now.")
    return Primary(Verdict.ANSWERS, "The primary answers and takes writes.")


def _judged(error: str) -> Primary:
    if not any(words in error for words in ("FATAL", "server closed", "SSL")):
        if any(words in error for words in _FAR):
            said = "The primary cannot be reached from here. It may be gone, or the network between may be."
            return Primary(Verdict.UNKNOWN, said)
        if "Connection refused" in error or "No such file" in error:
            return Primary(Verdict.STOPPED, "Where the primary was, no server listens.")
    return Primary(Verdict.ANSWERS, "Something answers where the primary was, and lets nobody work now; it may come back.")


def data(folder: Folder, facts: Facts) -> Iterator[Check]:
    """The promoted database by itself: what was last counted of the primary, its pages, the indexes that keep rows apart."""
    with connect(folder, facts) as one:
        for name in _FROM_THE_ROWS:
            one.execute(sql.SQL("SET {} = off").format(sql.Identifier(name)))
        yield _counted(one)
        yield _migrated(one)
        yield _ordered(one)
    with connect(folder, facts) as one:
        yield _indexed(one)


def _counted(one: psycopg.Connection[Any]) -> Check:
    cursor = one.cursor()
    cursor.execute("SELECT at, tables FROM operations_checkpoint WHERE tables <> '{}' ORDER BY number DESC LIMIT 1")
    row = cursor.fetchone()
    if row is None:
        return Check(
            True, "The primary was never counted, so there is nothing to compare with; look at the latest conversations."
        )
    at, was = row
    now = checkpoints.counted(cursor, at=at)
    told = [line for table in was for line in _differs(table, was[table], now.get(table), cursor)]
    if told:
        more = f", and {len(told) - 3} more" if len(told) > 3 else ""
        return Check(False, f"Beside the count of {at:%H:%M:%S} UTC: {'; '.join(told[:3])}{more}.")
    return Check(True, f"{len(was)} tables hold what was counted of the primary at {at:%Y-%m-%d %H:%M:%S} UTC.")


def _differs(table: str, was: dict[str, Any], now: dict[str, Any] | None, cursor: Any) -> list[str]:
    if now is None:
        return [f"{table} is missing"]
    if "number" in was:
        there = checkpoints.again(cursor, table, was)["number"]
        return [f"{table} has {there:,} rows in place of {was['number']:,}"] if there < was["number"] else []
    if was.get("some") or was.get("rows"):
        if not (now.get("some") or now.get("rows")):
            return [f"{table} is empty"]
        if "rows" in was and "rows" in now and now["rows"] < was["rows"] - max(SLACK, int(was["rows"] * SHARE)):
            return [f"{table} has {now['rows']:,} rows in place of {was['rows']:,}"]
    return []


def _migrated(one: psycopg.Connection[Any]) -> Check:
    """The tables must be those of the release that is to work with them."""
    applied = set(one.execute("SELECT app, name FROM django_migrations").fetchall())
    loader = MigrationLoader(None)
    missing = set(loader.graph.nodes) - applied
    newer = {key for key in applied - set(loader.disk_migrations) if key[0] in rows.OURS}
    if newer:
        return Check(False, "The tables are of a newer release than the program on this machine: install that release first.")
    if missing:
        number = count(len(missing), "change", "changes")
        return Check(True, f"The tables lack {number} of this release, which the next start makes.")
    return Check(True, "The tables are those of this release.")


def _ordered(one: psycopg.Connection[Any]) -> Check:
    if one.execute(OTHER_COLLATIONS).fetchone():
        return Check(False, "This machine orders text otherwise than the primary did: run REINDEX DATABASE before it is used.")
    return Check(True, "Text is ordered as it was.")


def _indexed(one: psycopg.Connection[Any]) -> Check:
    """By PostgreSQL's own amcheck, where the server has it; nothing of it stays in the database."""
    if one.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'").fetchone() is None:
        sums = one.execute("SELECT current_setting('data_checksums')").fetchone() == ("on",)
        also = "the pages that were read for the counts had the right checksums" if sums else "its pages have no checksums"
        return Check(True, f"The indexes were not checked, as this server has no amcheck; {also}.")
    until, done = time.monotonic() + INDEX_SECONDS, 0
    found = one.execute(_INDEXES, [INDEX_BYTES]).fetchall()
    try:
        with one.transaction(force_rollback=True):
            one.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
            for _, key in found:
                if time.monotonic() > until:
                    break
                one.execute("SELECT bt_index_check(%s::oid::regclass)", [key])
                done += 1
    except psycopg.errors.IndexCorrupted:
        return Check(False, f"The index {found[done][0]} is damaged: rebuild it with REINDEX INDEX before it is used.")
    return Check(True, f"{done} of {len(found)} indexes that keep rows apart are whole.")
