"""Whole databases of the live server: made, laid beside one another, exchanged by name, dropped.

Two renames in one transaction are all or nothing. The name that is live changes its database and nothing else: the
server, its log and whoever receives it go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from operations import postgres

MAINTENANCE = "postgres"
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
# The server's own workers are not ours to end: renaming waits for them, and sends autovacuum away by itself.
_END = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = ANY(%s) AND pid NOT IN (pg_backend_pid(), %s) AND backend_type = 'client backend'
"""


class NotExchanged(Exception):
    """One sentence: why the databases stand as they stood."""


def connect(database: str) -> psycopg.Connection[Any]:
    server = postgres.live()
    return psycopg.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=database,
        application_name="restore",
        connect_timeout=10,
        autocommit=True,
    )


@contextmanager
def maintenance() -> Iterator[psycopg.Connection[Any]]:
    """A connection that no exchange of databases ends."""
    with connect(MAINTENANCE) as one:
        yield one


def exists(name: str) -> bool:
    with maintenance() as one:
        return one.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None


def create(name: str) -> None:
    """Empty, with the vector extension, which the server's template brings or a role that may adds."""
    with maintenance() as one:
        one.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template1").format(_known(name)))
    with connect(name) as one:
        one.execute("CREATE EXTENSION IF NOT EXISTS vector")


def drop(name: str) -> None:
    with maintenance() as one:
        one.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_known(name)))


def exchange(*, live: str, incoming: str, outgoing: str) -> None:
    """`incoming` takes the name `live`, and what had it is called `outgoing`. Connections to both are ended first, and none
    is let in meanwhile."""
    with maintenance() as one:
        if one.execute("SELECT 1 FROM pg_database WHERE datname = %s", [outgoing]).fetchone():
            raise NotExchanged(f"A database named {outgoing} is in the way.")
        _close(one, live, allowed=False)
        try:
            _close(one, incoming, allowed=False)
            one.execute("SELECT pg_sleep(0.05)")
            one.execute(_END, [[live, incoming], 0])
            with one.transaction():
                one.execute("SET LOCAL lock_timeout = '5s'")
                one.execute(_rename(live, outgoing))
                one.execute(_rename(incoming, live))
        except psycopg.Error as error:
            raise NotExchanged("The server did not let the databases change their names; nothing was changed.") from error
        finally:
            for name in (live, incoming, outgoing):
                _close(one, name, allowed=True)


@contextmanager
def closed(live: str, *, but: psycopg.Connection[Any]) -> Iterator[None]:
    """Nobody but this connection works in the database, and nobody new is let in, until the block ends. If it ends badly
    people are let in again; if well, whoever exchanges the databases lets them in."""
    with maintenance() as one:
        try:
            one.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false").format(_known(live)))
            one.execute(_END, [[live], but.info.backend_pid])
            yield
        except BaseException:
            one.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(_known(live)))
            raise


def let_in(name: str) -> bool:
    """People may connect again, after a process died while nobody could. False when they could all along."""
    with maintenance() as one:
        row = one.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [name]).fetchone()
        if row is None or row[0]:
            return False
        _close(one, name, allowed=True)
        return True


def names(*prefixes: str) -> list[str]:
    with maintenance() as one:
        found = one.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE ANY(%s) ORDER BY 1", [[f"{each}%" for each in prefixes]]
        )
        return [row[0] for row in found.fetchall()]


def _close(one: psycopg.Connection[Any], name: str, *, allowed: bool) -> None:
    if one.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        word = sql.SQL("true" if allowed else "false")
        one.execute(sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}").format(_known(name), word))
        if not allowed:
            one.execute(_END, [[name], 0])


def _rename(old: str, new: str) -> sql.Composed:
    return sql.SQL("ALTER DATABASE {} RENAME TO {}").format(_known(old), _known(new))


def _known(name: str) -> sql.Identifier:
    if not _NAME.match(name):
        raise ValueError(name)
    return sql.Identifier(name)
