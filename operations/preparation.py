"""What must be true before the processes start, done once and safe to repeat: tables, a clear cache, roles, the first
account, the starter articles."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from conversations import roles as rule_roles
from knowledge import roles, starter
from operations import backup_schedule, erasure_record, erasures, pauses, releases, synchronous
from operations import roles as staff_roles

# Any constant will do, as long as every starter uses the same one.
_LOCK = 7_233_861
Say = Callable[[str], None]


def prepare(*, say: Say) -> None:
    """Tables under a lock, the roles, the first account, the starter articles, the cache and only the cache cleared."""
    # After a kill of everything a server of one's own may still wait for a receiver that is gone.
    with synchronous.guarded(), migration_lock():
        call_command("migrate", interactive=False, verbosity=0)
        say("Tables are up to date.")
        releases.note(now=timezone.now())
        make_roles()
        backup_schedule.ensure()
        first_account(say=say)
        pauses.service_started(now=timezone.now())
        settle_erasures(say=say)
        if settings.ENVIRONMENT.serve_starter_content:
            loaded = starter.load()
            say(f"Starter articles: {loaded.added} new, {loaded.changed} changed, {loaded.unchanged} as before.")
    # FLUSHDB of the cache's own database; the broker lives in another.
    cache.clear()


def settle_erasures(*, say: Say) -> None:
    """Said and no more: the service starts without the record, and no restore does."""
    try:
        found = erasures.settle()
    except erasure_record.Damaged as problem:
        say(str(problem))
        return
    if found:
        say(f"The record of erasures: {found} lines that a restore or a stop had left in one of two places are in both.")


def make_roles() -> None:
    """Every group with what it may do. Those of knowledge first: the rules of triage are given to them."""
    roles.ensure()
    rule_roles.ensure()
    staff_roles.ensure()


@contextmanager
def migration_lock() -> Iterator[None]:
    """One migrator at a time, however many containers start together."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
            cursor.execute("RESET statement_timeout")


def first_account(*, say: Say) -> None:
    """In the sandbox, the account `admin` with a generated password kept beside the keys. A live service makes its own."""
    users = get_user_model().objects
    if settings.LIVE or users.filter(is_superuser=True).exists():
        return
    path: Path = settings.ENVIRONMENT.keys / "admin_password"
    password = path.read_text().strip() if path.exists() else secrets.token_urlsafe(9)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(password + "\n")
    users.create_superuser("admin", password=password)
    say("The account admin was made.")
