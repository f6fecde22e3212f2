"""A disk that runs full while a backup is made, checked, copied or received: a clear sentence, and the service goes on."""

from __future__ import annotations

import errno
import io
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as now_set
from django.contrib.auth.models import Group
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from jeevo.environment import Offsite
from operations import backups, detection, offsite, offsite_backups, postgres, sealed, synchronous, verification, wal
from operations.models import Backup, Incident
from operations.operator import Operator
from tests.fixtures import ChangeEnvironment

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_backups")]
Small = Callable[[Path, int], Path]


@pytest.fixture
def small() -> Iterator[Small]:
    """A disk of so many megabytes in place of a folder; only root may mount one."""
    mounted: list[Path] = []

    def mount(place: Path, megabytes: int) -> Path:
        place.mkdir(parents=True, exist_ok=True)
        options = f"size={megabytes}m,mode=0755"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"NOT TESTED: a full disk needs the right to mount one ({done.stderr.strip()})")
        mounted.append(place)
        return place

    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full disk needs the right to mount one; run this as root")
    yield mount
    for each in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(each)], check=True)


def the_service_goes_on() -> None:
    Group.objects.create(name=f"written at {time.time()}")


def fill(place: Path, *, leave: int) -> Path:
    """All but so many bytes of this disk."""
    with (place / "filler").open("wb") as file:
        file.write(b"\0" * max(0, shutil.disk_usage(place).free - leave))
    return place / "filler"


@pytest.mark.parametrize("kind", ["dump", pytest.param("full", marks=pytest.mark.matrix), "configuration"])
def test_the_folder_of_backups(small: Small, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    disk = small(backups.folder(), 2)
    if kind != "configuration":  # it has no size that is known beforehand
        with pytest.raises(backups.NotTaken, match="free some space or move the backups to a larger disk"):
            backups.take(kind, now=timezone.now())
    # It was empty when it was looked at, and is not any more.
    monkeypatch.setattr(backups, "check_room", lambda *, factor: None)
    filler = fill(disk, leave=8192)
    with pytest.raises(backups.NotTaken, match=r"could not be written: No space left on device\."):
        backups.take(kind, now=timezone.now())
    row = Backup.objects.order_by("requested_at").last()
    assert row is not None
    assert (row.status, row.reason) == ("failed", "The backup could not be written: No space left on device.")
    assert [each.name for each in disk.iterdir()] == [filler.name]
    the_service_goes_on()


def test_the_room_for_checking_a_backup(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = backups.take("configuration", now=timezone.now())
    home = postgres.home()
    home.make("scratch")
    disk = small(home.folder / "scratch", 1)
    filler = fill(disk, leave=4096)
    with pytest.raises(verification.NotLooked, match="free some space; it is checked then"):
        verification.verify(backup, now=timezone.now())
    # It was empty when it was looked at, and is not any more.
    with monkeypatch.context() as patched:
        patched.setattr(verification, "_check_room", lambda backup: None)
        with pytest.raises(verification.NotLooked, match="No space left on device"):
            verification.verify(backup, now=timezone.now())
    backup.refresh_from_db()
    assert (backup.status, backup.reason) == ("taken", "It could not be restored here: No space left on device.")
    the_service_goes_on()
    filler.unlink()
    verification.verify(backup, now=timezone.now())


def test_the_place_of_the_copies(small: Small, environment: ChangeEnvironment, tmp_path: Path, settings: Settings) -> None:
    backups.take("configuration", now=timezone.now())
    disk = small(tmp_path / "mnt", 1)
    outside = Offsite(disk.as_uri())
    environment(offsite=outside, keys=now_set.ENVIRONMENT.keys)
    settings.STORAGES = settings.STORAGES | {"offsite": outside.storage}
    fill(disk, leave=0)
    assert not offsite_backups.round_of(now=timezone.now())
    assert offsite.state("backups").reason == "The storage did not take the copy: no space left on device."
    assert not Backup.objects.filter(offsite_at__isnull=False).exists()
    the_service_goes_on()


@pytest.mark.matrix
def test_the_folder_of_the_received_log(small: Small) -> None:
    """Room for one piece and no more: the receiver ends, writes are freed, and an incident says so."""
    disk = small(wal.folder(), 24)
    postgres.home().give(disk)
    operator = Operator()
    receiving = threading.Thread(target=operator._until_stopped, args=(operator.receive,))
    receiving.start()
    try:
        _until(_waits, seconds=30)
        with synchronous.guarded():
            began = time.monotonic()
            with connection.cursor() as cursor:
                cursor.execute("CREATE TABLE much (text text)")
                cursor.execute("INSERT INTO much SELECT gen_random_uuid()::text FROM generate_series(1, 500000)")
            assert time.monotonic() - began < 30
            _until(lambda: not _waits(), seconds=30)
            the_service_goes_on()
        detector = next(each for each in detection.ALL if each.name == "log_not_synchronous")
        _until(lambda: bool(detector.look(timezone.now())), seconds=10)
        detection.look(detector, timezone.now())
        assert Incident.objects.filter(kind="log_not_synchronous").exists()
    finally:
        operator.stopping.set()
        receiving.join(30)
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS much")


def _waits() -> bool:
    with synchronous.connect() as one:
        return synchronous.ask(one).waits


def _until(check: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.1)


def test_a_seal_says_what_went_wrong_in_its_own_words(tmp_path: Path) -> None:
    """pyrage makes one error of a full disk, a cancellation and a broken seal."""

    def cancelled(_: int) -> None:
        raise backups.Cancelled

    with pytest.raises(backups.Cancelled):
        sealed.write(tmp_path / "one", io.BytesIO(b"x" * 100), told=cancelled)
    entry = sealed.write(tmp_path / "one", io.BytesIO(b"x" * 100))

    class Full:
        def write(self, data: bytes, /) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left on device"):
        sealed.read(tmp_path / "one", Full(), expected=entry)
