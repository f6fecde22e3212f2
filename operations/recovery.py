"""A data directory as it was at an instant: a base backup, the log received since, and PostgreSQL's own recovery.

Nothing here needs the live server: the files are enough. The copy is started in scratch, and whoever asked reads it there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.utils.dateparse import parse_datetime

from operations import backups, postgres, verification, wal
from operations.models import Backup

# Recovery stops before this; the live server takes no notice of it.
_STOP = "%Y-%m-%d %H:%M:%S.%f+00"


class NotRestorable(Exception):
    """One sentence: why this instant cannot be had, and which can."""


def base_for(instant: datetime) -> Backup:
    """The newest base backup that was complete by then."""
    rows = Backup.objects.kept().bases().filter(taken_at__lte=instant)
    found = rows.order_by("-taken_at").first()
    if found is None:
        first = Backup.objects.kept().bases().order_by("taken_at").first()
        since = f"The earliest is {first.taken_at:%Y-%m-%d %H:%M:%S} UTC." if first else "There is no base backup yet."
        raise NotRestorable(f"No base backup is as old as that. {since}")
    return found


def _nobody(_: str) -> None:
    """Nobody asked to be told."""


@contextmanager
def at(instant: datetime, *, name: str, now: datetime, told: Callable[[str], None] = _nobody) -> Iterator[postgres.Scratch]:
    """A scratch server that holds what was committed by `instant` and nothing later. `told` hears each step begin."""
    if instant > now:
        raise NotRestorable("This instant has not come yet.")
    base = base_for(instant)
    manifest = backups.read_manifest(base.pk)
    wal.unbroken_from(manifest["started_from"])
    with postgres.scratch(name) as place:
        told("materialise")
        cluster = verification.materialise(base, place)
        (cluster / "recovery.signal").touch()
        postgres.home().give(cluster / "recovery.signal")
        told("recover")
        with postgres.started(cluster, major=manifest["major"], options=_options(instant)) as server:
            yield server


def _options(instant: datetime) -> dict[str, str]:
    archive = str(wal.folder()).replace("'", "'\\''")
    # The last segment is still being written; it is as good as far as it goes.
    fetch = f"cp '{archive}/%f' '%p' 2>/dev/null || cp '{archive}/%f.partial' '%p'"
    stop = instant.astimezone(UTC).strftime(_STOP)
    return verification.QUICK | {
        "restore_command": fetch,
        "recovery_target_time": stop,
        "recovery_target_inclusive": "on",
        "recovery_target_action": "promote",
    }


def window() -> tuple[datetime, Backup] | None:
    """The earliest instant that can be restored, and the base backup it rests on."""
    for base in Backup.objects.kept().bases().order_by("taken_at"):
        manifest = backups.read_manifest(base.pk)
        finished = parse_datetime(manifest["finished_at"])
        try:
            wal.unbroken_from(manifest["started_from"])
        except wal.NoWal:
            continue
        if finished is not None:
            return finished, base
    return None
