"""How far the service could be brought back if its disk were lost now, written down as the loops find it out.

The watcher notes up to when every change is known to be received, in one question each round. The operator's process says
the tier and the first instant that can be restored, and looks for holes in the received log: one opens an incident and
asks for a full backup, so that the next instants can be had again.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from django.db import connection

from operations import backups, drills, first_backup, recovery, sealed, signals, tiers, wal
from operations.models import Backup, Incident, Protection

log = structlog.get_logger(__name__)
SURVEY_EVERY = timedelta(minutes=1)
# A base backup that was made a moment ago may be ahead of the receiver.
YOUNG = timedelta(minutes=5)
GAP, RUNBOOK = "log_gap", "docs/runbooks/log-receiver.md"
_WHERE = """
    SELECT log.stands::text, restart_lsn >= log.stands, restart_lsn >= %(mark)s::pg_lsn, log.stands < %(mark)s::pg_lsn,
           current_setting('synchronous_standby_names') = %(slot)s
    FROM (SELECT pg_current_wal_flush_lsn() AS stands) AS log LEFT JOIN pg_replication_slots ON slot_name = %(slot)s AND active
"""


def note(now: datetime) -> Protection:
    """Up to when everything is received. A busy receiver is never quite at the end, so a mark is set and waited for."""
    row, _ = Protection.objects.get_or_create(name="service")
    with connection.cursor() as cursor:
        cursor.execute(_WHERE, {"mark": row.position or None, "slot": wal.SLOT})
        stands, at_the_end, at_the_mark, put_back, row.waits = cursor.fetchone()
    if at_the_end:
        row.safe_at = now
    elif at_the_mark:
        row.safe_at = row.position_at
    if at_the_end or at_the_mark or not row.position or put_back:
        row.position, row.position_at = stands, now
    row.noted_at = now
    row.save(update_fields=["safe_at", "position", "position_at", "noted_at", "waits"])
    return row


def keep(*, now: datetime) -> None:
    """What the operator's process does between backups: look what can be restored, and practise when it is time."""
    survey(now=now)
    drills.run_due(now=now)


def survey(*, now: datetime) -> None:
    """The tier, the first instant, and holes; once a minute."""
    row, _ = Protection.objects.get_or_create(name="service")
    if row.surveyed_at is not None and abs(now - row.surveyed_at) < SURVEY_EVERY:
        return
    tier = tiers.detect()
    row.tier, row.reasons, row.earliest, row.surveyed_at = tier.letter, list(tier.reasons), _earliest(tier), now
    row.save(update_fields=["tier", "reasons", "earliest", "surveyed_at"])
    if tier.letter == "A":
        look_for_holes(now=now)


def _earliest(tier: tiers.Tier) -> datetime | None:
    if tier.letter != "A":
        dumps = Backup.objects.kept().filter(kind=Backup.Kind.DUMP).order_by("taken_at")
        return dumps.values_list("taken_at", flat=True).first()
    try:
        window = recovery.window()
    except (sealed.Damaged, OSError):
        log.warning("what can be restored is not known, because a manifest cannot be read")
        return None
    return window[0] if window else None


def look_for_holes(*, now: datetime) -> list[str]:
    """A sentence for each hole in what is kept. Each is told once; it is over when a base backup lies after it."""
    bases = list(Backup.objects.kept().bases().filter(taken_at__lt=now - YOUNG).order_by("taken_at"))
    anew = first_backup.began_anew()
    if anew is not None:  # the log of before lies outside, if anywhere
        bases = [base for base in bases if base.requested_at >= anew]
    if not bases:
        return []
    whole, latest = _hole_since(bases[0]), _hole_since(bases[-1])
    found = [hole for hole in dict.fromkeys((latest, whole)) if hole]
    for hole in found:
        if not Incident.objects.filter(kind=GAP, scope=hole[:120]).exists():
            _tell(hole, now=now)
    if not latest:
        for incident in Incident.objects.live().filter(kind=GAP):
            signals.gone(incident, "A base backup lies after the hole: instants since then can be restored.", now=now)
    return found


def _hole_since(base: Backup) -> str:
    try:
        wal.unbroken_from(backups.read_manifest(base.pk)["started_from"])
    except wal.NoWal as hole:
        return str(hole)
    except sealed.Damaged:  # the next verification and drill say so
        return ""
    return ""


def _tell(hole: str, *, now: datetime) -> None:
    signals.seen(
        GAP,
        hole,
        "The received log has a hole: some instants cannot be restored",
        severity=Incident.Severity.HIGH,
        source=Incident.Source.DETECTOR,
        now=now,
        details=f"{hole} Instants between it and the next base backup are lost. A full backup was asked for.",
        runbook=RUNBOOK,
    )
    with suppress(backups.NotTaken):
        backups.request(Backup.Kind.FULL, now=now)
