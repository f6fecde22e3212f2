"""What is in the database: this release's tables, words our keys open, passages to answer from, and a watcher that lives."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from jeevo.fields import unseal
from knowledge.models import Document
from operations import offsite_standing
from operations.phrases import count, lasted
from operations.preflight import Line, good, kit, standby

OURS = ("knowledge", "conversations", "operations")
_SEALED = "SELECT text FROM conversations_inboundmessage WHERE text IS NOT NULL ORDER BY id {direction} LIMIT 1"
_CONTACT = "SELECT phone FROM conversations_contact WHERE phone IS NOT NULL ORDER BY created_at LIMIT 1"
_INDEX = """
    SELECT e.model, e.id::text, coalesce(i.indisvalid, false)
    FROM knowledge_embeddingindex e
    LEFT JOIN pg_class c ON c.relname = 'chunk_embedding_' || right(replace(e.id::text, '-', ''), 12)
        AND pg_table_is_visible(c.oid)
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE e.status = 'active'
"""
_WAITING = "SELECT count(*) FROM knowledge_document WHERE status IN ('uploaded', 'indexing')"
_HEARTBEAT = "SELECT at, every_seconds FROM operations_heartbeat WHERE name = 'watcher'"


def lines(open_one: psycopg.Connection[Any], *, starting: bool) -> Iterator[Line]:
    there = tables(open_one)
    yield there
    if there.state == "breached":
        yield Line("Rows", "unknown", "Keys, articles and watcher were not looked at.", "They are, once the tables are there.")
        return
    yield keys(open_one)
    yield kit.line(open_one)
    yield from standby.lines(open_one)
    yield articles(open_one)
    yield vectors(open_one)
    if not starting:
        # Before that nobody has copied anything.
        yield copies()
        yield watcher(open_one.execute(_HEARTBEAT).fetchone(), now=datetime.now(UTC))


def copies() -> Line:
    """Whether what is backed up lies on another machine too."""
    found = offsite_standing.standing(now=datetime.now(UTC))
    return Line("Copies outside", found.state, found.said, found.remedy)


def tables(open_one: psycopg.Connection[Any]) -> Line:
    """Compared with the files of this release, without running any of them."""
    name, loader = "Tables", MigrationLoader(None)
    if open_one.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,):
        return Line(name, "breached", "The database is empty.", "Run `manage.py prepare`, which makes the tables.")
    applied = set(open_one.execute("SELECT app, name FROM django_migrations").fetchall())
    missing = sorted(set(loader.graph.nodes) - applied)
    newer = sorted(key for key in applied - set(loader.disk_migrations) if key[0] in OURS)
    if missing:
        which = ", ".join(f"{app} {step}" for app, step in missing[:3])
        said = (
            f"{count(len(missing), 'change', 'changes')} of this release {'is' if len(missing) == 1 else 'are'} missing: {which}."
        )
        return Line(name, "breached", said, "Run `manage.py prepare`, which makes them.")
    if newer:
        said = f"They are of a newer release than this program ({newer[-1][0]} {newer[-1][1]})."
        return Line(name, "at_risk", said, "Start the newer release, or restore the backup of before it.")
    return good(name, "They are those of this release.")


def keys(open_one: psycopg.Connection[Any]) -> Line:
    """The oldest and the newest sealed words, and one number: a lost key shows in one of them."""
    name, asked = "FIELD_KEYS", [_SEALED.format(direction="ASC"), _SEALED.format(direction="DESC"), _CONTACT]
    sealed = [found[0] for query in asked if (found := open_one.execute(query).fetchone())]
    try:
        for each in sealed:
            unseal(bytes(each))
    except (InvalidToken, ValueError):
        remedy = "Put the key that was used before back into FIELD_KEYS, behind a comma: the first seals, all of them open."
        return Line(name, "breached", "Stored words cannot be opened with these keys.", remedy)
    if not sealed:
        return good(name, "Nothing is stored yet that they would have to open.")
    return good(name, "They open what is stored, the oldest and the newest.")


def articles(open_one: psycopg.Connection[Any]) -> Line:
    query, values = Document.objects.citable().order_by().values("pk").query.sql_with_params()
    # What is put in is Django's own text of the query; its values stay parameters.
    asked = f"SELECT count(*) FROM knowledge_chunk WHERE document_id IN ({query})"  # noqa: S608
    found = open_one.execute(asked.encode(), values).fetchone()
    passages = int(found[0]) if found else 0
    if passages:
        return good("Knowledge", f"{count(passages, 'passage', 'passages')} can be searched and quoted.")
    waiting = open_one.execute(_WAITING).fetchone()
    if waiting and waiting[0]:
        said = f"{count(waiting[0], 'document is', 'documents are')} about to be indexed; questions wait for the first of them."
        return Line("Knowledge", "unknown", said, "Look again in a minute.")
    said = "There is nothing to answer from: every question is declined, and emergencies are answered."
    return Line("Knowledge", "at_risk", said, "Publish documents in the console, or wait until they are indexed.")


def vectors(open_one: psycopg.Connection[Any]) -> Line:
    name, wanted = "Search by meaning", settings.ENVIRONMENT.embedding_model
    found = open_one.execute(_INDEX).fetchone()
    if found is None:
        return Line(name, "unknown", "No embedding index is active yet.", "It is made with the first document.")
    model, _, whole = found
    if model != wanted:
        said = f"The index is of {model}, and EMBEDDING_MODEL names {wanted}; answers use the first."
        return Line(name, "at_risk", said, "Build the index anew in the console under Embedding indexes, or set it back.")
    if not whole:
        said = "The vectors have no whole index: searches are right, and slow."
        return Line(name, "at_risk", said, "Build it anew in the console under Embedding indexes.")
    return good(name, f"The index of {model} is active and whole.")


def watcher(heartbeat: tuple[datetime, float] | None, *, now: datetime) -> Line:
    name, remedy = "Watcher", "See the log of the watcher, and start it again."
    if heartbeat is None:
        return Line(name, "unknown", "It has not been seen yet.", "It starts half a minute after the others.")
    at, every = heartbeat
    late = now - at
    if late > timedelta(seconds=3 * every):
        said = f"It was last seen {lasted(late)} ago: no timer of an incident is kept, and no notice goes out."
        return Line(name, "breached" if late > timedelta(minutes=5) else "at_risk", said, remedy)
    return good(name, f"It looked {lasted(late)} ago.")
