"""A lost server comes back from the copies outside and the kit alone: to its end, to an instant, past what is damaged."""

from __future__ import annotations

import io
import json
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as now_set
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from jeevo.environment import Offsite
from operations import (
    backup_keys,
    backups,
    first_backup,
    kit_keys,
    lost_server,
    offsite,
    offsite_backups,
    offsite_log,
    offsite_reading,
    postgres,
    recovery_kit,
    wal,
)
from operations.models import Backup
from tests import s3_server
from tests.fixtures import ChangeEnvironment

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = "correct horse battery staple"


@dataclass(frozen=True)
class World:
    """A service whose copies lie in `mnt`, and the empty machine that it is to come back on."""

    mnt: Path
    target: Path
    kit: recovery_kit.Kit

    @property
    def source(self) -> Offsite:
        return Offsite(self.mnt.as_uri())

    def only(self, pattern: str) -> Path:
        found = sorted(self.mnt.glob(pattern))
        assert found, pattern
        return found[-1]


@pytest.fixture
def world(environment: ChangeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[World]:
    mnt, name = tmp_path / "mnt", f"wal-{time.time_ns()}"
    environment(keys=tmp_path / "keys", offsite=Offsite(mnt.as_uri()))
    settings.STORAGES = settings.STORAGES | {"offsite": Offsite(mnt.as_uri()).storage}
    monkeypatch.setattr(backups, "folder", lambda: tmp_path / "backups")
    monkeypatch.setattr(wal, "folder", lambda: postgres.home().make(name))
    target = postgres.home().make(f"recovered-{time.time_ns()}") / "postgres"
    monkeypatch.setattr(postgres, "own_cluster", lambda: target)
    backup_keys.recipient()
    kit = recovery_kit.opened(recovery_kit.make(WORDS, now=timezone.now()), WORDS)
    yield World(mnt, target, kit)
    wal.drop_slot()
    for each in (wal.folder(), target.parent):
        shutil.rmtree(each, ignore_errors=True)


def caught_up() -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        state = wal.receiving()
        if state is not None and state.caught_up:
            return
        time.sleep(0.05)
    raise AssertionError("the receiver did not catch up")


def copied(*kinds: str) -> None:
    """Backups of these kinds are made and everything goes outside."""
    for kind in kinds:
        backups.take(kind, now=timezone.now())
    caught_up()
    offsite_log.LogCopies().round(now=timezone.now())
    while not offsite_backups.round_of(now=timezone.now()):
        assert not offsite.state("backups").reason, offsite.state("backups").reason


def pause() -> datetime:
    time.sleep(0.3)
    now = timezone.now()
    time.sleep(0.3)
    return now


def lose(world: World) -> None:
    """Everything of this machine: its backups, its log, its keys."""
    shutil.rmtree(backups.folder())
    for each in wal.folder().iterdir():
        each.unlink()
    shutil.rmtree(now_set.ENVIRONMENT.keys)


def recovered(world: World, to: datetime | None = None, *, before_hole: bool = False) -> tuple[lost_server.Recovered, list[str]]:
    said: list[str] = []
    wanted = lost_server.Wanted(to, world.source, world.kit, before_hole=before_hole)
    return lost_server.recover(wanted, now=timezone.now(), report=said.append), said


def groups(world: World) -> set[str]:
    with (
        postgres.started(world.target, major=postgres.server_major()) as server,
        server.connect(str(connection.settings_dict["NAME"])) as one,
    ):
        return {str(row[0]) for row in one.execute("SELECT name FROM auth_group")}


def backup_rows(world: World) -> dict[str, str]:
    with (
        postgres.started(world.target, major=postgres.server_major()) as server,
        server.connect(str(connection.settings_dict["NAME"])) as one,
    ):
        return {str(key): str(status) for key, status in one.execute("SELECT id, status FROM operations_backup")}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_all_that_went_outside_comes_back_from_the_copies_and_the_kit_alone(world: World) -> None:
    with wal.received():
        caught_up()
        copied("full")
        Group.objects.create(name="after the full one")
        copied("dump", "incremental")
        backups.request("dump", now=timezone.now())
        Group.objects.create(name="in the log alone")
        copied()
    lose(world)
    done, said = recovered(world)
    assert groups(world) == {"after the full one", "in the log alone"}
    assert done.base.kind == "incremental"
    assert done.rows > 0
    assert done.last_commit is not None
    assert all(line.lstrip()[0].isdigit() for line in said)
    # The service can be started: with our password, from this machine only, and a full backup first.
    assert "trust" not in lost_server.HBA
    assert (now_set.ENVIRONMENT.keys / "database_password").read_text()
    assert not (world.target / "recovery.signal").exists()
    assert first_backup.is_owed()
    # The backup it came from is here, and its row says so; another, whose files are not, is only outside.
    rows = backup_rows(world)
    assert rows.pop(str(done.base.pk)) in ("taken", "verified")
    assert rows.pop(str(done.base.parent_id)) in ("taken", "verified")
    assert sorted(rows.values()) == ["cancelled", "expired"]
    assert Path(backups.folder() / str(done.base.pk)).is_dir()
    # The second time there is something in the way.
    with pytest.raises(lost_server.NotRecovered, match="--replace"):
        recovered(world)


@pytest.mark.matrix
def test_what_was_received_here_and_had_not_gone_out_is_used_and_the_log_of_another_server_is_not(world: World) -> None:
    with wal.received():
        caught_up()
        copied("full")
        Group.objects.create(name="never went out")
        caught_up()
    shutil.rmtree(backups.folder())
    pieces = [each.path for each in wal.segments()]
    assert pieces[-1].suffix == ".partial"
    # Of another server, which recovery would stop at.
    foreign = bytearray(pieces[-1].read_bytes())
    foreign[24:32] = (7).to_bytes(8, "little")
    other = pieces[-1].with_name(f"{int(pieces[-1].stem, 16) + 1:024X}")
    other.write_bytes(foreign)
    assert wal.system_of(other) == "7"
    _, said = recovered(world)
    assert groups(world) == {"never went out"}
    assert any("received here and had not gone out whole" in line for line in said)


@pytest.mark.matrix
def test_an_instant_between_two_changes_is_what_comes_back(world: World) -> None:
    with wal.received():
        caught_up()
        copied("full")
        Group.objects.create(name="before")
        between = pause()
        Group.objects.create(name="after")
        copied()
    lose(world)
    with pytest.raises(lost_server.NotRecovered, match="has not come yet"):
        recovered(world, timezone.now() + timedelta(hours=1))
    with pytest.raises(lost_server.NotRecovered, match="The earliest instant is"):
        recovered(world, between - timedelta(days=1))
    recovered(world, between)
    assert groups(world) == {"before"}


@pytest.mark.matrix
def test_a_damaged_backup_is_passed_over_for_an_older_one_that_brings_back_the_same(world: World) -> None:
    with wal.received():
        caught_up()
        copied("full")
        Group.objects.create(name="between")
        copied("full")
        Group.objects.create(name="after")
        copied()
    newest = max(world.mnt.glob("*/backups/*"), key=lambda each: json.loads((each / "manifest.json").read_text())["finished_at"])
    flip(newest / "base.tar.age")
    lose(world)
    done, said = recovered(world)
    assert str(done.base.pk) != newest.name
    assert any("is not what it was when it was written. An older one is tried." in line for line in said)
    assert groups(world) == {"between", "after"}


@pytest.mark.matrix
def test_a_hole_in_the_log_is_said_and_one_may_go_up_to_it(world: World) -> None:
    with wal.received():
        caught_up()
        copied("full")
        Group.objects.create(name="before the hole")
        _finish_piece()
        Group.objects.create(name="in the hole")
        _finish_piece()
        Group.objects.create(name="behind the hole")
        copied()
    pieces = sorted(world.mnt.glob("*/wal/0*.age"))
    flip(pieces[-1])
    lose(world)
    with pytest.raises(lost_server.NotRecovered, match="--before-hole"):
        recovered(world)
    _, said = recovered(world, before_hole=True)
    assert any("It cannot be opened" in line for line in said)
    assert groups(world) == {"before the hole"}


def _finish_piece() -> None:
    caught_up()
    with connection.cursor() as cursor:
        # Only the server's account may end a piece of the log by name; a piece's worth of changes does it as well.
        many = wal.segment_bytes() // 100_000 + 1
        cursor.execute(
            "SELECT count(pg_logical_emit_message(false, 'jeevo', repeat('x', 100000))) FROM generate_series(1, %s)", [many]
        )
    caught_up()


@pytest.mark.matrix
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_object_store_gives_back_the_same_and_its_secret_may_come_from_this_machine(
    world: World, settings: Settings, environment: ChangeEnvironment, tmp_path: Path
) -> None:
    with s3_server.serving() as s3:
        settings.STORAGES = settings.STORAGES | {"offsite": s3.offsite.storage}
        environment(offsite=s3.offsite)
        kit, words, out = tmp_path / "kit.age", tmp_path / "passphrase", io.StringIO()
        words.write_text(WORDS)
        kit.write_bytes(recovery_kit.make(WORDS, now=timezone.now()))
        with wal.received():
            caught_up()
            copied("full")
            Group.objects.create(name="in the store")
            copied()
        lose(world)
        call_command("recover", latest=True, kit=kit, passphrase_file=words, stdout=out)
    assert groups(world) == {"in the store"}
    assert "The last change that came back is of" in out.getvalue()


def test_with_the_kit_of_other_keys_nothing_is_put_in_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with wal.received():
        caught_up()
        copied("full")
    lose(world)
    backup_keys.recipient()  # another one
    strange = replace(world.kit, backup_keys=tuple(map(str, backup_keys.identities())))
    wanted = lost_server.Wanted(None, world.source, strange)
    said: list[str] = []
    with pytest.raises(lost_server.NotRecovered, match="No base backup outside is whole"):
        lost_server.recover(wanted, now=timezone.now(), report=said.append)
    assert any("the key is not the one it was sealed with" in line for line in said)
    assert not world.target.exists()
    assert not first_backup.is_owed()


def test_where_the_copies_of_several_servers_lie_the_kit_says_which(world: World) -> None:
    for name in ("7000000000000000001", "7000000000000000002"):
        (world.mnt / name / "backups").mkdir(parents=True)
    with pytest.raises(offsite.NotOffsite, match="Copies of several servers"):
        offsite_reading.place_of(world.source, system="7")
    assert offsite_reading.place_of(world.source, system="7000000000000000002").root == "7000000000000000002"
    with pytest.raises(lost_server.NotRecovered, match="No whole base backup lies outside"):
        lost_server.recover(
            lost_server.Wanted(None, world.source, replace(world.kit, system="7000000000000000002")),
            now=timezone.now(),
            report=lambda line: None,
        )


def test_keys_of_the_kit_go_where_they_belong_and_what_was_there_is_kept(world: World, environment: ChangeEnvironment) -> None:
    keys: Path = now_set.ENVIRONMENT.keys
    old, field = "an old one", now_set.ENVIRONMENT.field_keys[0]
    (keys / "secret_key").write_text(old)
    environment(secret_key=old, index_key="of .env", field_keys=(field,))
    told = kit_keys.put_back(world.kit, now=datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    assert (keys / "secret_key").read_text() == world.kit.settings["SECRET_KEY"]
    assert stat.S_IMODE((keys / "secret_key").stat().st_mode) == 0o600
    assert (keys / "secret_key.before-20260301093000").read_text() == old
    # What .env names is a person's to change.
    assert told == ("INDEX_KEY in .env is not that of the kit: put the kit's line there before the start.",)


def test_a_full_backup_is_owed_until_one_was_taken(world: World) -> None:
    now = timezone.now()
    assert first_backup.owed(now=now) is None
    first_backup.owe(now=now)
    asked = first_backup.owed(now=now)
    assert asked is not None
    assert (asked.kind, first_backup.owed(now=now)) == ("full", asked)
    Backup.objects.update(status="failed", reason="The disk was full.", started_at=now, ended_at=now)
    assert first_backup.owed(now=now) is None
    assert first_backup.is_owed()
    again = first_backup.owed(now=now + 2 * first_backup.PAUSE)
    assert again is not None
    assert again != asked
    Backup.objects.filter(pk=again.pk).update(status="taken", started_at=now, taken_at=now)
    assert first_backup.owed(now=now + 3 * first_backup.PAUSE) is None
    assert not first_backup.is_owed()


@pytest.mark.matrix
def test_the_command_says_what_is_missing(world: World, tmp_path: Path, environment: ChangeEnvironment) -> None:
    kit, words = tmp_path / "kit.age", tmp_path / "passphrase"
    words.write_text(f"{WORDS}\n")
    kit.write_bytes(recovery_kit.make(WORDS, now=timezone.now()))
    given = {"kit": kit, "passphrase_file": words, "stdout": io.StringIO()}
    with pytest.raises(CommandError, match="an instant with its zone"):
        call_command("recover", to="yesterday", **given)
    with pytest.raises(CommandError, match="There is no copy"):
        call_command("recover", latest=True, source=str(tmp_path / "nothing"), **given)
    environment(database_url="postgres://jeevo@db/jeevo")
    with pytest.raises(CommandError, match="DATABASE_URL names a server of your own"):
        call_command("recover", latest=True, **given)
    words.write_text("another passphrase\n")
    with pytest.raises(CommandError, match="does not open"):
        call_command("recover", latest=True, **given)
