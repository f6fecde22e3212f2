"""What a database holds, by table, so that a restored copy can be laid beside the one it came from."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

Counts = dict[str, dict[str, Any]]
# What a restore lays beside what is live, and what it keeps of it: databases, or schemas with the knowledge base alone.
BESIDE = ("jeevo_restore_", "jeevo_before_")
# Made from backups, and no part of one.
WITHOUT_BESIDE = tuple(f"--exclude-schema={each}*" for each in BESIDE)

_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p') ORDER BY c.relname
"""
# Order does not matter to a sum, so no table has to be sorted.
_DEEP = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {table} t"
_FLAT = "SELECT count(*) FROM {table}"


def counted(connection: psycopg.Connection[Any], *, deep: bool, schema: str = "public") -> Counts:
    """Rows of each table of a schema; with `deep` also a sum over the hash of every row: about a second for 400 MB."""
    # What a row looks like as text must not depend on who asks.
    for name, value in (("TimeZone", "UTC"), ("DateStyle", "ISO"), ("extra_float_digits", "1"), ("bytea_output", "hex")):
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    tables = [row[0] for row in connection.execute(_TABLES, [schema]).fetchall()]
    return {table: _one(connection, sql.Identifier(schema, table), deep=deep) for table in tables}


def _one(connection: psycopg.Connection[Any], table: sql.Identifier, *, deep: bool) -> dict[str, Any]:
    statement = sql.SQL(_DEEP if deep else _FLAT).format(table=table)
    row = connection.execute(statement).fetchone()
    assert row is not None
    return {"rows": row[0], "hash": row[1]} if deep else {"rows": row[0]}


def changes(live: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> dict[str, dict[str, int]]:
    """Rows by table where they differ: `now` of the live database, `then` of the other."""
    before, after = counted(live, deep=False), counted(other, deep=False)
    tables = sorted(before.keys() | after.keys())
    pairs = {table: (before.get(table, {"rows": 0})["rows"], after.get(table, {"rows": 0})["rows"]) for table in tables}
    return {table: {"now": now, "then": then} for table, (now, then) in pairs.items() if now != then}


def differences(expected: Counts, found: Counts) -> list[str]:
    """One sentence for each table that is not what it should be."""
    told = [f"{table} is missing" for table in expected.keys() - found.keys()]
    told += [f"{table} was not there before" for table in found.keys() - expected.keys()]
    for table in expected.keys() & found.keys():
        was, now = expected[table], found[table]
        if was["rows"] != now["rows"]:
            told.append(f"{table} has {now['rows']:,} rows in place of {was['rows']:,}")
        elif was.get("hash") != now.get("hash"):
            told.append(f"{table} has other contents")
    return sorted(told)


def between(before: Counts, after: Counts, found: Counts) -> list[str]:
    """The same for a copy made while people wrote: tables that rested must be equal, the others lie near what they were."""
    told = differences(
        {t: v for t, v in before.items() if after.get(t) == v}, {t: found[t] for t in found if after.get(t) == before.get(t)}
    )
    for table in before.keys() & after.keys() & found.keys():
        least, most = sorted((before[table]["rows"], after[table]["rows"]))
        slack = max(1000, (most - least) * 2)
        if not least - slack <= found[table]["rows"] <= most + slack:
            told.append(f"{table} has {found[table]['rows']:,} rows in place of {least:,} to {most:,}")
    return told
