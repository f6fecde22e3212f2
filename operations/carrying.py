"""What must not go back in time with a restore: people, incidents, windows, notices, backups, and what was said since.

Rows are copied from the live database into the restored one by key: new ones are added, changed ones brought up to date,
none is taken away. Messages received since the instant come along, or leave at least their WhatsApp id, so that a
redelivery is not answered twice. Nothing that waited to be sent is sent by itself afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]

# In the order of their foreign keys. People are never deleted, so theirs are brought up to date.
KEPT = (
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_user",
    # Who did what in the console, the restore itself included.
    "django_admin_log",
    "django_celery_beat_crontabschedule",
    "django_celery_beat_intervalschedule",
)
# What was taken away from somebody must not come back: these are as they are now, and nothing else.
REPLACED = (
    "auth_group_permissions",
    "auth_user_groups",
    "auth_user_user_permissions",
    "authtoken_token",
    "django_session",
    "django_celery_beat_periodictask",
)
REPLACED_PREFIXES = ("otp_", "axes_")
# Found by prefix, so that a new table is not forgotten.
PREFIXES = ("operations_",)
# Written once and many: those of before are in the restored database, and what an hour lacks is made of its minutes again.
# Column of the time, and how much later than that a row may come.
WRITTEN_ONCE = {"operations_rollup": ("at", timedelta(hours=2)), "operations_checkpoint": ("at", timedelta(hours=2))}
# The timeline of an incident, in the restored database too.
APPEND_ONLY = ("operations_timelineentry",)
MESSAGES = (
    ("conversations_contact", "created_at"),
    ("conversations_session", "started_at"),
    ("conversations_answer", "created_at"),
    ("conversations_citation", ""),
    ("conversations_inboundmessage", "received_at"),
    ("conversations_outboundmessage", "created_at"),
    ("conversations_deliveryevent", "received_at"),
    ("conversations_handover", "opened_at"),
    ("conversations_feedback", "created_at"),
)
BEFORE_THE_RESTORE = "received before a restore and not carried over"
HELD_BACK = "Held back by a restore; send it again if it is still wanted"
OPEN_STATES = {
    "conversations_inboundmessage": ("received", "waiting", "processing"),
    "conversations_outboundmessage": ("queued", "sending", "uncertain"),
}
_WITHOUT_ANSWER = "SELECT id FROM conversations_inboundmessage WHERE status = 'answered' AND answer_id IS NULL"
_ANSWERED = "SELECT answer_id, id FROM conversations_inboundmessage WHERE id = ANY(%s) AND answer_id IS NOT NULL"
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname LIKE ANY(%s)
"""
_PARENTS = """
    SELECT DISTINCT parent.relname FROM pg_constraint k JOIN pg_class child ON child.oid = k.conrelid
    JOIN pg_class parent ON parent.oid = k.confrelid
    WHERE k.contype = 'f' AND child.relname = %s AND parent.relname <> child.relname
"""
_COLUMNS = """
    SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    ORDER BY attnum
"""
_KEY = """
    SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
    WHERE i.indrelid = %s::regclass AND i.indisprimary
"""


def carry(live: Connection, restored: Connection, *, since: datetime, messages: bool) -> dict[str, int]:
    """Rows brought over, by table. One transaction: all of it or none."""
    with restored.transaction():
        restored.execute("SET CONSTRAINTS ALL DEFERRED")
        replaced = _replaced(live, restored)
        for table in reversed(replaced):
            restored.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        brought = {table: _copy(live, restored, table, _latest(table, since)) for table in [*_kept(live, restored), *replaced]}
        if messages:
            brought |= {table: _since(live, restored, table, column, since) for table, column in MESSAGES}
        brought["message ids"] = _tombstones(live, restored, since)
        brought["settled meanwhile"] = _settled_meanwhile(live, restored)
        held = restored.execute(
            "UPDATE conversations_outboundmessage SET status = 'failed', failed_at = now(), reason = %s, retry_at = NULL"
            " WHERE status IN ('queued', 'sending', 'uncertain')",
            [HELD_BACK],
        )
        brought["held back"] = held.rowcount
        _advance_sequences(live, restored)
    return brought


def _both(live: Connection, restored: Connection, pattern: str) -> set[str]:
    """Tables of this pattern that both know."""
    return {row[0] for row in live.execute(_TABLES, [[pattern]])} & {row[0] for row in restored.execute(_TABLES, [[pattern]])}


def _kept(live: Connection, restored: Connection) -> list[str]:
    there = _both(live, restored, "%")
    found = sorted(table for table in there if table.startswith(PREFIXES))
    return [*(table for table in KEPT if table in there), *_in_order(live, found)]


def _replaced(live: Connection, restored: Connection) -> list[str]:
    there = _both(live, restored, "%")
    found = sorted(table for table in there if table.startswith(REPLACED_PREFIXES))
    return [*(table for table in REPLACED if table in there), *_in_order(live, found)]


def _in_order(live: Connection, tables: Sequence[str]) -> list[str]:
    """Parents first."""
    left, ordered = sorted(tables), list[str]()
    while left:
        parents = {table: {row[0] for row in live.execute(_PARENTS, [table])} & set(left) for table in left}
        free = [table for table in left if not parents[table]] or left
        ordered += free
        left = [table for table in left if table not in free]
    return ordered


def _latest(table: str, since: datetime) -> sql.Composable | None:
    if table not in WRITTEN_ONCE:
        return None
    column, late = WRITTEN_ONCE[table]
    return sql.SQL("{} >= {}").format(sql.Identifier(column), sql.Literal(since - late))


