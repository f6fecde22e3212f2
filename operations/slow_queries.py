"""Which statements are slow? From the server's own statistics (pg_stat_statements) where there are any, else from samples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Max, Min, Sum
from django.urls import reverse

from operations import statements
from operations.figures import State
from operations.findings import Cell, Code, Finding, Link, Step, Table
from operations.models import QuerySample
from operations.phrases import count

TARGET_MS, TOO_SLOW_MS = 100.0, 1000.0
SHOWN = 20
# Of our own database and account, without what pg_stat_statements itself and this page ask.
_STATISTICS = """
    SELECT queryid::text, query, calls, mean_exec_time, max_exec_time, total_exec_time FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT ILIKE '%%pg_stat_%%'
    ORDER BY mean_exec_time DESC LIMIT %s
"""
_ONE = "SELECT query FROM pg_stat_statements WHERE queryid = %s LIMIT 1"
_SETTINGS = (
    ("log_min_duration_statement", "Statements that the server writes into its log when they take longer than this"),
    ("log_parameter_max_length", "Length of values in that log; 0 keeps what patients write out of it"),
    ("log_parameter_max_length_on_error", "The same for statements that fail"),
    ("log_min_error_statement", "From which fault on a statement is logged; panic means practically never"),
    ("track_activity_query_size", "Bytes of a running statement that can be seen, and sampled"),
)


@dataclass(frozen=True)
class Statement:
    key: str
    text: str
    calls: int
    mean_ms: float
    longest_ms: float
    seen: str
    waited: str = ""


def has_statistics() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'")
        return cursor.fetchone() is not None


def look(now: datetime) -> Finding:
    known = _from_statistics()
    found = _from_samples(now) if known is None else known
    longest = max((each.mean_ms if known else each.longest_ms for each in found), default=0.0)
    slow = [each for each in found if (each.mean_ms if known else each.longest_ms) > TARGET_MS]
    state: State = "breached" if longest > TOO_SLOW_MS else "at_risk" if slow else "good"
    answer = f"{count(len(slow), 'statement takes', 'statements take')} longer than 100 ms" if slow else "No statement is slow"
    return Finding(
        "queries",
        "Which statements of the database are slow?",
        answer,
        state,
        (_source(known is not None), *_advice(slow)),
        tables=(_table(found, known is not None), _settings()),
        steps=(
            Step("Is an index missing?", reverse("admin:troubleshooting_indexes")),
            Step("Who holds whom up?", reverse("admin:troubleshooting_connections")),
            Step("Runbook: slow database", reverse("admin:troubleshooting_runbook", args=["slow-database"])),
        ),
    )


def _source(statistics: bool) -> str:
    if statistics:
        return "Measured by pg_stat_statements since its statistics were last reset."
    return (
        "This server has no pg_stat_statements, so the watcher looks every 5 seconds at what runs: the last 24 hours are"
        " shown. A statement that is quick and frequent does not appear here."
    )


def _advice(slow: list[Statement]) -> tuple[str, ...]:
    return ("Open the plan of the first one: a Seq Scan over a large table asks for an index.",) if slow else ()


def _from_statistics() -> list[Statement] | None:
    """None where the extension is missing, or is there and was not loaded when the server started."""
    if not has_statistics():
        return None
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_STATISTICS, [SHOWN])
            rows = cursor.fetchall()
    except DatabaseError:
        return None
    return [
        Statement(key, statements.shortened(statements.normalised(text)), calls, mean, longest, "")
        for key, text, calls, mean, longest, _ in rows
    ]


def _from_samples(now: datetime) -> list[Statement]:
    day = QuerySample.objects.filter(seen_at__gte=now - timedelta(hours=24), state="active").order_by()
    rows = day.values("digest").annotate(
        times=Count("pk"),
        total=Sum("milliseconds"),
        longest=Max("milliseconds"),
        words=Min("text"),
        by=Max("process"),
        waits=Max("wait_event"),
    )
    return [
        Statement(row["digest"], row["words"], row["times"], row["total"] / row["times"], row["longest"], row["by"], row["waits"])
        for row in rows.order_by("-longest", "digest")[:SHOWN]
    ]


def _table(found: list[Statement], statistics: bool) -> Table:
    process = () if statistics else ("Process", "Waited for")
    columns = ("Statement", "Calls" if statistics else "Seen", "Mean", "Longest", *process, "Plan")
    rows = tuple(_row(each, statistics) for each in found)
    empty = "No statement took longer than 100 ms while the watcher looked, in the last 24 hours."
    return Table("Worst first", columns, rows, empty, (1, 2, 3))


def _row(each: Statement, statistics: bool) -> tuple[Cell, ...]:
    plan: Cell = "-"
    if each.text.upper().startswith("SELECT "):
        plan = Link("Plan", reverse("admin:troubleshooting_plan", args=[each.key]))
    process = () if statistics else (each.seen or "unnamed", each.waited or "-")
    return (Code(each.text), f"{each.calls:,}", _ms(each.mean_ms), _ms(each.longest_ms), *process, plan)


def _settings() -> Table:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting, unit FROM pg_settings WHERE name = ANY(%s)", [[name for name, _ in _SETTINGS]])
        values = {name: _said(setting, unit) for name, setting, unit in cursor.fetchall()}
    rows = tuple((Code(name), values.get(name, "unknown"), meaning) for name, meaning in _SETTINGS)
    note = (
        "To log slow statements, a database administrator runs ALTER SYSTEM SET log_min_duration_statement = 1000 and reloads."
        " Leave the lengths of values at 0: a value is what a patient wrote."
    )
    return Table("What the server logs", ("Setting", "Now", "Meaning"), rows, note=note)


def _said(setting: str, unit: str | None) -> str:
    return "off" if setting == "-1" else f"{setting} {unit}" if unit else setting


def text_of(key: str) -> str | None:
    """The statement behind a key of the list, normalised; None when it has gone."""
    sample = QuerySample.objects.filter(digest=key).values_list("text", flat=True).first()
    if sample is not None:
        return str(sample)
    if not key.lstrip("-").isdigit() or not has_statistics():
        return None
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ONE, [int(key)])
            found = cursor.fetchone()
    except DatabaseError:
        return None
    return statements.normalised(found[0]) if found else None


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:,.0f} s"
