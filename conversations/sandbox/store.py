"""The sandbox's memory: people, messages, media, webhooks on their way and faults, in one SQLite file.

One connection under one lock; every method is one transaction. A restart finds the history of the chat
and the webhooks that were not taken yet.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conversations.sandbox.envelopes import Json, Person, user_id_of

RANK = {"sent": 0, "delivered": 1, "read": 2}
UNREAD = "SELECT * FROM message WHERE phone = ? AND NOT from_person AND status = 'delivered' ORDER BY seq"
SCHEMA = """
CREATE TABLE IF NOT EXISTS person (
    phone TEXT PRIMARY KEY, name TEXT NOT NULL, user_id TEXT NOT NULL UNIQUE, last_wrote REAL,
    shown INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY, wamid TEXT NOT NULL UNIQUE, phone TEXT NOT NULL, from_person INTEGER NOT NULL,
    kind TEXT NOT NULL, text TEXT NOT NULL, body TEXT NOT NULL, context TEXT NOT NULL, callback TEXT NOT NULL,
    at REAL NOT NULL, status TEXT NOT NULL, changed INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS message_changed ON message (changed);
CREATE INDEX IF NOT EXISTS message_of_person ON message (phone, changed);
CREATE TABLE IF NOT EXISTS media (id TEXT PRIMARY KEY, mime_type TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS webhook (
    id INTEGER PRIMARY KEY, body BLOB NOT NULL, wamid TEXT NOT NULL, status TEXT NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, after INTEGER, wait REAL NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS webhook_after ON webhook (after);
CREATE TABLE IF NOT EXISTS fault (name TEXT PRIMARY KEY, row TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Message:
    wamid: str
    phone: str
    from_person: bool
    kind: str
    text: str
    body: Json
    context: str
    callback: str
    at: float
    status: str
    changed: int = 0


@dataclass(frozen=True)
class Webhook:
    """`status` is empty for a message of a person, else the word that this webhook reports."""

    id: int
    body: bytes
    wamid: str
    status: str
    attempts: int


@dataclass(frozen=True)
class Draft:
    """A webhook to be posted after `wait` seconds, or, when it `follows`, after the one before was tried."""

    body: bytes
    wamid: str
    status: str = ""
    wait: float = 0
    follows: bool = False


class Store:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
        self._db.row_factory = sqlite3.Row
        # What is lost by a power cut here is a toy's history; a process that dies loses nothing.
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {SCHEMA}")
        path.chmod(0o600)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # People

    def add_person(self, phone: str, name: str, *, shown: bool = False) -> Person:
        """The person with this number, made when there is none."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO person VALUES (?, ?, ?, NULL, ?) ON CONFLICT (phone) DO UPDATE SET shown = max(shown, ?)",
                (phone, name, user_id_of(phone), shown, shown),
            )
        person = self.person(phone)
        assert person is not None
        return person

    def person(self, address: str) -> Person | None:
        """By phone number or by business-scoped id."""
        rows = self._rows("SELECT * FROM person WHERE phone = ? OR user_id = ?", address, address)
        return _person(rows[0]) if rows else None

    def people(self) -> list[Person]:
        """Those that the chat page offers, first made first."""
        return [_person(row) for row in self._rows("SELECT * FROM person WHERE shown ORDER BY rowid")]

    # Messages

    def add_message(self, message: Message, drafts: Sequence[Draft] = (), *, now: float) -> list[int]:
        """The message and its webhooks, together or not at all; the ids of the webhooks."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO message"
                " (wamid, phone, from_person, kind, text, body, context, callback, at, status, changed)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(changed), 0) + 1 FROM message))",
                (
                    message.wamid,
                    message.phone,
                    message.from_person,
                    message.kind,
                    message.text,
                    json.dumps(message.body),
                    message.context,
                    message.callback,
                    message.at,
                    message.status,
                ),
            )
            if message.from_person:
                db.execute("UPDATE person SET last_wrote = ? WHERE phone = ?", (message.at, message.phone))
            return self._add_webhooks(db, drafts, now)

    def message(self, wamid: str) -> Message | None:
        rows = self._rows("SELECT * FROM message WHERE wamid = ?", wamid)
        return _message(rows[0]) if rows else None

    def messages(self, phone: str, *, since: int = 0, most: int = 400) -> list[Message]:
        """What is new or has changed since the cursor, oldest first; at most the latest `most`."""
        sql = "SELECT * FROM message WHERE phone = ? AND changed > ? ORDER BY seq DESC LIMIT ?"
        return [_message(row) for row in reversed(self._rows(sql, phone, since, most))]

    def sent(self, phone: str | None = None) -> list[Message]:
        """Everything that was sent to people, or to one person, oldest first."""
        if phone:
            rows = self._rows("SELECT * FROM message WHERE phone = ? AND NOT from_person ORDER BY seq", phone)
        else:
            rows = self._rows("SELECT * FROM message WHERE NOT from_person ORDER BY seq")
        return [_message(row) for row in rows]

    def forward(self, wamid: str, status: str) -> bool:
        """Whether the status moved; it never moves back."""
        with self._writing() as db:
            row = db.execute("SELECT status FROM message WHERE wamid = ?", (wamid,)).fetchone()
            if row is None or RANK[status] <= RANK[row["status"]]:
                return False
            _change(db, status, "wamid = ?", wamid)
            return True

    def mark_read(self, message: Message) -> None:
        """A person's message and those before it, as a messenger shows them."""
        with self._writing() as db:
            upto = "SELECT seq FROM message WHERE wamid = ?"
            where = f"from_person AND status != 'read' AND phone = ? AND seq <= ({upto})"
            _change(db, "read", where, message.phone, message.wamid)

    def take_unread(self, phone: str) -> list[Message]:
        """What this person had on the phone and now looks at: each is returned once."""
        with self._writing() as db:
            rows = db.execute(UNREAD, (phone,)).fetchall()
            for row in rows:
                _change(db, "read", "seq = ?", row["seq"])
        return [_message(row) for row in rows]

    def counts(self) -> Json:
        received, sent = self._rows("SELECT coalesce(sum(from_person), 0), coalesce(sum(NOT from_person), 0) FROM message")[0]
        by_person = self._rows("SELECT phone, count(*) FROM message WHERE NOT from_person GROUP BY phone")
        waiting = self._rows("SELECT count(*) FROM webhook")[0][0]
        return {
            "inbound": received,
            "sent": sent,
            "sent_to": {row[0]: row[1] for row in by_person},
            "webhooks_waiting": waiting,
        }

    # Webhooks

    def add_webhooks(self, drafts: Sequence[Draft], *, now: float) -> list[int]:
        with self._writing() as db:
            return self._add_webhooks(db, drafts, now)

    def _add_webhooks(self, db: sqlite3.Connection, drafts: Sequence[Draft], now: float) -> list[int]:
        ids: list[int] = []
        for draft in drafts:
            cursor = db.execute(
                "INSERT INTO webhook (body, wamid, status, due, after, wait) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    draft.body,
                    draft.wamid,
                    draft.status,
                    now + draft.wait,
                    ids[-1] if draft.follows else None,
                    draft.wait,
                ),
            )
            ids.append(int(cursor.lastrowid or 0))
        return ids

    def webhook(self, key: int) -> Webhook | None:
        rows = self._rows("SELECT id, body, wamid, status, attempts FROM webhook WHERE id = ?", key)
        return Webhook(*rows[0]) if rows else None

    def settle(self, key: int, *, taken: bool, due: float, now: float) -> list[tuple[float, int]]:
        """After a try: gone when taken, else due again. Returns what waited for this try, with its time."""
        with self._writing() as db:
            if taken:
                db.execute("DELETE FROM webhook WHERE id = ?", (key,))
            else:
                db.execute("UPDATE webhook SET attempts = attempts + 1, due = ? WHERE id = ?", (due, key))
            sql = "UPDATE webhook SET after = NULL, due = ? + wait WHERE after = ? RETURNING due, id"
            return [(row["due"], row["id"]) for row in db.execute(sql, (now, key)).fetchall()]

    def unposted(self) -> list[tuple[float, int]]:
        """After a restart: all that was not taken, with its time; what waited for another waits no longer."""
        with self._writing() as db:
            db.execute("UPDATE webhook SET after = NULL")
            return [(row["due"], row["id"]) for row in db.execute("SELECT due, id FROM webhook")]

    # Media and faults

    def add_media(self, key: str, mime_type: str, content: bytes) -> None:
        with self._writing() as db:
            db.execute("INSERT INTO media VALUES (?, ?, ?)", (key, mime_type, content))

    def media(self, key: str) -> tuple[str, bytes] | None:
        rows = self._rows("SELECT mime_type, content FROM media WHERE id = ?", key)
        return (rows[0]["mime_type"], rows[0]["content"]) if rows else None

    def faults(self) -> dict[str, Json]:
        return {row["name"]: json.loads(row["row"]) for row in self._rows("SELECT * FROM fault")}

    def keep_fault(self, row: Json) -> None:
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO fault VALUES (?, ?)", (row["name"], json.dumps(row)))


def _change(db: sqlite3.Connection, status: str, where: str, *values: Any) -> None:
    """`where` is a constant of this module."""
    changed = "(SELECT max(changed) + 1 FROM message)"
    db.execute(f"UPDATE message SET status = ?, changed = {changed} WHERE {where}", (status, *values))  # noqa: S608


def _person(row: sqlite3.Row) -> Person:
    return Person(row["phone"], row["name"], row["user_id"], row["last_wrote"], bool(row["shown"]))


def _message(row: sqlite3.Row) -> Message:
    kept = {key: row[key] for key in row.keys() if key != "seq"}  # noqa: SIM118  (a row iterates over its values)
    return Message(**kept | {"body": json.loads(row["body"]), "from_person": bool(row["from_person"])})
