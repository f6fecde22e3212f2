"""How well this server can be backed up, found out by asking it: the page says so, and never promises more.

A: the log is received as it is written, any instant can be restored. C: dumps only, no instant between them.
(B, a managed server with its provider's own recovery, is C here plus the provider's tool: see the docs.)
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from operations import postgres

_ASK = """
    SELECT current_setting('wal_level'), current_setting('max_wal_senders')::int, current_setting('summarize_wal', true),
           rolreplication OR rolsuper
    FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True)
class Tier:
    """`reasons` say what keeps it from A; `incremental` whether base backups may build on one another."""

    letter: str
    incremental: bool
    reasons: tuple[str, ...] = ()


def detect() -> Tier:
    with connection.cursor() as cursor:
        cursor.execute(_ASK)
        level, senders, summarize, may_replicate = cursor.fetchone()
    reasons = []
    if level not in ("replica", "logical"):
        reasons.append("The server writes too little into its log: set wal_level to replica and restart it.")
    if senders < 3:
        reasons.append("The server allows too few senders of its log: set max_wal_senders to 10 and restart it.")
    if not may_replicate:
        reasons.append("Our account may not read the log: ALTER ROLE ... REPLICATION allows it.")
    try:
        postgres.tools(postgres.server_major())
    except postgres.ToolProblem as problem:
        reasons.append(str(problem))
    return Tier("C" if reasons else "A", summarize == "on" and not reasons, tuple(reasons))
