"""A short look at the service after its database was exchanged: the parts answer over fresh connections, the tables are
those of this release, and the rows that everything hangs on can be read through Django."""

from __future__ import annotations

import time

import psycopg
import structlog
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor

from operations.health import Check, Database, Knowledge, Queue

log = structlog.get_logger(__name__)
# Redis holds nothing that a restore changes, so its absence is no reason to go back.
PARTS: tuple[type[Check], ...] = (Database, Knowledge, Queue)
PATIENCE_SECONDS = 20.0


def well(*, patience: float = PATIENCE_SECONDS) -> bool:
    """Whether everything is well at some moment within this time."""
    until = time.monotonic() + patience
    while True:
        trouble = first_trouble()
        if not trouble:
            return True
        if time.monotonic() > until:
            log.error("the service is not well after the exchange", part=trouble)
            return False
        time.sleep(0.5)


def first_trouble() -> str:
    """The part that does not answer as it should; "" when all do."""
    part = "connection"
    try:
        for check in PARTS:
            part = check.name
            check().run()  # type: ignore[unused-coroutine]  # ours are not
        part = "tables"
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return part
        part = "accounts"
        return "" if User.objects.filter(is_active=True).exists() else part
    except (psycopg.Error, DatabaseError, InterfaceError):
        connection.close()
        return part
