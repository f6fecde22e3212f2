"""Point-in-time recovery on the real server: what was committed by the instant is there, and nothing later."""

from __future__ import annotations

import sys
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


def a_segment(place: Path, name: str, *, size: int | None = None) -> None:
    """With as much of the header of its first page as tells its size, or with nothing in it."""
    (place / name).write_bytes(bytes(32) + size.to_bytes(4, sys.byteorder) if size else b"")


MB = 1024 * 1024


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


@pytest.mark.parametrize(("size", "last"), [(MB, "FFF"), (4 * MB, "3FF"), (16 * MB, "0FF"), (1024 * MB, "003")])
def test_a_segment_has_the_size_that_its_server_gave_it(tmp_path: Path, size: int, last: str) -> None:
    for name in (f"0000000100000000{last:0>8}", "000000010000000100000000"):
        a_segment(tmp_path, name, size=size)
    a_segment(tmp_path, "000000010000000100000001.partial")  # nothing is written in it yet
    assert [(each.start, each.end) for each in wal.segments(tmp_path)] == [
        ((1 << 32) - size, 1 << 32),
        (1 << 32, (1 << 32) + size),
        ((1 << 32) + size, (1 << 32) + 2 * size),
    ]
    assert list(wal.gaps(wal.segments(tmp_path))) == []
    wal.unbroken_from(f"0/{(1 << 32) - size:X}", tmp_path)
    with pytest.raises(wal.NoWal, match="does not reach back"):
        wal.unbroken_from(f"0/{(1 << 32) - size - 1:X}", tmp_path)
    assert wal.name_of("0/FFFFFFFF", size=size) == f"00000000{last:0>8}"
    assert wal.expire(f"1/{size - 1:X}", tmp_path) == 1
    assert wal.expire(f"1/{size:X}", tmp_path) == 1


def test_pieces_that_are_missing_are_counted_in_their_own_size(tmp_path: Path) -> None:
    for name in ("000000010000000000000001", "000000010000000000000005"):
        a_segment(tmp_path, name, size=4 * MB)
    assert list(wal.gaps(wal.segments(tmp_path))) == ["3 pieces of the log are missing after 000000010000000000000001."]


def test_a_header_that_names_no_size_is_passed_over(tmp_path: Path) -> None:
    a_segment(tmp_path, "000000010000000000000001", size=4 * MB)
    a_segment(tmp_path, "000000010000000000000002", size=3 * MB)
    assert wal.segment_bytes(tmp_path) == 4 * MB
    (tmp_path / "000000010000000000000001").unlink()
    assert wal.segment_bytes(tmp_path) == wal.USUAL_BYTES


def test_our_own_server_has_small_ones() -> None:
    with wal.received():
        caught_up()
        pieces = wal.segments()
        assert pieces[-1].path.stat().st_size == pieces[-1].end - pieces[-1].start == wal.segment_bytes() == 4 * MB
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_lsn()::text, substr(pg_walfile_name(pg_current_wal_lsn()), 9)")
            position, name = cursor.fetchone()
            cursor.execute("SHOW max_wal_size")
            assert cursor.fetchone() == ("1GB",)
        assert wal.name_of(position, size=4 * MB) == name


def test_the_last_segment_of_a_log_file_is_followed_by_the_first_of_the_next(tmp_path: Path) -> None:
    for name in ("0000000100000000000000FF", "000000010000000100000000"):
        a_segment(tmp_path, name)
    wal.unbroken_from("0/FF000000", tmp_path)
    assert wal.expire("1/10", tmp_path) == 1
    assert [each.path.name for each in wal.segments(tmp_path)] == ["000000010000000100000000"]
