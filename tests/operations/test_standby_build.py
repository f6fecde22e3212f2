"""Building a standby: from what, with which secrets where, and with nothing left behind when it cannot be."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from jeevo.environment import Offsite
from operations import (
    backups,
    first_backup,
    offsite_backups,
    offsite_log,
    standby_build,
    standby_folder,
    standby_server,
    standbys,
    wal,
)
from operations.models import Backup, Standby
from operations.standby_folder import Folder, NoStandby
from tests.fixtures import ChangeEnvironment
from tests.operations import standby_world as world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_backups")]


@pytest.fixture
def folder() -> Iterator[Folder]:
    with world.folder() as found:
        yield found


def test_without_a_verified_backup_nothing_is_left_behind(folder: Folder) -> None:
    with pytest.raises(NoStandby, match="No base backup was verified yet"):
        world.built(folder)
    assert not Standby.objects.exists()
    assert not [name for name in world.slots() if name.startswith(standbys.PREFIX)]
    assert [each.name for each in folder.path.iterdir()] == ["logs"]


def test_what_cannot_be_built_is_said_before_anything_is_touched(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, why in ((tmp_path, "is not empty"), (tmp_path / "a" / "b", "is not there"), (Path("/" + "x" * 120), "too long")):
        with pytest.raises(NoStandby, match=why):
            standby_build.create(standby_build.Wanted(path), now=timezone.now(), report=lambda _: None)
    with pytest.raises(NoStandby, match="An address is"):
        standby_build.create(standby_build.Wanted(folder.path, listen="a' b"), now=timezone.now(), report=lambda _: None)
    Standby.objects.create(name="one", slot=standbys.slot_of("one"), address="x", created_at=timezone.now(), since=timezone.now())
    with pytest.raises(NoStandby, match="There is or was a standby named one"):
        world.built(folder)
    assert not folder.path.exists()


def test_a_standby_that_is_being_built_is_no_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    row = Standby.objects.create(
        name="one", slot=standbys.slot_of("one"), address="x", created_at=now, since=now, state="building"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_create_physical_replication_slot(%s, true)", [row.slot])
    try:
        standbys.note(now)
        assert standbys.said(now=now) == 'The standby "one" is being built.'
        standbys.note(now + standbys.BUILT_WITHIN)
        row.refresh_from_db()
        assert row.state == "away", "whoever built it was killed"
    finally:
        standbys.remove("one")


def test_the_password_stands_in_one_file_that_is_the_servers_alone(folder: Folder) -> None:
    """Signs that have a meaning in a pass file come back as they were."""
    folder.make()
    given = {"host": "::1", "port": "5432", "user": "je\\evo"}
    folder.write(folder.passfile, standby_folder.pass_line(given, "a:b\\c'd"))
    assert folder.password() == "a:b\\c'd"
    assert stat.S_IMODE(folder.passfile.stat().st_mode) == 0o600


@pytest.mark.matrix
def test_it_is_made_of_an_older_backup_when_the_newest_is_damaged(folder: Folder) -> None:
    with wal.received():
        world.verified()
        Group.objects.create(name="between")
        world.verified()
        Group.objects.create(name="after")
        world.caught_up()
        newest = Backup.objects.order_by("-taken_at")[0]
        path = backups.place(newest) / "base.tar.age"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        said = world.built(folder)
        assert any("An older one is tried." in line for line in said)
        world.until(lambda: world.groups(folder) == {"between", "after"}, what="the rows to arrive")


@pytest.mark.matrix
def test_a_fresh_copy_needs_no_backup(folder: Folder) -> None:
    Group.objects.create(name="before")
    said = world.built(folder, fresh=True)
    assert any("Copying the live server" in line for line in said)
    Group.objects.create(name="since")
    world.until(lambda: world.groups(folder) == {"before", "since"}, what="the rows to arrive")
    secret = str(connection.settings_dict["PASSWORD"])
    assert secret not in (folder.cluster / "postgresql.conf").read_text()
    assert not (folder.cluster / "postgresql.auto.conf").read_text()
    # After a restart of its machine it goes on.
    standby_server.stop(folder)
    Group.objects.create(name="meanwhile")
    standby_server.start(folder, folder.facts())
    world.until(lambda: "meanwhile" in world.groups(folder), what="the row to arrive")


@pytest.mark.matrix
def test_on_a_machine_without_the_backups_it_is_made_of_the_copies_outside(
    folder: Folder, environment: ChangeEnvironment, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = Offsite((tmp_path / "mnt").as_uri())
    environment(offsite=outside)
    settings.STORAGES = settings.STORAGES | {"offsite": outside.storage}
    settings.MEDIA_ROOT = tmp_path / "media"
    _made(tmp_path / "media")
    (tmp_path / "media" / "guideline.pdf").write_bytes(b"%PDF")
    with wal.received():
        world.verified()
        backups.take("configuration", now=timezone.now())
        Group.objects.create(name="in the log alone")
        world.piece_finished()
        # By its checkpoint the live server keeps no more what came before; nobody has it.
        backups.take("full", now=timezone.now()).delete()
        offsite_log.LogCopies().round(now=timezone.now())
        while not offsite_backups.round_of(now=timezone.now()):
            pass
        # The other machine.
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(backups, "folder", lambda: tmp_path / "elsewhere")
            elsewhere.setattr(wal, "folder", lambda: _made(tmp_path / "no log"))
            said = world.built(folder)
            assert any("fetched from outside" in line for line in said)
            Group.objects.create(name="since")
            world.until(lambda: world.groups(folder) == {"in the log alone", "since"}, what="the rows to arrive")
            # Everything that lies outside is replayed, and the files of people are brought along.
            settings.MEDIA_ROOT = tmp_path / "media elsewhere"
            offsite_log.LogCopies().round(now=timezone.now())
            out = io.StringIO()
            arguments = ("promote", "--into", str(folder.path), "--at-its-address", "--primary-is-fenced")
            call_command("standby", *arguments, stdout=out)
            assert "1 uploaded file is back" in out.getvalue()
            assert "from here it still answers" in out.getvalue()
            assert (tmp_path / "media elsewhere" / "guideline.pdf").read_bytes() == b"%PDF"
            with standby_server.connect(folder, folder.facts()) as one:
                states = dict(one.execute("SELECT kind, status FROM operations_backup").fetchall())
            # The files of the first were fetched to build it; those of the second are fetched after that was settled.
            assert states == {"full": "verified", "configuration": "expired"}
            assert first_backup.is_owed()


def _made(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def test_a_backup_that_was_only_taken_is_not_built_upon(folder: Folder) -> None:
    now = timezone.now()
    Backup.objects.create(kind="full", status="taken", requested_at=now, started_at=now, taken_at=now)
    with pytest.raises(NoStandby, match="No base backup was verified yet"):
        world.built(folder)
