"""Who is connected to the database, who holds whom up, and how a stuck connection is ended with care.

Only a connection of a program to our own database can be ended, never the one that asks, and only the very one that was
looked at: its number together with the moment it began, because the server uses numbers again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.urls import reverse

from operations import statements
from operations.figures import State
from operations.findings import Cell, Code, Finding, Judged, Link, Step, Table
from operations.pages import ACT
from operations.phrases import count, lasted

# The guide: fewer than 80 % of what the server allows; idle in a transaction for an hour is stuck.
SHARE_AT_RISK, SHARE_BREACHED = 0.8, 0.95
STUCK = timedelta(hours=1)
LONG = timedelta(minutes=1)
# Our own statements end after 30 s, so what idles longer has left the usual way.
IDLE_TOO_LONG = timedelta(minutes=5)
IDLE = ("idle in transaction", "idle in transaction (aborted)")

_ALL = """
    SELECT pid, coalesce(nullif(application_name, ''), pid::text), coalesce(state, 'starting'), backend_start, xact_start,
           CASE WHEN state = 'active' THEN query_start ELSE state_change END, coalesce(query, ''),
           coalesce(wait_event_type || ': ' || wait_event, ''), pg_blocking_pids(pid), pid = pg_backend_pid()
    FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = current_database()
    ORDER BY xact_start NULLS LAST, pid
"""
_COUNTS = """
    SELECT current_setting('max_connections')::int, count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
"""
_END = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = %s AND backend_start = %s AND datname = current_database() AND backend_type = 'client backend'
      AND pid <> pg_backend_pid()
"""
# What people notice when a connection of this process ends.
CONSEQUENCES = {
    "worker-answers": "If a message is being answered, its answer is tried again within a minute. No message is lost.",
    "worker-indexing": "The document or index that is worked on is begun again. Search goes on with what is there.",
    "worker-operations": "The task that runs is begun again at its next turn.",
    "dispatcher": "Messages wait a few seconds until the dispatcher is connected again. None is lost.",
    "watcher": "One look of the watcher fails; the next one comes within seconds.",
    "operator": "A backup or a restore that is being made fails or begins its step again. Do not end it unless you must.",
    "web": "One request fails: a page has to be loaded again, and WhatsApp sends a message that was not taken once more.",
    "beat": "Timers pause for a few seconds.",
    "manage": "The command that somebody runs by hand ends with an error. Ask who runs it before you end it.",
    "migrate": "A change of the tables is undone and the new release does not start. Wait for it if you can.",
}
OTHERWISE = "The program behind it sees its connection end. Make sure you know what it is: a backup or a restore would fail."


class NotEnded(Exception):
    """The connection was not ended; the message says why and that nothing has changed."""


@dataclass(frozen=True)
class Connection:
    pid: int
    process: str
    state: str
    began: datetime
    transaction: datetime | None
    since: datetime | None
    statement: str
    waits: str
    blocked_by: tuple[int, ...]
    own: bool

    @property
    def idle(self) -> bool:
        return self.state in IDLE

    @property
    def consequence(self) -> str:
        return CONSEQUENCES.get(self.process, OTHERWISE)

    @property
    def mark(self) -> str:
        """Says which connection was meant, in an address."""
        return self.began.isoformat()

    def lasts(self, now: datetime) -> timedelta:
        return max(now - self.since, timedelta(0)) if self.since else timedelta(0)


def everyone() -> list[Connection]:
    with connection.cursor() as cursor:
        cursor.execute(_ALL)
        return [_connection(row) for row in cursor.fetchall()]


def _connection(row: tuple[Any, ...]) -> Connection:
    pid, process, state, began, transaction, since, query, waits, blocked_by, own = row
    statement = statements.shortened(statements.normalised(query))
    return Connection(pid, process, state, began, transaction, since, statement, waits, tuple(blocked_by), own)


def find(pid: int, began: datetime) -> Connection | None:
    """The connection that was looked at, unless it has ended; another with its number is none of ours."""
    return next((each for each in everyone() if each.pid == pid and each.began == began and not each.own), None)


def end(pid: int, began: datetime, *, typed: str, by: AbstractBaseUser, now: datetime) -> Connection:
    """End it and record who did. Raises NotEnded, and then nothing has changed."""
    found = find(pid, began)
    if found is None:
        raise NotEnded("This connection has already ended. Nothing was done.")
    if typed.strip() != found.process:
        raise NotEnded(f"Type {found.process} to end it. Nothing was done.")
    with connection.cursor() as cursor:
        cursor.execute(_END, [pid, began])
        row = cursor.fetchone()
    if row is None:
        raise NotEnded("This connection has already ended. Nothing was done.")
    if not row[0]:
        raise NotEnded("The database did not let us end it. Nothing was done.")
    LogEntry.objects.create(
        user_id=by.pk,
        action_flag=CHANGE,
        object_id=str(pid),
        object_repr=f"Database connection {pid} of {found.process}"[:200],
        change_message=f"Ended: {found.state} for {lasted(found.lasts(now))}.",
    )
    return found


