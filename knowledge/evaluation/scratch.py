"""A database of its own for evaluations, beside the main one on the same server.

What is loaded for a measurement is published there and nowhere else: the program that answers people never
connects to it. It is kept, because embedding a large corpus takes minutes, and found again by its name.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, ProgrammingError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

PREFIX = "jeevo_scratch_"
_KNOWLEDGE = Path(__file__).resolve().parent.parent
# What a passage, its vector and its words come from. Ranking is not among them: it needs no new vectors.
_MAKERS = ("chunking", "chunk_rows", "embeddings", "encoder", "indexing")


class NotPossible(Exception):
    """The scratch database cannot be made or used; the message is for the person at the terminal."""


def name_for(*, corpus: str, model: str) -> str:
    """The name for these answers and this model: six digits for what is measured, six for the code that makes passages."""
    measured = hashlib.sha256(f"{_main_name()}\0{corpus}\0{model}".encode()).hexdigest()
    return f"{PREFIX}{measured[:6]}{code_version()[:6]}"


def code_version() -> str:
    """A hash of the code that turns a text into passages. Comments and layout do not change it."""
    return _version(_KNOWLEDGE / f"{module}.py" for module in _MAKERS)


def program_version() -> str:
    """The same of everything that has a part in finding a passage."""
    return _version(sorted(_KNOWLEDGE.glob("*.py")))[:12]


def _version(files: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for file in files:
        found.update(ast.dump(ast.parse(file.read_text(encoding="utf-8"))).encode())
    return found.hexdigest()


def _main_name() -> str:
    return str(settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"])


def exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return cursor.fetchone() is not None


def make(name: str) -> None:
    """Create the database where it is missing, and bring its tables up to date. Raises NotPossible."""
    if not exists(name):
        _may_create()
        _outside_a_transaction(f'CREATE DATABASE "{_safe(name)}"')
    try:
        with connected(name):
            call_command("migrate", verbosity=0, interactive=False)
    except ProgrammingError as error:
        drop(name)
        raise NotPossible(
            "The scratch database could not be set up, and was removed again: this database user may not install the "
            "extension “vector”. An administrator can do it once for new databases: CREATE EXTENSION vector in template1."
        ) from error


def _may_create() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolcreatedb OR rolsuper, current_user FROM pg_roles WHERE rolname = current_user")
        allowed, user = cursor.fetchone()
    if not allowed:
        raise NotPossible(
            f"The evaluation needs a scratch database, and the database user {user} may not create one. "
            f"Nothing was changed. An administrator can allow it: ALTER ROLE {user} CREATEDB"
        )


def drop(name: str) -> bool:
    """Remove it; False where somebody is connected to it."""
    try:
        _outside_a_transaction(f'DROP DATABASE IF EXISTS "{_safe(name)}"')
    except DatabaseError:
        return False
    return True


def drop_outdated(name: str) -> list[str]:
    """Remove the databases of the same answers and model that older code made: each takes as much room as this one."""
    with connection.cursor() as cursor:
        beginning = name[: len(PREFIX) + 6].replace("_", r"\_")
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s AND datname <> %s", [f"{beginning}%", name])
        found = [row[0] for row in cursor.fetchall()]
    return [each for each in found if drop(each)]


@contextmanager
def connected(name: str) -> Iterator[None]:
    """Everything in this thread works on the scratch database until the end; the main connection waits as it is."""
    main, other = connections[DEFAULT_DB_ALIAS], _copy(_safe(name))
    # Rows of content types have other keys there, and Django remembers them by alias.
    ContentType.objects.clear_cache()
    connections[DEFAULT_DB_ALIAS] = other
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = main
        other.close()
        ContentType.objects.clear_cache()


def _copy(name: str | None = None) -> BaseDatabaseWrapper:
    copy: BaseDatabaseWrapper = connections[DEFAULT_DB_ALIAS].copy()
    copy.settings_dict["OPTIONS"].pop("pool", None)
    if name is not None:
        copy.settings_dict["NAME"] = name
    return copy


def _outside_a_transaction(statement: str) -> None:
    """PostgreSQL creates and drops databases outside transactions only."""
    own = _copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', '0', false)")
            cursor.execute(statement)
    finally:
        own.close()


def _safe(name: str) -> str:
    if not name.startswith(PREFIX) or not name.replace("_", "").isalnum():
        raise ValueError("this is not the name of a scratch database")
    return name
