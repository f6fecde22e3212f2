"""Up to when everything is received, what can be restored, and holes in the log: on the real server and its real slot."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from operations import backups, drills, first_backup, protection, recovery_state, tiers, wal
from operations.models import Backup, Incident, Protection
from tests.operations.test_recovery import caught_up

NOW = timezone.now()
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_backups")
def test_what_is_received_is_noted_and_what_is_not_grows() -> None:
    assert protection.note(timezone.now()).safe_at is None, "nobody receives"
    with wal.received():
        caught_up()
        until = time.monotonic() + 20
        while (row := protection.note(now := timezone.now())).safe_at != now and time.monotonic() < until:
            time.sleep(0.05)  # the server writes log of its own now and then
        assert row.safe_at == row.noted_at == now
        protection.survey(now=timezone.now())
        found = recovery_state.look(now=now + SECOND)
        assert (found.tier, found.exposure, found.exposure_said, found.rpo_met) == ("A", timedelta(0), "nothing", True)
    Group.objects.create(name="written while nobody receives")
    until = time.monotonic() + 20
    while (state := wal.receiving()) and state.active and time.monotonic() < until:
        time.sleep(0.05)
    later = now + 20 * MINUTE
    assert protection.note(later).safe_at == now
    found = recovery_state.look(now=later)
    assert (found.exposure, found.rpo_met, found.state) == (20 * MINUTE, False, "breached")
    assert found.said == "20 minutes of work would be lost if the disk failed now."


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_backups")
def test_a_receiver_that_is_never_quite_at_the_end_is_as_good_as_the_mark_it_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    with wal.received():
        caught_up()
        protection.note(NOW)
        Protection.objects.update(safe_at=NOW - MINUTE, position="0/1", position_at=NOW - 5 * SECOND)
        # Somebody writes just then: the log stands further than anything that can be received.
        monkeypatch.setattr(protection, "_WHERE", protection._WHERE.replace("restart_lsn >= log.stands", "false"))
        row = protection.note(NOW + 5 * SECOND)
    assert (row.safe_at, row.position_at) == (NOW - 5 * SECOND, NOW + 5 * SECOND)
    assert row.position != "0/1"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_backups")
def test_a_hole_opens_one_incident_and_asks_for_a_full_backup_which_ends_it() -> None:
    with wal.received():
        caught_up()
        first = backups.take("full", now=timezone.now())
        caught_up()
    later = timezone.now() + 10 * MINUTE
    assert protection.look_for_holes(now=later) == []
    start = backups.read_manifest(first.pk)["started_from"]
    for each in wal.segments():
        each.path.unlink()
    with pytest.raises(wal.NoWal):
        wal.unbroken_from(start)
    assert len(protection.look_for_holes(now=later)) == 1
    incident = Incident.objects.get()
    assert (incident.kind, incident.severity, incident.runbook) == ("log_gap", 2, "docs/runbooks/log-receiver.md")
    assert Backup.objects.filter(status="requested", kind="full").count() == 1
    protection.look_for_holes(now=later + MINUTE)
    assert Backup.objects.filter(status="requested").count() == 1, "asked for once"
    wal.drop_slot()
    with wal.received():
        caught_up()
        Backup.objects.filter(status="requested").delete()
        backups.take("full", now=timezone.now())
        caught_up()
        protection.look_for_holes(now=timezone.now() + 10 * MINUTE)
    incident.refresh_from_db()
    assert incident.state == "monitoring"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_backups")
def test_what_was_kept_before_a_recovery_has_no_hole_because_the_log_began_anew() -> None:
    with wal.received():
        caught_up()
        backups.take("full", now=timezone.now())
    for piece in wal.folder().iterdir():
        piece.unlink()
    later = timezone.now() + 10 * MINUTE
    assert len(protection.look_for_holes(now=later)) == 1
    first_backup.owe(now=timezone.now())
    assert protection.look_for_holes(now=later) == []
    with wal.received():
        caught_up()
        full = first_backup.owed(now=timezone.now())
        assert full is not None
        backups.make(full, now=timezone.now())
        caught_up()
        assert first_backup.owed(now=timezone.now()) is None
        assert protection.look_for_holes(now=later) == []


@pytest.mark.django_db
def test_settings_and_files_have_no_log_to_look_for_holes_in() -> None:
    old = NOW - 60 * MINUTE
    Backup.objects.create(kind="configuration", status="taken", requested_at=old, started_at=old, taken_at=old)
    assert protection.look_for_holes(now=NOW) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_backups")
def test_the_first_instant_is_surveyed_once_a_minute_and_after_a_backup_at_once() -> None:
    with wal.received():
        caught_up()
        protection.survey(now=NOW)
        Protection.objects.update(tier="C")
        protection.survey(now=NOW + 59 * SECOND)
        assert (Protection.objects.get().tier, Protection.objects.get().earliest) == ("C", None)
        protection.survey(now=NOW + MINUTE)
        assert Protection.objects.get().tier == "A"
        backups.take("full", now=timezone.now())
        protection.survey(now=NOW + MINUTE + SECOND)
    row = Protection.objects.get()
    assert row.earliest is not None
    assert (row.tier, row.reasons) == ("A", [])


@pytest.mark.django_db
def test_where_there_are_dumps_only_the_first_dump_is_the_first_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "Our account may not read the log: ALTER ROLE ... REPLICATION allows it."
    monkeypatch.setattr(tiers, "detect", lambda: tiers.Tier("C", False, (reason,)))
    times = {"requested_at": NOW, "started_at": NOW, "taken_at": NOW, "verified_at": NOW}
    Backup.objects.create(kind="dump", status="verified", **times)
    protection.keep(now=NOW)
    row = Protection.objects.get()
    assert (row.tier, row.reasons, row.earliest) == ("C", [reason], NOW)


@pytest.mark.django_db
def test_the_loop_of_the_operator_holds_a_drill_that_was_asked_for() -> None:
    asked = drills.request("person", now=NOW)
    protection.keep(now=NOW)
    asked.refresh_from_db()
    assert asked.status == "failed"