def look(now: datetime) -> Finding:
    found = everyone()
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        limit, used = cursor.fetchone()
    stuck = [each for each in found if each.idle and each.lasts(now) >= STUCK]
    blocked = [each for each in found if each.blocked_by]
    answer, state = _answer(found, stuck, blocked, used, limit, now)
    return Finding(
        "connections",
        "Are connections to the database free, and is anything stuck?",
        answer,
        state,
        tuple(_said(stuck, blocked, used, limit)),
        (
            ("In use", f"{used:,} of {limit:,}"),
            ("That is", f"{used * 100 // limit} %"),
            ("Ours, in this database", f"{len(found):,}"),
        ),
        (_stuck_table(found, now), _blocked_table(blocked, found, now), _long_table(found, now), _by_process(found)),
        steps=(
            *_ending_step(stuck, now),
            Step("Runbook: connections", reverse("admin:troubleshooting_runbook", args=["connections"])),
        ),
    )


def _answer(
    found: list[Connection], stuck: list[Connection], blocked: list[Connection], used: int, limit: int, now: datetime
) -> tuple[str, State]:
    share = used / limit
    if stuck:
        return f"{count(len(stuck), 'connection is', 'connections are')} stuck in a transaction", "breached"
    if share > SHARE_BREACHED:
        return f"{used:,} of {limit:,} connections are in use", "breached"
    if any(each.lasts(now) > LONG for each in blocked):
        return f"{count(len(blocked), 'connection waits', 'connections wait')} for another", "breached"
    if share > SHARE_AT_RISK:
        return f"{used:,} of {limit:,} connections are in use", "at_risk"
    if blocked or any(each.idle and each.lasts(now) > IDLE_TOO_LONG for each in found):
        return "Something holds a transaction open", "at_risk"
    return f"{used:,} of {limit:,} connections are in use, none is stuck", "good"


def _said(stuck: list[Connection], blocked: list[Connection], used: int, limit: int) -> list[str]:
    said = []
    if stuck:
        said.append(
            "A transaction that idles keeps its locks and keeps dead rows from being cleared. After an hour nobody returns to it."
        )
    if blocked:
        said.append("Who waits is freed as soon as the one that holds it up is done or ended.")
    if used > SHARE_AT_RISK * limit:
        said.append("When none is free, nothing is stored and nothing is answered: end what is stuck, or stop a process.")
    return said


def _ending_step(stuck: list[Connection], now: datetime) -> tuple[Step, ...]:
    """The guide's case first: idle in a transaction for an hour, the longest."""
    if not stuck:
        return ()
    worst = max(stuck, key=lambda each: each.lasts(now))
    return (Step(f"End {worst.process}, stuck for {lasted(worst.lasts(now))}", _address(worst), main=True, permission=ACT),)


def _address(each: Connection) -> str:
    return f"{reverse('admin:troubleshooting_end', args=[each.pid])}?began={each.mark.replace('+', '%2B')}"


def _ending(each: Connection) -> Cell:
    return "this page" if each.own else Link("End", _address(each), ACT)


def _stuck_table(found: list[Connection], now: datetime) -> Table:
    idle = sorted((each for each in found if each.idle), key=lambda each: each.lasts(now), reverse=True)
    rows = tuple((each.process, str(each.pid), _lasting(each, now), Code(each.statement), _ending(each)) for each in idle)
    columns = ("Process", "pid", "Idle for", "Last statement", "")
    return Table("Idle in a transaction, longest first", columns, rows, "No connection idles in a transaction.", (1,))


def _lasting(each: Connection, now: datetime) -> Cell:
    lasts = each.lasts(now)
    state: State = "breached" if lasts >= STUCK else "at_risk" if lasts > IDLE_TOO_LONG else "good"
    return Judged(lasted(lasts), state)


def _blocked_table(blocked: list[Connection], found: list[Connection], now: datetime) -> Table:
    named = {each.pid: each for each in found}
    rows = []
    for each in blocked:
        for pid in each.blocked_by:
            holder = named.get(pid)
            by: Cell = f"{holder.process} ({pid}, {holder.state})" if holder else str(pid)
            rows.append((f"{each.process} ({each.pid})", lasted(each.lasts(now)), by, _ending(holder) if holder else "-"))
    columns = ("Waits", "For", "Held up by", "")
    return Table("Who holds whom up", columns, tuple(rows), "Nobody waits for anybody.")


def _long_table(found: list[Connection], now: datetime) -> Table:
    long = [each for each in found if each.state == "active" and each.lasts(now) > LONG and not each.own]
    rows = tuple(
        (each.process, str(each.pid), lasted(each.lasts(now)), each.waits or "-", Code(each.statement), _ending(each))
        for each in long
    )
    columns = ("Process", "pid", "Runs for", "Waits for", "Statement", "")
    return Table("Running longer than a minute", columns, rows, "No statement runs longer than a minute.", (1,))


def _by_process(found: list[Connection]) -> Table:
    rows = []
    for name in sorted({each.process for each in found}):
        own = [each for each in found if each.process == name]
        working, idle = (sum(each.state == state for each in own) for state in ("active", "idle"))
        rows.append((name, f"{working:,}", f"{idle:,}", f"{sum(each.idle for each in own):,}", f"{len(own):,}"))
    columns = ("Process", "Working", "Idle", "Idle in transaction", "All")
    return Table("By process", columns, tuple(rows), numbers=(1, 2, 3, 4))
