"""Rows that speak of what a lost server had: settled in its successor before anybody works with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

_HOLD_BACK = """
    UPDATE conversations_outboundmessage SET status = 'failed', failed_at = now(), reason = %s, retry_at = NULL
    WHERE status IN ('queued', 'sending', 'uncertain')
    AND NOT (urgent AND created_at >= coalesce(%s::timestamptz, 'infinity'))
"""
_SEND_AGAIN = """
    UPDATE conversations_outboundmessage SET status = 'queued', resent = true, retry_at = NULL, attended_at = NULL,
           in_flight_since = NULL, reason = ''
    WHERE status IN ('queued', 'sending', 'uncertain') AND urgent AND created_at >= %s
"""
_BACKUPS = (
    ("failed", "reason = 'Its server was lost.'", "running"),
    ("cancelled", "reason = ''", "requested"),
    ("expired", "step = 'only outside'", "taken"),
    ("expired", "step = 'only outside'", "verified"),
)


def hold_back(one: Any, reason: str, *, but_urgent_since: datetime | None = None) -> int:
    """Whether they went out nobody knows, so they are not sent by themselves; how many."""
    return int(one.execute(_HOLD_BACK, [reason, but_urgent_since]).rowcount)


def send_urgent_again(one: Any, *, since: datetime) -> int:
    """Help in an emergency twice is better than none: what is urgent and that young goes out, as a possible duplicate."""
    return int(one.execute(_SEND_AGAIN, [since]).rowcount)


def only_outside(one: Any, *, here: Sequence[UUID]) -> None:
    """Backups whose files are not on this machine; of those that were being made nothing is left."""
    for state, also, was in _BACKUPS:
        statement = f"UPDATE operations_backup SET status = %s, ended_at = now(), {also} WHERE status = %s AND id <> ALL(%s)"  # noqa: S608
        one.execute(statement, [state, was, list(here)])
