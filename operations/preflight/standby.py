"""Whether a standby follows that could take the server's place, and what it may cost the server's disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from operations.preflight import Line, good

NAME = "Standby"
_ASK = """
    SELECT s.name, coalesce(k.active, false), coalesce(k.wal_status, 'lost'), current_setting('max_slot_wal_keep_size') = '-1',
           s.state = 'building'
    FROM operations_standby s LEFT JOIN pg_replication_slots k ON k.slot_name = s.slot
    WHERE s.promoted_at IS NULL ORDER BY s.name
"""


def lines(open_one: psycopg.Connection[Any]) -> Iterator[Line]:
    found = open_one.execute(_ASK).fetchall()
    if not found:
        yield good(NAME, "None follows; a lost server is rebuilt from the copies outside.")
    for name, active, status, unlimited, building in found:
        if building and not active:
            yield good(NAME, f"{name} is being built.")
        else:
            yield line(name, active=active, status=status, unlimited=unlimited)


def line(name: str, *, active: bool, status: str, unlimited: bool) -> Line:
    if status == "lost":
        remedy = f"Run `manage.py standby remove {name}`, then build it anew with `manage.py standby create`."
        return Line(NAME, "at_risk", f"{name} can follow no more: its part of the log is gone.", remedy)
    if not active:
        remedy = "Look whether its machine runs, and start it there with `manage.py standby start --into FOLDER`."
        return Line(NAME, "at_risk", f"{name} does not follow, and the server keeps its log for it.", remedy)
    if unlimited:
        said = f"{name} follows. Should it stay away, the server keeps its log for it until the disk is full."
        return Line(NAME, "at_risk", said, "Set max_slot_wal_keep_size (10GB, say) on the server and reload it.")
    return good(NAME, f"{name} follows.")
