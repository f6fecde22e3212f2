"""Point-in-time recovery on the real server: what was committed by the instant is there, and nothing later."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone

from operations import backups, postgres, recovery, wal
from operations.models import Backup
from tests.stack import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_backups")]


def pause() -> datetime:
    """An instant with a commit on neither side of it for a while."""
    time.sleep(0.3)
    now = timezone.now()
    time.sleep(0.3)
    return now


def caught_up() -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        state = wal.receiving()
        if state is not None and state.caught_up:
            return
        time.sleep(0.05)
    raise AssertionError(f"the receiver did not catch up: {wal.receiving()}")


def nothing_to_lose() -> None:
    """The server writes log of its own now and then, which is received a moment later."""
    eventually(lambda: wal.exposure(now=timezone.now()) == 0.0, seconds=20, what="all of the log to be received")


def test_any_instant_between_a_backup_and_now_can_be_had() -> None:
    with wal.received():
        caught_up()
        backups.take("full", now=timezone.now())
        Group.objects.create(name="before")
        between = pause()
        Group.objects.create(name="after")
        caught_up()
        nothing_to_lose()
        with recovery.at(between, name="test-between", now=timezone.now()) as server:
            database = connection.settings_dict["NAME"]
            with server.connect(str(database)) as one:
                assert [row[0] for row in one.execute("SELECT name FROM auth_group")] == ["before"]
        found = recovery.window()
        assert found is not None
        assert found[0] <= between
    # Without a receiver nobody may call it zero.
    assert wal.exposure(now=timezone.now()) is None


def test_a_receiver_whose_keeper_was_killed_makes_room_for_the_next() -> None:
    with wal.received() as orphan:
        caught_up()
        with wal.received() as next_one:
            orphan.wait(20)
            caught_up()
            assert next_one.poll() is None


@pytest.mark.matrix
def test_one_flipped_byte_in_the_received_log_stops_recovery_before_it_and_is_said() -> None:
    with wal.received():
        caught_up()
        backups.take("full", now=timezone.now())
        pause()
        caught_up()
        start = written_so_far()
        Group.objects.create(name="behind the damage")
        caught_up()
        instant = pause()
        Group.objects.create(name="later")
        caught_up()
    piece = wal.segments()[-1].path
    data = bytearray(piece.read_bytes())
    data[start + 40] ^= 1
    piece.write_bytes(data)
    with (
        pytest.raises(postgres.ToolProblem, match="cannot be started"),
        recovery.at(instant, name="test-flipped", now=timezone.now()),
    ):
        pass


def written_so_far() -> int:
    """Where in the piece that is being written the next record begins."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (pg_walfile_name_offset(pg_current_wal_insert_lsn())).file_offset")
        return int(cursor.fetchone()[0])


def test_an_instant_that_cannot_be_had_is_refused_with_the_one_that_can() -> None:
    now = timezone.now()
    with (
        pytest.raises(recovery.NotRestorable, match="has not come yet"),
        recovery.at(now + timedelta(hours=1), name="x", now=now),
    ):
        pass
    with pytest.raises(recovery.NotRestorable, match="There is no base backup yet"), recovery.at(now, name="x", now=now):
        pass
    Backup.objects.create(kind="full", status="taken", requested_at=now, started_at=now, taken_at=now)
    with pytest.raises(recovery.NotRestorable, match="The earliest is"):
        recovery.base_for(now - timedelta(days=1))


def a_segment(place: Path, name: str) -> None:
    (place / name).touch()


def test_a_hole_in_the_log_is_seen_before_anything_is_restored(tmp_path: Path) -> None:
    for name in ("000000010000000000000003", "000000010000000000000004", "000000010000000000000006.partial", "history"):
        a_segment(tmp_path, name)
    assert list(wal.gaps(wal.segments(tmp_path))) == ["1 piece of the log is missing after 000000010000000000000004."]
    with pytest.raises(wal.NoWal, match="missing"):
        wal.unbroken_from("0/3000028", tmp_path)
    a_segment(tmp_path, "000000010000000000000005")
    wal.unbroken_from("0/3000028", tmp_path)
    with pytest.raises(wal.NoWal, match="does not reach back"):
        wal.unbroken_from("0/2000028", tmp_path)


def test_a_segment_that_was_never_finished_is_a_hole(tmp_path: Path) -> None:
    for name in ("000000010000000000000003.partial", "000000010000000000000004"):
        a_segment(tmp_path, name)
    assert list(wal.gaps(wal.segments(tmp_path))) == ["000000010000000000000003.partial was never finished."]


def test_the_last_segment_of_a_log_file_is_followed_by_the_first_of_the_next(tmp_path: Path) -> None:
    for name in ("0000000100000000000000FF", "000000010000000100000000"):
        a_segment(tmp_path, name)
    wal.unbroken_from("0/FF000000", tmp_path)
    assert wal.expire("1/10", tmp_path) == 1
    assert [each.path.name for each in wal.segments(tmp_path)] == ["000000010000000100000000"]