def _since(live: Connection, restored: Connection, table: str, column: str, since: datetime) -> int:
    """What is newer than the instant, and every row that one of those hangs on."""
    wheres = {
        "conversations_citation": "answer_id IN (SELECT id FROM conversations_answer WHERE created_at >= {since})",
        # Somebody known before may have written since: what the message hangs on must be as it is now.
        "conversations_contact": "{column} >= {since} OR last_inbound_at >= {since}",
        "conversations_session": "{column} >= {since} OR last_message_at >= {since}",
    }
    where = sql.SQL(wheres.get(table, "{column} >= {since}"))
    return _copy(live, restored, table, where.format(column=sql.Identifier(column or "id"), since=sql.Literal(since)))


def _copy(live: Connection, restored: Connection, table: str, where: sql.Composable | None = None) -> int:
    here = {row[0] for row in restored.execute(_COLUMNS, [table]).fetchall()}
    columns = [row[0] for row in live.execute(_COLUMNS, [table]).fetchall() if row[0] in here]
    keys = [row[0] for row in live.execute(_KEY, [table]).fetchall()]
    name, staged = sql.Identifier(table), sql.Identifier("staged")
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    restored.execute(sql.SQL("CREATE TEMP TABLE {} (LIKE {}) ON COMMIT DROP").format(staged, name))
    chosen = sql.SQL(" WHERE {}").format(where) if where else sql.SQL("")
    reading = sql.SQL("COPY (SELECT {} FROM {}{}) TO STDOUT (FORMAT binary)").format(listed, name, chosen)
    writing = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(staged, listed)
    with live.cursor().copy(reading) as source, restored.cursor().copy(writing) as target:
        for block in source:
            target.write(block)
    if table.startswith(PREFIXES) and table not in APPEND_ONLY:
        # Whole rows anew, so that what one of them leaves free ("one at a time") another may take in any order; and only
        # those that differ, because the second time nobody is let in.
        same = sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(key)) for key in keys)
        alike = sql.SQL("DELETE FROM {} s USING {} t WHERE {} AND t::text = s::text").format(staged, name, same)
        restored.execute(alike)
        restored.execute(sql.SQL("DELETE FROM {} t USING {} s WHERE {}").format(name, staged, same))
    changes = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(c)) for c in columns if c not in keys)
    done = restored.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT ({}) DO {}").format(
            name,
            listed,
            listed,
            staged,
            sql.SQL(", ").join(map(sql.Identifier, keys)),
            sql.SQL("NOTHING") if table in APPEND_ONLY else sql.SQL("UPDATE SET ") + changes,
        )
    )
    restored.execute(sql.SQL("DROP TABLE {}").format(staged))
    return done.rowcount


def _tombstones(live: Connection, restored: Connection, since: datetime) -> int:
    """WhatsApp delivers for up to seven days: an id that was seen stays seen, without the words."""
    columns = sql.SQL("id, wamid_key, sender_key, kind, sent_at, received_at")
    reading = sql.SQL("COPY (SELECT {} FROM conversations_inboundmessage WHERE received_at >= {}) TO STDOUT (FORMAT binary)")
    empty = sql.SQL("CREATE TEMP TABLE seen ON COMMIT DROP AS SELECT {} FROM conversations_inboundmessage WHERE false")
    restored.execute(empty.format(columns))
    writing = sql.SQL("COPY seen ({}) FROM STDIN (FORMAT binary)").format(columns)
    with live.cursor().copy(reading.format(columns, sql.Literal(since))) as source, restored.cursor().copy(writing) as target:
        for block in source:
            target.write(block)
    done = restored.execute(
        sql.SQL(
            "INSERT INTO conversations_inboundmessage ({0}, status, reason, triage_level, triage_concept, triage_rules, language,"
            " attempts) SELECT {0}, 'ignored', %s, '', '', '[]', '', 0 FROM seen ON CONFLICT DO NOTHING"
        ).format(columns),
        [BEFORE_THE_RESTORE],
    )
    restored.execute("DROP TABLE seen")
    return done.rowcount


def _settled_meanwhile(live: Connection, restored: Connection) -> int:
    """What was still open at the instant and was answered or sent after it: nobody gets it a second time."""
    done = 0
    for table, open_states in OPEN_STATES.items():
        name = sql.Identifier(table)
        still = restored.execute(sql.SQL("SELECT id FROM {} WHERE status = ANY(%s)").format(name), [list(open_states)]).fetchall()
        query = sql.SQL("SELECT status, id FROM {} WHERE id = ANY(%s) AND status <> ALL(%s)").format(name)
        settled = live.execute(query, [[row[0] for row in still], list(open_states)]).fetchall()
        for row in settled:
            done += restored.execute(
                sql.SQL("UPDATE {} SET status = %s, retry_at = NULL WHERE id = %s").format(name), row
            ).rowcount
    # Its answer, where that was brought along.
    for answer, key in live.execute(_ANSWERED, [[row[0] for row in restored.execute(_WITHOUT_ANSWER).fetchall()]]).fetchall():
        restored.execute(
            "UPDATE conversations_inboundmessage SET answer_id = a.id FROM conversations_answer a"
            " WHERE a.id = %s AND conversations_inboundmessage.id = %s",
            [answer, key],
        )
    return done


def _advance_sequences(live: Connection, restored: Connection) -> None:
    """No key is given twice: a sequence goes on where the live one stood."""
    for name, last in live.execute("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'").fetchall():
        if last is not None and restored.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,):
            restored.execute(
                "SELECT setval(%s::regclass, greatest(%s, coalesce((SELECT last_value FROM pg_sequences"
                " WHERE schemaname = 'public' AND sequencename = %s), 1)))",
                [name, last, name],
            )
