"""From a restored database into a schema beside the live tables: the knowledge base alone, with its indexes, compared.

PostgreSQL's own pg_dump and pg_restore do the carrying, so that indexes, sequences and the storage of columns come as they
are in a release. Nothing live is touched.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import sql

from knowledge.models import EmbeddingIndex, Import, ImportItem
from operations import contents, databases, knowledge_tables, lifting, postgres
from operations.knowledge_tables import Connection, Link

Changes = dict[str, dict[str, int]]
# Most of the time goes into the graph of the vectors, which takes many times as long where it does not fit.
BUILD_OPTIONS = "-c maintenance_work_mem=1GB -c statement_timeout=0"
CUT_OFF = "It was under way at the instant that was restored. Bring the files again if they are still wanted."
_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = %s::regnamespace AND c.relname = ANY(%s)
      AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2
"""
# So that they do again where what they named comes back.
_LINKS_OF_THEN = """
    INSERT INTO {links} SELECT {place}, {col}, {key}::text, {column} FROM public.{table} WHERE {column} IS NOT NULL
"""
_ALIKE = """
    SELECT count(n.key), count(t.key), count(*) FILTER (WHERE n.key IS NULL), count(*) FILTER (WHERE t.key IS NULL),
           count(*) FILTER (WHERE n.hash <> t.hash)
    FROM (SELECT x.{key} AS key, hashtextextended(x::text, 0) AS hash FROM public.{table} x) n
    FULL JOIN (SELECT x.{key} AS key, hashtextextended(x::text, 0) AS hash FROM {schema}.{table} x) t USING (key)
"""
_UNLINKED = """
    SELECT count(*) FROM public.{table} o WHERE o.{column} IS NOT NULL
      AND NOT EXISTS (SELECT FROM {schema}.{parent} p WHERE p.id = o.{column})
"""
_LINKED = """
    SELECT count(*) FROM {links} l JOIN public.{table} o ON o.{key} = l.key::{type}
    WHERE l.place = {place} AND l.col = {col} AND o.{column} IS NULL
      AND EXISTS (SELECT FROM {schema}.{parent} p WHERE p.id = l.value)
"""


def lay_beside(database: str, *, schema: str, now: datetime) -> dict[str, Any]:
    """The tables of the knowledge base in `database` into `schema` of the live one. Safe to repeat after a kill.

    Raises lifting.NotTheSame where a table or a row is not what it was there, or not what this release expects."""
    with databases.connect(database) as source:
        if not knowledge_tables.is_in(source, schema):
            _set_apart(source, schema)
        knowledge_tables.drop(schema)
        _carry(database, schema)
        with databases.connect(postgres.live().database) as live:
            _compare(source, live, schema)
            _stop_what_was_under_way(live, schema, now=now)
            knowledge_tables.say_what_it_fits(live, schema, said=knowledge_tables.migrations(source))
            for table in knowledge_tables.tables():
                live.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))
            found = contents.counted(live, deep=False, schema=schema)
    return {"rows": sum(found[table]["rows"] for table in knowledge_tables.tables())}


def _set_apart(source: Connection, schema: str) -> None:
    """In the restored database: the tables in a schema of their own, with nothing that leads out of it."""
    ours = knowledge_tables.tables()
    with source.transaction():
        keys = knowledge_tables.crossing(source)
        outwards = [key for key in keys if key.table in ours]
        if others := {key.parent for key in outwards} - {knowledge_tables.ACCOUNTS}:
            raise lifting.NotTheSame(f"The knowledge base names rows of {min(others)}, which do not go back with it.")
        source.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        knowledge_tables.keep_people(source, into=schema, keys=outwards)
        knowledge_tables.make_links(source, schema)
        for link in knowledge_tables.links():
            if link.kept:
                source.execute(sql.SQL(_LINKS_OF_THEN).format(**link.named(schema)))
        for key in keys:
            table, name = sql.Identifier(key.table), sql.Identifier(key.name)
            source.execute(sql.SQL("ALTER TABLE public.{} DROP CONSTRAINT {}").format(table, name))
        for each in ours:
            table, name = sql.Identifier(each), sql.Identifier(schema)
            source.execute(sql.SQL("ALTER TABLE public.{} SET SCHEMA {}").format(table, name))


