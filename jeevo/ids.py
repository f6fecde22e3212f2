"""Keys that leave the database: UUIDv7, because a restore rewinds sequences and a reused integer would hit the wrong row."""

from __future__ import annotations

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    return compat.uuid7()
