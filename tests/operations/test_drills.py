"""Drills on the real server: what is there is measured, what is lost is seen, and nothing can be exchanged by one."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from operations import backup_schedule, backups, checkpoints, drill_compare, drills, postgres, sealed, tiers, wal
from operations.models import Backup, Checkpoint, Drill
from operations.operator import Operator
from tests import factories
from tests.operations.test_recovery import caught_up, pause
from tests.test_architecture import sources

SECOND = timedelta(seconds=1)


@pytest.fixture
def own_folders(own_backups: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are stamped well before they are asked for."""
    monkeypatch.setattr(drill_compare, "MARGIN", SECOND / 2)


real = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folders")]


def some_messages(number: int) -> None:
    for _ in range(number):
        factories.an_inbound(None, received_at=timezone.now() - 5 * 60 * SECOND)


def counted() -> datetime:
    """A checkpoint, and an instant after it."""
    checkpoints.take(timezone.now())
    time.sleep(0.5)
    return pause()


class TestOnARealServer:
    pytestmark = real

    def test_a_copy_of_an_instant_is_measured_and_good(self) -> None:
        with wal.received():
            caught_up()
            some_messages(30)
            base = backups.take("full", now=timezone.now())
            instant = counted()
            some_messages(3)
            counted()
            caught_up()
            drill = drills.run(drills.request("person", now=timezone.now(), instant=instant), now=timezone.now())
        assert (drill.status, drill.base, drill.instant, drill.step) == ("passed", base, instant, "")
        assert drill.tables > 40
        steps = [drill.materialise_seconds, drill.recover_seconds, drill.compare_seconds]
        assert all(took is not None and took > 0 for took in steps)
        assert drill.rto_seconds is not None
        # Both steps, rounded, and what lies between them.
        assert -0.1 < drill.rto_seconds - sum(took or 0 for took in steps[:2]) < 10
        assert drill.rpo_seconds is not None
        assert 0 < drill.rpo_seconds < 60
        assert drill.exposure_seconds == pytest.approx(0, abs=5)
        assert drill.checkpoint_at == Checkpoint.objects.earliest("at").at
        assert not (Path(postgres.home().make("scratch")) / f"drill-{drill.pk}").exists()

    def test_a_backup_that_silently_lost_a_table_is_found_out(self) -> None:
        with wal.received():
            caught_up()
            some_messages(30)
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE conversations_inboundmessage")
            base = backups.take("full", now=timezone.now())
            forge(base, without="conversations_inboundmessage")
            instant = counted()
            caught_up()
            asked = drills.request("person", now=timezone.now(), instant=instant)
            with pytest.raises(drills.Failed, match=r"conversations_inboundmessage has 0 rows .* in place of 30"):
                drills.run(asked, now=timezone.now())
        asked.refresh_from_db()
        assert (asked.status, asked.step) == ("failed", "comparing with what was counted then")
        assert asked.ended_at is not None
        assert asked.rto_seconds is None

    def test_an_instant_is_chosen_at_random_between_what_was_counted(self) -> None:
        with wal.received():
            caught_up()
            backups.take("full", now=timezone.now())
            with pytest.raises(drills.NoDrill, match="Too little was counted"):
                drills.random_instant(now=timezone.now())
            counted()
            counted()
            time.sleep(3)  # what was counted just now is left out
            caught_up()
            first, last = Checkpoint.objects.earliest("at").at, Checkpoint.objects.latest("at").at
            chosen = {drills.random_instant(now=timezone.now()) for _ in range(20)}
            assert len(chosen) > 10
            assert all(first <= each <= last + SECOND / 2 for each in chosen)
            call_command("drill")
        assert Drill.objects.get().status == "passed"

    def test_the_operator_holds_one_after_the_first_base_backup(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backup_schedule, "ask_for_missed", lambda now: [])
        operator = Operator()
        with wal.received():
            caught_up()
            asked = backups.request("full", now=timezone.now())
            operator.work()
            asked.refresh_from_db()
            assert (asked.status, Drill.objects.count()) == ("verified", 0)
            for _ in range(drills.ENOUGH):
                counted()
            time.sleep(3)
            caught_up()
            operator.work()
            operator.work()
        drill = Drill.objects.get()
        assert (drill.reason, drill.status, drill.cause, drill.base) == ("", "passed", "backup", asked)

    def test_a_hole_in_the_log_fails_the_drill_and_says_so(self) -> None:
        with wal.received():
            caught_up()
            backups.take("full", now=timezone.now())
            instant = counted()
            caught_up()
        for each in wal.segments():
            each.path.unlink()
        with pytest.raises(CommandError, match="does not reach back"):
            call_command("drill", "--at", instant.isoformat())
        assert Drill.objects.get().reason.startswith("The log does not reach back")