def _carry(database: str, schema: str) -> None:
    server, major = postgres.live(), postgres.server_major()
    there = server.variables | {"PGDATABASE": database}
    here = server.variables | {"PGOPTIONS": BUILD_OPTIONS}
    with postgres.scratch(f"knowledge-{schema}") as place:
        folder = place / "knowledge"
        kind = ("--format=directory", f"--jobs={lifting.JOBS}", "--no-owner", "--no-privileges")
        dump = ("--compress=none", "--no-sync", f"--schema={schema}", f"--file={folder}")
        postgres.run("pg_dump", *kind, *dump, major=major, variables=there)
        load = ("--exit-on-error", f"--dbname={server.database}", str(folder))
        postgres.run("pg_restore", *kind, *load, major=major, variables=here)


def _compare(source: Connection, live: Connection, schema: str) -> None:
    expected, found = (contents.counted(each, deep=True, schema=schema) for each in (source, live))
    if told := contents.differences(expected, found):
        raise lifting.NotTheSame(f"The lifted copy differs: {'; '.join(told[:3])}.")
    tables = knowledge_tables.tables()
    here, beside = (live.execute(_COLUMNS, [each, tables]).fetchall() for each in ("public", schema))
    if other := set(here) ^ set(beside):
        raise lifting.NotTheSame(f"The table {min(row[0] for row in other)} was another one then than it is now.")


def _stop_what_was_under_way(live: Connection, schema: str, *, now: datetime) -> None:
    """An import of that time must not go on by itself, and a search index that was being built waits for somebody."""
    ended = "SET status = 'cancelled', reason = %(why)s, finished_at = %(now)s WHERE status IN ('waiting', 'running')"
    paused = "SET status = 'paused', heartbeat_at = NULL WHERE status = 'building'"
    for model, change in ((ImportItem, ended), (Import, ended), (EmbeddingIndex, paused)):
        table = sql.Identifier(schema, model._meta.db_table)
        live.execute(sql.SQL("UPDATE {} " + change).format(table), {"why": CUT_OFF, "now": now})


def what_would_change(schema: str) -> Changes:
    """By table, where anything differs: rows now and then, and how many come back, are lost or go back to what they were;
    and how many rows outside lose or get back the document they name."""
    with databases.connect(postgres.live().database) as one:
        found = {table: _alike(one, table, schema) for table in knowledge_tables.tables()}
        for link in knowledge_tables.links():
            if link.kept:
                known = found.setdefault(link.table, {"unlinked": 0, "linked": 0})
                unlinked, linked = _outside(one, link, schema)
                found[link.table] = {"unlinked": known["unlinked"] + unlinked, "linked": known["linked"] + linked}
    return {table: each for table, each in found.items() if any(each[word] for word in each.keys() - {"now", "then"})}


def _alike(one: Connection, table: str, schema: str) -> dict[str, int]:
    key = one.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " WHERE i.indrelid = ('public.' || quote_ident(%s))::regclass AND i.indisprimary",
        [table],
    ).fetchone()
    assert key is not None
    names = {"key": sql.Identifier(key[0]), "table": sql.Identifier(table), "schema": sql.Identifier(schema)}
    row = one.execute(sql.SQL(_ALIKE).format(**names)).fetchone()
    assert row is not None
    return dict(zip(("now", "then", "back", "lost", "changed"), row, strict=True))


def _outside(one: Connection, link: Link, schema: str) -> tuple[int, int]:
    names = link.named(schema)
    counts = [one.execute(sql.SQL(each).format(**names)).fetchone() for each in (_UNLINKED, _LINKED)]
    unlinked, linked = (int(row[0]) if row else 0 for row in counts)
    return unlinked, linked
