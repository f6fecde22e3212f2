"""The tables of the knowledge base exchanged for others of the same names, in one short transaction.

What was live moves into a schema of its own, and what lay in another takes its place. Indexes, sequences and the storage of
columns move with their table. Foreign keys from and to the rest are made anew without a look at the rows, and looked at when
nobody waits any more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled

from operations import databases, knowledge_tables, postgres
from operations.knowledge_tables import LINKS, PEOPLE, Connection, Crossing

# A search waits behind us while we wait, so we wait for less than a second and stand aside in between. Shorter than the
# server's own look for deadlocks, so that never a person's transaction is the one that is ended.
LOCK_TIMEOUT, TRIES, PAUSE_SECONDS = "800ms", 12, 1.0
# For a vacuum or the making of an index to end. The server ends its own vacuum for us after a second of waiting.
QUIET_TIMEOUT = "30s"
BUSY = (
    "The tables of the knowledge base were in use for too long, perhaps by a backup or a large import, so nothing was changed. "
    "Ask for it again when that is over."
)
OTHER_RELEASE = "The tables of the knowledge base have changed with another release since then, so they were not exchanged."
# Of rows outside: those that lost their document since then, and get it back.
_TO_MEND = """
    INSERT INTO mended SELECT l.place, l.col, l.key, l.value FROM {links} l JOIN public.{table} t ON t.{key} = l.key::{type}
    WHERE l.place = {place} AND l.col = {col} AND t.{column} IS NULL
"""
_MEND = """
    UPDATE public.{table} t SET {column} = m.value FROM mended m WHERE m.place = {place} AND m.col = {col}
      AND t.{key} = m.key::{type} AND t.{column} IS NULL AND EXISTS (SELECT FROM public.{parent} p WHERE p.id = m.value)
"""
# Those whose document is not there any more.
_GONE = "SELECT g.id FROM {schema}.{parent} g WHERE NOT EXISTS (SELECT FROM public.{parent} p WHERE p.id = g.id)"
_REMEMBER = """
    INSERT INTO {links} SELECT {place}, {col}, {key}::text, {column} FROM public.{table} WHERE {column} IN ({gone})
"""
_UNLINK = "UPDATE public.{table} SET {column} = NULL WHERE {column} IN ({gone})"
_REMOVE = "DELETE FROM public.{table} WHERE {column} IN ({gone})"
# Accounts are switched off and not deleted here; one that was deleted all the same is needed by name, and can do nothing.
_PEOPLE_BACK = """
    INSERT INTO public.auth_user (id, username, first_name, last_name, date_joined, email, password, is_active, is_staff,
                                  is_superuser)
    SELECT p.id, CASE WHEN EXISTS (SELECT FROM public.auth_user u WHERE u.username = p.username)
           THEN left(p.username, 120) || '-' || p.id ELSE p.username END,
           p.first_name, p.last_name, p.date_joined, '', '!', false, false, false
    FROM {people} p WHERE NOT EXISTS (SELECT FROM public.auth_user u WHERE u.id = p.id)
"""
_ADVANCE = """
    SELECT setval(format('public.%%I', b.sequencename)::regclass, greatest(b.last_value, coalesce(n.last_value, 1)))
    FROM pg_sequences b JOIN pg_sequences n ON n.sequencename = b.sequencename AND n.schemaname = 'public'
    WHERE b.schemaname = %s AND b.last_value IS NOT NULL
"""
# Whoever keeps words of titles in memory reads them anew.
_COUNTED = "UPDATE public.knowledge_embeddingindex SET counted_at = clock_timestamp() WHERE status = 'active'"
_NOT_LOOKED_AT = """
    SELECT conrelid::regclass::text, conname FROM pg_constraint
    WHERE contype = 'f' AND NOT convalidated AND connamespace = 'public'::regnamespace ORDER BY 1, 2
