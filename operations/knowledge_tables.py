"""The tables of the knowledge base: which of them go back with a restore, and what hangs on them.

Those of a restore lie in a schema of their own beside the live ones. It carries what is needed to hang the rest of the
database on them: `links` (which rows outside named which document) and `people` (whose names their rows bear).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection, models
from psycopg import sql

from knowledge.models import Trial, UnansweredQuestion
from operations import databases, postgres

Connection = psycopg.Connection[Any]
LINKS, PEOPLE = "links", "people"
# What people asked is theirs, and what staff tried is of the moment: neither goes back in time.
STAYING = (UnansweredQuestion, Trial)
ACCOUNTS = User._meta.db_table
# All that is needed to name somebody whose account was deleted since.
NAME_OF_A_PERSON = ("id", "username", "first_name", "last_name", "date_joined")
_CROSSING = """
    SELECT k.conname, child.relname, parent.relname, a.attname, regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '')
    FROM pg_constraint k JOIN pg_class child ON child.oid = k.conrelid JOIN pg_class parent ON parent.oid = k.confrelid
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.contype = 'f' AND child.relnamespace = 'public'::regnamespace
      AND (child.relname = ANY(%(tables)s)) <> (parent.relname = ANY(%(tables)s))
    ORDER BY child.relname, k.conname
"""
_UNDER_WAY = (
    (
        "SELECT 1 FROM public.knowledge_import WHERE status IN ('waiting', 'running')",
        "Documents are being imported. Wait until that has ended or cancel it under Imports, and go on then.",
    ),
    (
        "SELECT 1 FROM public.knowledge_embeddingindex WHERE status = 'building'",
        "The search index is being built anew. Wait until that has ended or cancel it under Embedding indexes, and go on then.",
    ),
)
_MIGRATIONS = "SELECT coalesce(string_agg(name, ' ' ORDER BY name), '') FROM public.django_migrations WHERE app = 'knowledge'"


class Crossing(NamedTuple):
    """A foreign key between the knowledge base and the rest; `definition` is what follows ADD CONSTRAINT and its name."""

    name: str
    table: str
    parent: str
    column: str
    definition: str


@dataclass(frozen=True)
class Link:
    """A column outside that names a row of the knowledge base. `kept`: it becomes empty where that row is gone; else the row
    that names it goes too, as the model says."""

    table: str
    key: str
    key_type: str
    column: str
    parent: str
    kept: bool

    def named(self, schema: str) -> dict[str, sql.Composable]:
        """For a statement about this column and the tables that lie in the schema."""
        return {
            "schema": sql.Identifier(schema),
            "links": sql.Identifier(schema, LINKS),
            "table": sql.Identifier(self.table),
            "parent": sql.Identifier(self.parent),
            "key": sql.Identifier(self.key),
            "column": sql.Identifier(self.column),
            "type": sql.SQL(self.key_type),
            "place": sql.Literal(self.table),
            "col": sql.Literal(self.column),
        }


def tables() -> list[str]:
    """Of everything that goes back: documents, passages, indexes, words, imports, golden questions, evaluations, histories."""
    found = apps.get_app_config("knowledge").get_models(include_auto_created=True)
    return sorted(model._meta.db_table for model in found if model not in STAYING)


def links() -> list[Link]:
    ours = set(tables())
    return [
        _link(model, field)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.db_table not in ours
        for field in model._meta.local_fields
        if isinstance(field, models.ForeignKey) and field.related_model._meta.db_table in ours
    ]


def _link(model: type[models.Model], field: models.ForeignKey[Any, Any]) -> Link:
    key = model._meta.pk
    assert key is not None
    kept, parent = field.remote_field.on_delete is models.SET_NULL, field.related_model._meta.db_table
    return Link(model._meta.db_table, str(key.column), str(key.rel_db_type(connection)), field.column, parent, kept)


def exists(name: str) -> bool:
    with databases.connect(postgres.live().database) as one:
        return is_in(one, name)


def is_in(one: Connection, name: str) -> bool:
    return one.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [name]).fetchone() is not None


def names(*prefixes: str) -> list[str]:
    with databases.connect(postgres.live().database) as one:
        patterns = [[f"{each}%" for each in prefixes]]
        return [row[0] for row in one.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE ANY(%s) ORDER BY 1", patterns)]


def drop(name: str) -> None:
    with databases.connect(postgres.live().database) as one:
        one.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def under_way() -> str:
    """A sentence where somebody writes to the knowledge base for longer than a moment; "" when nobody does."""
    with databases.connect(postgres.live().database) as one:
        return under_way_in(one)


def under_way_in(one: Connection) -> str:
    return next((told for question, told in _UNDER_WAY if one.execute(question).fetchone()), "")


def migrations(one: Connection) -> str:
    """Those of the knowledge base that were applied here: what a set of its tables fits."""
    row = one.execute(_MIGRATIONS).fetchone()
    return str(row[0]) if row else ""


def say_what_it_fits(one: Connection, schema: str, *, said: str) -> None:
    one.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(said)))


def fits(one: Connection, schema: str) -> bool:
    """Whether the tables in the schema are those of the release that runs here."""
    said = one.execute("SELECT obj_description(%s::regnamespace)", [schema]).fetchone()
    return said is not None and said[0] == migrations(one)


def crossing(one: Connection) -> list[Crossing]:
    """From the live tables to the rest, and from the rest to them."""
    return [Crossing(*row) for row in one.execute(_CROSSING, {"tables": tables()})]


def keep_people(one: Connection, *, into: str, keys: list[Crossing]) -> None:
    """The names of those whom rows of the live tables name, in the schema `into`."""
    asked = sql.SQL(" UNION ").join(
        sql.SQL("SELECT {} FROM public.{}").format(sql.Identifier(key.column), sql.Identifier(key.table))
        for key in keys
        if key.parent == ACCOUNTS
    )
    one.execute(
        sql.SQL("CREATE TABLE {} AS SELECT {} FROM public.{} WHERE id IN ({})").format(
            sql.Identifier(into, PEOPLE),
            sql.SQL(", ").join(map(sql.Identifier, NAME_OF_A_PERSON)),
            sql.Identifier(ACCOUNTS),
            asked,
        )
    )


def make_links(one: Connection, schema: str) -> None:
    one.execute(sql.SQL("CREATE TABLE {} (place text, col text, key text, value uuid)").format(sql.Identifier(schema, LINKS)))
