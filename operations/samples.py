"""Statements that take long, seen every few seconds by the watcher, where the server keeps no statistics of its own.

What begins and ends between two looks is not seen, so samples show what is often or long, not everything.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from operations import statements
from operations.models import QuerySample

# The guide's target for the database is 100 ms; what lasts longer than that when somebody happens to look counts.
SLOW_MS = 100
KEPT = timedelta(days=7)
# More at once would be one fault seen many times.
MOST = 50

# An index that is made and a copy that is taken are long by nature; they are still shown, because they hold others up.
_ACTIVITY = """
    SELECT pid, application_name, state, coalesce(wait_event_type || ': ' || wait_event, ''), query,
           CASE WHEN state = 'active' THEN query_start ELSE state_change END AS since,
           extract(epoch FROM clock_timestamp() - CASE WHEN state = 'active' THEN query_start ELSE state_change END) * 1000
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND state IN ('active', 'idle in transaction', 'idle in transaction (aborted)', 'fastpath function call')
    ORDER BY since LIMIT %s
"""


def take(now: datetime) -> int:
    """Keep what has taken long so far; a statement seen before grows. Returns how many were seen."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVITY, [MOST])
        seen = [row for row in cursor.fetchall() if row[4] and row[6] >= SLOW_MS]
    rows = [_sample(*row, now=now) for row in seen]
    changing = ["milliseconds", "state", "wait_event", "seen_at"]
    QuerySample.objects.bulk_create(rows, update_conflicts=True, unique_fields=["pid", "started_at"], update_fields=changing)
    return len(rows)


def _sample(
    pid: int, process: str, state: str, waits: str, query: str, since: datetime, milliseconds: float, *, now: datetime
) -> QuerySample:
    text = statements.normalised(query)
    return QuerySample(
        digest=statements.digest(text),
        text=statements.shortened(text),
        process=process[:64],
        state=state[:40],
        wait_event=waits[:80],
        milliseconds=float(milliseconds),
        pid=pid,
        started_at=since,
        seen_at=now,
    )


def forget(now: datetime) -> int:
    return QuerySample.objects.filter(seen_at__lt=now - KEPT).delete()[0]
