"""Copies outside, on a real object store and a real folder: read back, resumed, retried, and removed last of all."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from jeevo.environment import Offsite
from operations import backups, offsite, offsite_backups, offsite_log, wal
from operations.models import Backup, OffsiteState
from tests import s3_server
from tests.fixtures import ChangeEnvironment

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # botocore asks for the time in the way of older Pythons, and the store of the tests too.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NOW = timezone.now()
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
Use = Callable[[Offsite], None]


@pytest.fixture(autouse=True)
def _own_folders(environment: ChangeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(keys=tmp_path / "keys")
    monkeypatch.setattr(backups, "folder", lambda: tmp_path / "backups")
    (tmp_path / "wal").mkdir()
    monkeypatch.setattr(wal, "folder", lambda: tmp_path / "wal")


@pytest.fixture
def use(settings: Settings) -> Use:
    def change(place: Offsite) -> None:
        settings.STORAGES = settings.STORAGES | {"offsite": place.storage}

    return change


@pytest.fixture
def s3(use: Use) -> Iterator[s3_server.S3]:
    with s3_server.serving() as server:
        use(server.offsite)
        yield server


def a_backup(kind: str = "dump", *, days: float = 0, status: str = "verified", parent: Backup | None = None) -> Backup:
    """With files that are there, as small as can be."""
    at = NOW - days * DAY
    times = {"requested_at": at, "started_at": at, "taken_at": at, "verified_at": at}
    backup = Backup.objects.create(kind=kind, status=status, parent=parent, **times)
    folder = backups.place(backup)
    folder.mkdir(parents=True)
    data = f"sealed {backup.pk}".encode() * 1000
    (folder / "database.dump.age").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    entry = {"name": "database.dump.age", "bytes": len(data), "sha256": digest, "plain_bytes": 1, "plain_sha256": ""}
    manifest = {"format": 1, "key": str(backup.pk), "files": [entry], "started_from": "0/5000028"}
    (folder / backups.MANIFEST).write_text(json.dumps(manifest))
    Backup.objects.filter(pk=backup.pk).update(manifest=manifest)
    backup.refresh_from_db()
    return backup


def outside(backup: Backup) -> bool:
    backup.refresh_from_db()
    return backup.offsite_at is not None


def the_state(name: str = "backups") -> OffsiteState:
    return OffsiteState.objects.get(name=name)


def test_a_backup_goes_outside_with_its_manifest_last_and_is_read_back(s3: s3_server.S3) -> None:
    backup = a_backup()
    assert not offsite_backups.round_of(now=NOW)
    assert outside(backup)
    assert [each.rsplit("/", 1)[1] for each in s3.faults.puts] == ["database.dump.age", "manifest.json"]
    key = next(each for each in s3.stored() if each.endswith("dump.age"))
    assert s3.body(key) == (backups.place(backup) / "database.dump.age").read_bytes()
    # There is nothing left to do, and that is said.
    assert offsite_backups.round_of(now=NOW + SECOND)
    assert the_state().good_at == NOW + SECOND


def test_a_storage_that_lies_on_read_back_is_a_failure_in_words(s3: s3_server.S3) -> None:
    backup = a_backup()
    s3.faults.flip = True
    assert not offsite_backups.round_of(now=NOW)
    assert not outside(backup)
    assert not any(each.endswith("manifest.json") for each in s3.stored())
    assert "read back" in the_state().reason
    s3.faults.flip = False
    offsite_backups.round_of(now=NOW + DAY)
    assert outside(backup)
    assert (the_state().reason, the_state().attempts, the_state().failed_at) == ("", 0, None)


def test_a_folder_that_lies_is_found_by_the_hash_alone(use: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Offsite(f"file://{tmp_path}/mnt"))
    backup = a_backup()
    place = offsite.ours()
    real = place.storage.open
    monkeypatch.setattr(place.storage, "open", lambda name, mode="rb": real(_flipped(tmp_path / "mnt" / name), mode))
    offsite_backups.round_of(now=NOW)
    assert not outside(backup)
    assert the_state().reason.startswith("The copy that was read back differs from what was sent.")


def _flipped(path: Path) -> str:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    return str(path)


def test_a_storage_that_is_away_is_asked_less_and_less_often_and_nothing_here_is_harmed(s3: s3_server.S3) -> None:
    backup = a_backup()
    s3.faults.refuse = True
    offsite_backups.round_of(now=NOW)
    first = the_state()
    assert first.reason == "The storage could not be listed: it refuses our key."
    assert first.next_try_at == NOW + offsite.FIRST_PAUSE
    # Before its time nothing is asked at all.
    s3.faults.refuse = False
    offsite_backups.round_of(now=NOW + 2 * SECOND)
    assert not outside(backup)
    s3.faults.refuse = True
    offsite_backups.round_of(now=NOW + 6 * SECOND)
    assert the_state().next_try_at == NOW + 6 * SECOND + 2 * offsite.FIRST_PAUSE
    assert the_state().failed_at == NOW
    for hour in range(1, 12):
        offsite_backups.round_of(now=NOW + timedelta(hours=hour))
    assert the_state().next_try_at == NOW + timedelta(hours=11) + offsite.LONGEST_PAUSE
    backup.refresh_from_db()
    assert backup.status == "verified"


def test_nobody_there_is_said_in_words(use: Use) -> None:
    use(Offsite("s3://backups/x", "http://127.0.0.1:9", "a", "b", "us-east-1"))
    a_backup()
    offsite_backups.round_of(now=NOW)
    assert the_state().reason == "The storage could not be listed: it did not answer."


def test_after_a_kill_only_what_is_missing_or_half_is_sent_again(s3: s3_server.S3) -> None:
    backup = a_backup()
    (backups.place(backup) / "backup_manifest").write_text("{}")
    place = offsite.ours()
    offsite_backups.send(place, backup)
    s3.client.delete_object(Bucket=s3_server.BUCKET, Key=f"jeevo/{place.root}/backups/{backup.pk}/manifest.json")
    Backup.objects.update(offsite_at=None)
    s3.faults.puts.clear()
    offsite_backups.round_of(now=NOW)
    assert "database.dump.age" not in [each.rsplit("/", 1)[1] for each in s3.faults.puts]
    assert outside(backup)
    key = f"jeevo/{place.root}/backups/{backup.pk}/database.dump.age"
    s3.client.put_object(Bucket=s3_server.BUCKET, Key=key, Body=b"half")
    Backup.objects.update(offsite_at=None)
    offsite_backups.round_of(now=NOW)
    assert s3.body(key) == (backups.place(backup) / "database.dump.age").read_bytes()


def test_a_backup_that_was_damaged_here_is_not_called_a_copy(s3: s3_server.S3) -> None:
    backup = a_backup()
    _flipped(backups.place(backup) / "database.dump.age")
    offsite_backups.round_of(now=NOW)
    assert not outside(backup)
    assert "no longer what it was" in the_state().reason


def test_without_a_place_nothing_is_done_and_nothing_is_noted() -> None:
    a_backup()
    assert not offsite.configured()
    assert not offsite_backups.round_of(now=NOW)
    assert not OffsiteState.objects.exists()


# The log.


def piece(number: int, data: bytes, *, partial: bool = False) -> Path:
    path = wal.folder() / (f"00000001{0:08X}{number:08X}" + (".partial" if partial else ""))
    path.write_bytes(data)
    return path


def test_finished_pieces_go_once_sealed_and_the_unfinished_one_each_half_minute(s3: s3_server.S3) -> None:
    copies, words = offsite_log.LogCopies(), b"a patient's words " * 1000
    piece(3, words)
    piece(4, words)
    growing = piece(5, b"begun", partial=True)
    (wal.folder() / "00000002.history").write_text("1\t0/3000000\tno recovery target specified\n")
    assert copies.round(now=NOW)
    names = sorted(each.rsplit("/", 1)[1] for each in s3.stored())
    assert [names[0], names[1], names[3]] == [
        "000000010000000000000003.age",
        "000000010000000000000004.age",
        "00000002.history.age",
    ]
    assert names[2].startswith("000000010000000000000005.partial-")
    sealed = s3.body(next(each for each in s3.stored() if each.endswith("/000000010000000000000003.age")))
    assert b"patient" not in sealed
    assert len(sealed) < len(words) / 10
    assert offsite_log.unpacked(sealed) == words
    s3.faults.puts.clear()
    growing.write_bytes(b"begun and gone on")
    assert not copies.round(now=NOW + 20 * SECOND)
    assert s3.faults.puts == []
    assert copies.round(now=NOW + 31 * SECOND)
    partials = [each for each in s3.stored() if ".partial-" in each]
    assert len(partials) == 1
    assert offsite_log.unpacked(s3.body(partials[0])) == b"begun and gone on"
    # One process ends, another goes on where it was.
    piece(5, b"whole")
    s3.faults.puts.clear()
    offsite_log.LogCopies().round(now=NOW + 40 * SECOND)
    assert [each.rsplit("/", 1)[1] for each in s3.faults.puts] == [
        "00000002.history.age",
        "000000010000000000000005.age",
        *[each.rsplit("/", 1)[1] for each in s3.faults.puts[2:]],
    ]
    assert the_state("log").position == "000000010000000000000005"


def test_a_damaged_piece_is_not_opened() -> None:
    data = bytearray(offsite_log.packed(piece(3, b"x")))
    data[-1] ^= 1
    with pytest.raises(offsite.NotOffsite, match="cannot be opened"):
        offsite_log.unpacked(bytes(data))


# What is too old.


def in_place(keys: list[str], backup: Backup) -> bool:
    return any(str(backup.pk) in each for each in keys)


def test_what_is_too_old_goes_outside_too_but_never_the_last_good_one(s3: s3_server.S3) -> None:
    old = a_backup("full", days=70)
    part = a_backup("incremental", days=69, parent=old)
    dump = a_backup("dump", days=70)
    for _ in range(4):
        offsite_backups.round_of(now=NOW - timedelta(hours=2))
    piece(4, b"old")
    piece(5, b"new")
    offsite_log.LogCopies().round(now=NOW)
    Backup.objects.update(status="expired")
    # Nothing newer lies outside: here they are gone, there they stay.
    offsite_backups.round_of(now=NOW)
    assert all(in_place(s3.stored(), each) for each in (old, part, dump))
    fresh = a_backup("full", days=3)
    offsite_backups.round_of(now=NOW + DAY)
    offsite_backups.round_of(now=NOW + DAY + SECOND)
    keys = s3.stored()
    assert [in_place(keys, each) for each in (old, part, dump, fresh)] == [False, False, True, True]
    assert not outside(old)
    # The oldest that is left begins in piece 5.
    assert [each.rsplit("/", 1)[1] for each in keys if "/wal/" in each] == ["000000010000000000000005.age"]


def test_one_that_was_let_go_within_the_window_stays_outside(use: Use, tmp_path: Path) -> None:
    """After a recovery the rows say that nothing is here, and the copies outside are all there is."""
    use(Offsite(f"file://{tmp_path}/mnt"))
    recent = a_backup("dump", days=20)
    offsite_backups.round_of(now=NOW - timedelta(hours=2))
    Backup.objects.update(status="expired")
    a_backup("dump", days=1)
    offsite_backups.round_of(now=NOW)
    assert recent not in offsite_backups.may_go(now=NOW)
    assert (tmp_path / "mnt" / offsite.ours().root / "backups" / str(UUID(str(recent.pk)))).is_dir()


def test_older_ones_go_before_their_time_here_and_outside_and_the_last_good_one_stays(use: Use, tmp_path: Path) -> None:
    use(Offsite(f"file://{tmp_path}/mnt"))
    old, new = a_backup(days=3), a_backup()
    while not offsite_backups.round_of(now=NOW):
        pass
    call_command("backup", "expire", keep_days=7, stdout=io.StringIO())
    assert backups.place(old).exists()
    out = io.StringIO()
    call_command("backup", "expire", keep_days=0, stdout=out)
    assert out.getvalue() == "1 backup went here.\n1 backup went outside.\n"
    assert not backups.place(old).exists()
    assert (outside(old), outside(new)) == (False, True)
    assert [each.parent.name for each in tmp_path.glob("mnt/*/backups/*/manifest.json")] == [str(new.pk)]
