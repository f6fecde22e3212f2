"""Backups on the real server: taken with PostgreSQL's own programs, sealed, and good only when they were restored."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone

from operations import backup_keys, backups, contents, postgres, sealed, verification
from operations.models import Backup
from operations.tar_watch import TarWatch
from tests import factories
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timezone.now()


@pytest.fixture(autouse=True)
def _own_folders(environment: ChangeEnvironment, tmp_path: Path, settings: object) -> None:
    """Backups and their keys apart; the scratch servers stay where their account may go."""
    environment(keys=tmp_path / "keys")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(backups, "folder", lambda: tmp_path / "backups")
    return tmp_path / "backups"


def a_row(**fields: object) -> Backup:
    return Backup.objects.create(**{"kind": "full", "requested_at": NOW} | fields)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_dump_is_taken_restored_and_compared_row_by_row(store: Path) -> None:
    Group.objects.create(name="Night desk")
    backup = backups.take("dump", now=NOW)
    assert backup.status == "taken"
    assert not list(store.glob("*.tmp"))
    done = verification.verify(backup, now=NOW)
    backup.refresh_from_db()
    assert backup.status == "verified"
    assert done.tables["auth_group"]["rows"] == 1
    assert backups.read_manifest(backup.pk)["migrations"]["operations"]
    # The words are not in the file.
    assert b"Night desk" not in (store / str(backup.pk) / "database.dump.age").read_bytes()


def test_a_table_that_went_missing_between_is_seen(store: Path) -> None:
    backup = backups.take("dump", now=NOW)
    path = store / str(backup.pk) / backups.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["contents"]["operations_incident"] = {"rows": 7, "hash": "1"}
    manifest["contents"]["gone"] = {"rows": 1, "hash": "1"}
    path.write_text(json.dumps(manifest))
    with pytest.raises(verification.NotGood, match="gone is missing; operations_incident has 0 rows in place of 7"):
        verification.verify(backup, now=NOW)
    backup.refresh_from_db()
    assert (backup.status, backup.step) == ("failed", "restoring it to check it")


def test_one_flipped_byte_is_seen(store: Path) -> None:
    backup = backups.take("dump", now=NOW)
    flip(store / str(backup.pk) / "database.dump.age")
    with pytest.raises(verification.NotGood, match=r"database\.dump\.age"):
        verification.verify(backup, now=NOW)


def test_a_full_and_an_incremental_backup_are_put_together_started_and_counted(store: Path) -> None:
    full = backups.take("incremental", now=NOW)
    assert full.kind == "full"  # there was nothing to build on
    Group.objects.create(name="Day desk")
    part = backups.take("incremental", now=NOW)
    assert part.parent == full
    assert part.bytes < full.bytes / 2
    done = verification.verify(part, now=NOW)
    assert done.tables["auth_group"]["rows"] == 1
    assert verification.verify(full, now=NOW).tables["auth_group"]["rows"] == 0


def test_the_wrong_key_opens_nothing_and_an_old_one_still_does(store: Path) -> None:
    backup = backups.take("dump", now=NOW)
    backup_keys.rotate()
    assert len(backup_keys.key_ids()) == 2
    verification.verify(backup, now=NOW)
    backup_keys.path().write_text("AGE-SECRET-KEY-1NOT-A-KEY\n")
    with pytest.raises(backup_keys.KeyProblem, match="recovery kit"):
        backup_keys.identities()
    backup_keys.path().unlink()
    with pytest.raises(verification.NotGood, match="the key is not the one it was sealed with"):
        verification.verify(backup, now=NOW)


def test_a_disk_without_room_is_refused_before_anything_is_written(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "ROOM", 1e9)
    with pytest.raises(backups.NotTaken, match="free some space"):
        backups.take("dump", now=NOW)
    assert Backup.objects.get().reason.startswith("The disk has")
    assert not list(store.iterdir())


def test_the_same_hour_is_backed_up_once(store: Path) -> None:
    backups.take("dump", now=NOW, scheduled_for=NOW)
    with pytest.raises(backups.NotTaken, match="asked for already"):
        backups.take("dump", now=NOW, scheduled_for=NOW)
    assert Backup.objects.count() == 1


def test_a_server_that_is_away_is_said_in_a_sentence(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = postgres.Server("127.0.0.1", "9", "jeevo", "", "jeevo")
    monkeypatch.setattr(postgres, "live", lambda: gone)
    with pytest.raises(postgres.ToolProblem, match="pg_dump did not finish: the server did not answer"):
        postgres.stream("pg_dump", server=gone, major=postgres.server_major(), take=lambda pipe: None)


def test_the_command_takes_verifies_and_lists(store: Path) -> None:
    out = io.StringIO()
    call_command("backup", "list", stdout=out)
    assert "There is no backup yet" in out.getvalue()
    call_command("backup", "take", "dump", stdout=out)
    assert "Verified in" in out.getvalue()
    call_command("backup", "list", stdout=out)
    assert "verified" in out.getvalue().splitlines()[-2]
    assert out.getvalue().splitlines()[-1].startswith("None are kept")
    with pytest.raises(CommandError, match="No kept backup has this key"):
        call_command("backup", "verify", "nonsense", stdout=out)


def test_what_was_not_written_whole_has_no_name(tmp_path: Path, store: Path) -> None:
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises((OSError, Exception)):
        sealed.write(tmp_path / "x.age", Breaks())
    assert not (tmp_path / "x.age").exists()


@pytest.mark.parametrize("piece", [1, 7, 512, 100_000])
def test_the_manifest_is_found_in_a_tar_in_any_pieces(piece: int) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (("a", b"x" * 700), ("empty", b""), ("backup_manifest", b'{"a": 1}'), ("z", b"y" * 512)):
            head = tarfile.TarInfo(name)
            head.size = len(data)
            tar.addfile(head, io.BytesIO(data))
    watch, data = TarWatch("backup_manifest"), whole.getvalue()
    for at in range(0, len(data), piece):
        watch.feed(data[at : at + piece])
    assert watch.found == b'{"a": 1}'


def test_tables_that_rested_must_be_equal_and_busy_ones_near() -> None:
    before = {"rested": {"rows": 5}, "busy": {"rows": 100}}
    after = {"rested": {"rows": 5}, "busy": {"rows": 200}}
    assert contents.between(before, after, {"rested": {"rows": 5}, "busy": {"rows": 150}}) == []
    assert contents.between(before, after, {"rested": {"rows": 4}, "busy": {"rows": 150}}) == ["rested has 4 rows in place of 5"]
    assert contents.between(before, after, {"rested": {"rows": 5}, "busy": {"rows": 9000}}) != []


def test_one_that_waits_is_cancelled_at_once_and_one_that_runs_at_its_next_step(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meera = factories.staff("meera")
    waiting = backups.request("dump", now=NOW)
    assert backups.cancel(waiting, by=meera, now=NOW)
    with pytest.raises(backups.NotTaken, match="cancelled by somebody else"):
        backups.make(waiting, now=NOW)
    running = backups.request("dump", now=NOW)
    monkeypatch.setattr(backups, "check_room", lambda factor: backups.cancel(running, by=meera, now=NOW))
    with pytest.raises(backups.NotTaken, match="It was cancelled"):
        backups.make(running, now=NOW)
    running.refresh_from_db()
    assert (running.status, running.cancelled_by) == ("cancelled", meera)
    assert not list(store.iterdir())
    assert not backups.cancel(running, by=meera, now=NOW)


def test_two_are_never_made_at_once(store: Path) -> None:
    a_row(status="running", started_at=NOW)
    second = backups.request("dump", now=NOW)
    with pytest.raises(backups.NotTaken, match="waits for it"):
        backups.make(second, now=NOW)
    second.refresh_from_db()
    assert second.status == "requested"
