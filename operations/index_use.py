"""Are the indexes used and whole? Every index with its use, the two that the operations guide asks for, and tables that
are read from end to end or carry many dead rows.

The server counts since its statistics were last reset; an index that enforces a rule is needed even when nobody reads it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.urls import reverse

from operations.figures import State
from operations.findings import Cell, Code, Finding, Judged, Step, Table
from operations.phrases import count, lasted

# Below these a table is read quicker from end to end than by an index, and an unused index costs next to nothing.
LARGE_ROWS, LARGE_BYTES = 10_000, 10 * 2**20
DEAD_SHARE = 0.2
# What the guide calls for, and what serves it here.
GUIDE = (
    ("Messages of one person by time", "message_contact_time", "The guide's messages(user_id, created_at DESC)"),
    ("Active sessions of one person", "session_one_open", "The guide's sessions(user_id) WHERE end_time IS NULL"),
)
_INDEXES = """
    SELECT s.indexrelname, s.relname, s.idx_scan, s.idx_tup_read, pg_relation_size(s.indexrelid), s.last_idx_scan,
           i.indisvalid, i.indisunique, c.relkind = 'i' AND con.conindid IS NOT NULL
    FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid) JOIN pg_class c ON c.oid = s.indexrelid
    LEFT JOIN pg_constraint con ON con.conindid = s.indexrelid AND con.contype IN ('p', 'u', 'x')
    WHERE s.schemaname = current_schema() ORDER BY s.idx_scan DESC, s.indexrelname
"""
_TABLES = """
    SELECT relname, seq_scan, seq_tup_read, coalesce(idx_scan, 0), n_live_tup, n_dead_tup,
           greatest(last_autovacuum, last_vacuum), greatest(last_autoanalyze, last_analyze), pg_total_relation_size(relid)
    FROM pg_stat_user_tables WHERE schemaname = current_schema() ORDER BY n_dead_tup DESC, relname