"""


def exchange(*, incoming: str, outgoing: str) -> dict[str, Any]:
    """The tables in the schema `incoming` become live, and those that were move to `outgoing`; `locked_ms` is how long
    somebody who searched can have waited. Raises databases.NotExchanged with nothing changed."""
    with databases.connect(postgres.live().database) as one:
        try:
            return {"locked_ms": _Exchange(one, incoming, outgoing).make()}
        except (LockNotAvailable, DeadlockDetected, QueryCanceled) as error:
            raise databases.NotExchanged(BUSY) from error


def settle() -> None:
    """Look at the foreign keys that an exchange made anew. Nobody has to wait for it."""
    with databases.connect(postgres.live().database) as one:
        for table, name in one.execute(_NOT_LOOKED_AT).fetchall():
            # The server gave the table's name with its quotes.
            one.execute(sql.SQL("ALTER TABLE " + table + " VALIDATE CONSTRAINT {}").format(sql.Identifier(name)))


@dataclass(frozen=True)
class _Exchange:
    one: Connection
    incoming: str
    outgoing: str

    def make(self) -> int:
        """Milliseconds from asking for the locks until they were let go."""
        self._note_what_to_mend()
        with self.one.transaction():
            self.one.execute("SET LOCAL statement_timeout = '60s'")
            self.one.execute("SET CONSTRAINTS ALL IMMEDIATE")
            # These two are in nobody's way who reads or writes, and keep vacuums out, which would let us wait for minutes.
            self._lock(self.incoming, knowledge_tables.tables(), "ACCESS EXCLUSIVE", timeout=QUIET_TIMEOUT)
            keys = self._lock_live("SHARE UPDATE EXCLUSIVE", timeout=QUIET_TIMEOUT)
            began = self._locked_for_all()
            self._check()
            for key in keys:
                self._run("ALTER TABLE public.{} DROP CONSTRAINT {}", key.table, key.name)
            self._change_places(keys)
            for key in keys:
                self._run("ALTER TABLE public.{} ADD CONSTRAINT {} " + key.definition + " NOT VALID", key.table, key.name)
        return round((time.monotonic() - began) * 1000)

    def _locked_for_all(self) -> float:
        """When we began to wait for the locks that we got in the end."""
        for _ in range(TRIES - 1):
            began = time.monotonic()
            try:
                with self.one.transaction():
                    self._lock_live("ACCESS EXCLUSIVE", timeout=LOCK_TIMEOUT)
                return began
            except (LockNotAvailable, DeadlockDetected):
                time.sleep(PAUSE_SECONDS)
        began = time.monotonic()
        self._lock_live("ACCESS EXCLUSIVE", timeout=LOCK_TIMEOUT)
        return began

    def _note_what_to_mend(self) -> None:
        """Before anybody has to wait."""
        self.one.execute("CREATE TEMP TABLE IF NOT EXISTS mended (place text, col text, key text, value uuid)")
        self.one.execute("TRUNCATE mended")
        self._each_link(_TO_MEND, self.incoming)

    def _each_link(self, statement: str, schema: str, *, kept: bool = True) -> None:
        for link in knowledge_tables.links():
            if link.kept == kept:
                named = link.named(schema)
                self.one.execute(sql.SQL(statement).format(**named, gone=sql.SQL(_GONE).format(**named)))

    def _lock_live(self, mode: str, *, timeout: str) -> list[Crossing]:
        """Of the tables and of those that hang on them; what holds them together."""
        keys = knowledge_tables.crossing(self.one)
        listed = {*knowledge_tables.tables(), *(key.table for key in keys), *(key.parent for key in keys)}
        self._lock("public", sorted(listed), mode, timeout=timeout)
        return keys

    def _lock(self, schema: str, tables: Sequence[str], mode: str, *, timeout: str) -> None:
        names = sql.SQL(", ").join(sql.Identifier(schema, each) for each in tables)
        self.one.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(timeout))
        self.one.execute(sql.SQL("LOCK TABLE {} IN " + mode + " MODE").format(names))

    def _check(self) -> None:
        if told := knowledge_tables.under_way_in(self.one):
            raise databases.NotExchanged(told)
        if not knowledge_tables.fits(self.one, self.incoming):
            raise databases.NotExchanged(OTHER_RELEASE)

    def _change_places(self, keys: list[Crossing]) -> None:
        self._run("CREATE SCHEMA {}", self.outgoing)
        knowledge_tables.say_what_it_fits(self.one, self.outgoing, said=knowledge_tables.migrations(self.one))
        knowledge_tables.keep_people(self.one, into=self.outgoing, keys=keys)
        self.one.execute(sql.SQL(_PEOPLE_BACK).format(people=sql.Identifier(self.incoming, PEOPLE)))
        for table in knowledge_tables.tables():
            self._run("ALTER TABLE public.{} SET SCHEMA {}", table, self.outgoing)
            self._run("ALTER TABLE {}.{} SET SCHEMA public", self.incoming, table)
        knowledge_tables.make_links(self.one, self.outgoing)
        self._each_link(_REMEMBER, self.outgoing)
        self._each_link(_UNLINK, self.outgoing)
        self._each_link(_REMOVE, self.outgoing, kept=False)
        self._each_link(_MEND, self.outgoing)
        # No key is given twice: a sequence goes on where the one before it stood.
        self.one.execute(_ADVANCE, [self.outgoing])
        self.one.execute(_COUNTED)
        for table in (LINKS, PEOPLE):
            self._run("DROP TABLE {}.{}", self.incoming, table)
        # Refused where anything is left in it.
        self._run("DROP SCHEMA {}", self.incoming)

    def _run(self, statement: str, *named: str) -> None:
        self.one.execute(sql.SQL(statement).format(*map(sql.Identifier, named)))