def forge(backup: Backup, *, without: str) -> None:
    """The table's file is empty, and every manifest agrees: what a fault of the copying itself would look like."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_filepath(%s::regclass)", [without])
        lost = cursor.fetchone()[0]
    place = backups.place(backup)
    manifest = backups.read_manifest(backup.pk)
    plain = io.BytesIO()
    sealed.read(place / "base.tar.age", plain, expected=sealed.Sealed(**manifest["files"][0]))
    plain.seek(0)
    changed = io.BytesIO()
    with tarfile.open(fileobj=plain) as old, tarfile.open(fileobj=changed, mode="w") as new:
        for member in old:
            data = old.extractfile(member).read() if member.isfile() else b""  # type: ignore[union-attr]
            if member.name == lost:
                data = b""
            if member.name == backups.PG_MANIFEST:
                data = without_file(data, lost)
            member.size = len(data)
            new.addfile(member, io.BytesIO(data) if member.isfile() else None)
    changed.seek(0)
    (place / "base.tar.age").unlink()
    entry = sealed.write(place / "base.tar.age", changed)
    (place / backups.MANIFEST).write_text(json.dumps(manifest | {"files": [entry.as_json]}))


def without_file(data: bytes, lost: str) -> bytes:
    manifest: dict[str, Any] = json.loads(data)
    (entry,) = [each for each in manifest["Files"] if each.get("Path") == lost]
    entry.update({"Size": 0, "Checksum": hashlib.sha256(b"").hexdigest()})
    return json.dumps(manifest).encode()


# What is compared, on the live database in place of a copy


@pytest.fixture
def copy() -> Iterator[Any]:
    with backups._own_connection() as own:
        yield own
        own.rollback()


@pytest.mark.django_db(transaction=True)
class TestComparing:
    @pytest.fixture(autouse=True)
    def _margin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(drill_compare, "MARGIN", SECOND / 100)

    def looked(self, copy: Any) -> drill_compare.Compared:
        time.sleep(0.05)
        return drill_compare.compare(copy, drill_compare.expected(timezone.now()))

    def test_the_database_is_like_itself(self, copy: Any) -> None:
        some_messages(3)
        row = checkpoints.take(timezone.now())
        assert self.looked(copy) == drill_compare.Compared(row.at, len(row.tables))

    def test_one_message_that_is_missing_is_seen(self, copy: Any) -> None:
        some_messages(30)
        checkpoints.take(timezone.now())
        copy.execute(
            "DELETE FROM conversations_inboundmessage WHERE id = (SELECT min(id::text)::uuid FROM conversations_inboundmessage)"
        )
        with pytest.raises(drill_compare.Differs, match=r"inboundmessage has 29 rows up to .* UTC in place of 30"):
            self.looked(copy)

    def test_a_message_that_was_erased_from_the_live_database_too_is_no_difference(self, copy: Any) -> None:
        some_messages(3)
        checkpoints.take(timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM conversations_inboundmessage")
        assert self.looked(copy).tables > 40

    def test_a_small_table_that_came_back_empty_or_is_gone_is_seen(self, copy: Any) -> None:
        factories.a_contact()
        checkpoints.take(timezone.now())
        copy.execute("DELETE FROM conversations_contact")
        with pytest.raises(drill_compare.Differs, match="conversations_contact is empty in place of 1 rows"):
            self.looked(copy)
        copy.execute("DROP TABLE conversations_feedback CASCADE")
        with pytest.raises(drill_compare.Differs, match="conversations_feedback is missing"):
            self.looked(copy)

    def test_a_migration_that_is_missing_is_seen(self, copy: Any) -> None:
        checkpoints.take(timezone.now())
        copy.execute("DELETE FROM django_migrations WHERE app = 'operations' AND name = '0012_drills'")
        with pytest.raises(drill_compare.Differs, match="the migration operations.0012_drills is missing"):
            self.looked(copy)

    def test_a_copy_that_ends_too_early_or_too_late_is_seen(self, copy: Any) -> None:
        first = checkpoints.take(timezone.now())
        time.sleep(0.05)
        between = timezone.now()
        time.sleep(0.05)
        checkpoints.take(timezone.now())
        with pytest.raises(drill_compare.Differs, match="later than the instant"):
            drill_compare.compare(copy, drill_compare.expected(between))
        copy.execute("DELETE FROM operations_checkpoint WHERE number > %s", [first.number])
        with pytest.raises(drill_compare.Differs, match="it ends too early"):
            self.looked(copy)

    def test_where_only_the_time_was_kept_the_count_before_it_is_compared(self, copy: Any) -> None:
        some_messages(30)
        counted = checkpoints.take(timezone.now())
        last = checkpoints.take(timezone.now())
        Checkpoint.objects.filter(pk=last.pk).update(tables={})
        assert self.looked(copy) == drill_compare.Compared(last.at, len(counted.tables))
        copy.execute("DELETE FROM conversations_inboundmessage WHERE id IN (SELECT id FROM conversations_inboundmessage LIMIT 1)")
        with pytest.raises(drill_compare.Differs, match="inboundmessage has 29 rows"):
            self.looked(copy)

    def test_without_a_count_there_is_nothing_to_compare_with(self) -> None:
        with pytest.raises(drill_compare.Differs, match="Nothing was counted before"):
            drill_compare.expected(timezone.now())


# When one is due


NOW = timezone.now()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def a_base(age: timedelta, status: str = "verified") -> Backup:
    at = NOW - age
    times = {"requested_at": at, "started_at": at, "taken_at": at, "verified_at": at}
    return Backup.objects.create(kind="full", status=status, **times)


def a_drill(age: timedelta, status: str = "passed") -> Drill:
    at = NOW - age
    base = Backup.objects.first()
    reason = "The copy differs." if status == "failed" else ""
    times = {"requested_at": at, "started_at": at, "ended_at": at, "instant": at}
    return Drill.objects.create(cause="weekly", status=status, reason=reason, base=base, rto_seconds=4, **times)


def some_counts(at: datetime) -> None:
    for second in range(drills.ENOUGH):
        Checkpoint.objects.create(at=at + second * SECOND, tables={})


@pytest.mark.django_db
class TestDue:
    def test_after_each_base_backup_and_not_more_than_once_a_day(self) -> None:
        assert drills.due(now=NOW) is None
        a_base(2 * DAY)
        assert drills.due(now=NOW) is None, "nothing was counted yet"
        some_counts(NOW)
        assert drills.due(now=NOW) == "backup"
        a_drill(DAY)
        assert drills.due(now=NOW) is None
        a_base(HOUR)
        assert drills.due(now=NOW) == "backup"
        a_drill(22 * HOUR)
        assert drills.due(now=NOW) is None

    def test_after_a_week_without_a_new_one(self) -> None:
        a_base(9 * DAY)
        some_counts(NOW - DAY)
        a_drill(7 * DAY - HOUR)
        assert drills.due(now=NOW) is None
        assert drills.due(now=NOW + HOUR) == "weekly"

    def test_a_day_after_one_that_failed(self) -> None:
        a_base(9 * DAY)
        some_counts(NOW - DAY)
        a_drill(22 * HOUR, "failed")
        assert drills.due(now=NOW) is None
        assert drills.due(now=NOW + HOUR) == "again"

    def test_a_server_that_sends_no_log_has_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a_base(2 * DAY)
        some_counts(NOW - DAY)
        monkeypatch.setattr(tiers, "detect", lambda: tiers.Tier("C", False))
        assert drills.due(now=NOW) is None
        assert drills.run_due(now=NOW) is None

    def test_who_asks_while_one_waits_gets_the_one_that_waits(self) -> None:
        asked = drills.request("person", now=NOW, by=factories.staff("asha"))
        assert drills.request("weekly", now=NOW) == asked

    def test_what_was_asked_for_is_run_and_its_end_is_written_down(self) -> None:
        asked = drills.request("person", now=NOW)
        assert drills.run_due(now=NOW) == asked
        asked.refresh_from_db()
        assert (asked.status, asked.ended_at is not None) == ("failed", True)
        assert asked.reason == "There is no base backup with an unbroken log yet, so no instant can be restored."

    def test_a_drill_whose_process_died_has_failed_and_one_that_lives_has_not(self) -> None:
        Drill.objects.create(cause="weekly", status="running", requested_at=NOW, started_at=NOW)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with drills.alone():
                held.set()
                done.wait(20)

        other = threading.Thread(target=hold)
        other.start()
        held.wait(20)
        drills.fail_silent()
        assert Drill.objects.get().status == "running"
        done.set()
        other.join()
        drills.fail_silent()
        assert Drill.objects.get().reason == "Its process ended before it was done."


def test_a_drill_cannot_reach_the_code_that_exchanges_databases() -> None:
    imports = {source.name: {each.module for each in source.imports} for source in sources()}
    reached, left = set[str](), ["operations.drills"]
    while left:
        name = left.pop()
        reached.add(name)
        left += [each for each in imports.get(name, ()) if each not in reached]
    assert {"operations.recovery", "operations.drill_compare", "operations.verification"} <= reached
    assert not reached & {f"operations.{name}" for name in ("restores", "databases", "carrying", "lifting", "holding")}