"""


def look(now: datetime) -> Finding:
    indexes, tables = _rows(_INDEXES), _rows(_TABLES)
    invalid = [row for row in indexes if not row[6]]
    missing = [name for _, name, _ in GUIDE if name not in {row[0] for row in indexes if row[6]}]
    sequential = [row for row in tables if row[4] >= LARGE_ROWS and row[1] > row[3]]
    bloated = [row for row in tables if row[5] >= LARGE_ROWS and row[5] > DEAD_SHARE * (row[4] + row[5])]
    unused = [row for row in indexes if _unused(row)]
    answer, state = _answer(invalid, missing, sequential, bloated)
    return Finding(
        "indexes",
        "Are the indexes used and whole?",
        answer,
        state,
        tuple(_said(invalid, sequential, bloated, unused)),
        (("Indexes", f"{len(indexes):,}"), ("Together", size(sum(row[4] for row in indexes))), ("Counted", _counted(now))),
        (_guide(indexes), _invalid(invalid), _sequential(sequential), _unread(unused), _bloat(tables, now), _use(indexes, now)),
        steps=(
            Step("Which statements are slow?", reverse("admin:troubleshooting_queries")),
            Step("Runbook: slow database", reverse("admin:troubleshooting_runbook", args=["slow-database"])),
        ),
    )


def _rows(query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def _unused(row: tuple[Any, ...]) -> bool:
    return row[2] == 0 and not row[7] and not row[8] and row[4] >= LARGE_BYTES


def _answer(invalid: list[Any], missing: list[str], sequential: list[Any], bloated: list[Any]) -> tuple[str, State]:
    if invalid:
        return f"{count(len(invalid), 'index is', 'indexes are')} broken", "breached"
    if missing:
        return (
            f"{count(len(missing), 'index', 'indexes')} of the guide {'is' if len(missing) == 1 else 'are'} missing",
            "breached",
        )
    if sequential:
        return f"{count(len(sequential), 'large table is', 'large tables are')} read from end to end", "at_risk"
    if bloated:
        return f"{count(len(bloated), 'table carries', 'tables carry')} many dead rows", "at_risk"
    return "All indexes are whole", "good"


def _said(invalid: list[Any], sequential: list[Any], bloated: list[Any], unused: list[Any]) -> list[str]:
    said = []
    if invalid:
        said.append("A broken index is kept up at every write and serves no reader. It is left when its making was stopped.")
    if sequential:
        said.append("Reading a large table from end to end is slow: find the statement, then give it an index.")
    if bloated:
        said.append("Dead rows slow every reader. Autovacuum clears them unless an old transaction holds it back.")
    if unused:
        said.append(f"{count(len(unused), 'large index has', 'large indexes have')} never been read.")
    return said


def _counted(now: datetime) -> str:
    reset = _rows("SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()")[0][0]
    return f"for {lasted(now - reset)}" if reset else "since the database was made"


def _guide(indexes: list[Any]) -> Table:
    found = {row[0]: row for row in indexes}
    rows: list[tuple[Cell, ...]] = []
    for meaning, name, guide in GUIDE:
        row = found.get(name)
        here: Cell = Judged("missing", "breached") if row is None else Judged("present", "good")
        if row is not None and not row[6]:
            here = Judged("broken", "breached")
        rows.append((meaning, Code(name), guide, here, f"{row[2]:,}" if row else "-"))
    columns = ("What it finds", "Here", "In the guide", "State", "Reads")
    return Table("Indexes of the operations guide", columns, tuple(rows), numbers=(4,))


def _invalid(invalid: list[Any]) -> Table:
    rows = tuple((Code(row[0]), row[1], size(row[4]), Code(f"REINDEX INDEX CONCURRENTLY {row[0]}")) for row in invalid)
    note = "While a search index is being built its index is marked like this too: look at the search page first." if rows else ""
    return Table("Broken", ("Index", "Table", "Size", "Makes it whole"), rows, "No index is broken.", (2,), note)


def _sequential(found: list[Any]) -> Table:
    rows = tuple((row[0], f"{row[1]:,}", f"{row[2]:,}", f"{row[3]:,}", f"{row[4]:,}") for row in found)
    columns = ("Table", "From end to end", "Rows read so", "By index", "Rows")
    return Table("Large tables read from end to end", columns, rows, "None.", (1, 2, 3, 4))


def _unread(unused: list[Any]) -> Table:
    rows = tuple((Code(row[0]), row[1], size(row[4])) for row in unused)
    note = (
        "Look at it again after a month of use before you drop it: some serve a page that is opened once a quarter."
        if rows
        else ""
    )
    return Table("Large and never read", ("Index", "Table", "Size"), rows, "None.", (2,), note)


def _use(indexes: list[Any], now: datetime) -> Table:
    rows = tuple(
        (Code(row[0]), row[1], f"{row[2]:,}", f"{row[3]:,}", size(row[4]), _since(row[5], now), _why(row)) for row in indexes
    )
    columns = ("Index", "Table", "Reads", "Rows", "Size", "Last read", "Also")
    return Table("Use of every index, most read first", columns, rows, numbers=(2, 3, 4), folded=True)


def _why(row: tuple[Any, ...]) -> str:
    if row[7] or row[8]:
        return "keeps a rule"
    return "unused" if _unused(row) else ""


def _bloat(tables: list[Any], now: datetime) -> Table:
    rows = tuple(
        (row[0], f"{row[4]:,}", f"{row[5]:,}", _since(row[6], now), _since(row[7], now), size(row[8]))
        for row in tables[:15]
        if row[4] or row[5]
    )
    columns = ("Table", "Rows", "Dead rows", "Last vacuumed", "Last analysed", "Size with indexes")
    return Table("Dead rows, most first", columns, rows, "No table has rows yet.", (1, 2, 5))


def _since(at: datetime | None, now: datetime) -> str:
    return f"{lasted(max(now - at, timedelta(0)))} ago" if at else "never"


def size(number: int) -> str:
    """Bytes as people say them."""
    for unit, one in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if number >= one:
            return f"{number / one:,.1f} {unit}"
    return f"{number:,} B"
