"""One sentence for what the embedded servers cannot help: other data, a full disk, a closed folder, no programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from jeevo import embedded, embedded_postgres
from jeevo.embedded import EmbeddedError
from tests.jeevo.place import Place, only_root


def test_data_of_another_major_version_is_not_touched(made: Place) -> None:
    (made.data / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"holds data of PostgreSQL 17 and this Jeevo runs 18: dump it"):
        made.start()
    (made.data / "postgres" / "PG_VERSION").write_text("18\n")


def test_a_lost_password_is_named(made: Place) -> None:
    (made.keys / "database_password").unlink()
    with pytest.raises(EmbeddedError, match=r"put .*keys/database_password back from your copy"):
        made.start()


def test_a_lost_broker_password_is_made_anew(made: Place) -> None:
    before = made.start()
    (made.keys / "valkey_password").unlink()
    assert made.find() is None
    after = made.start()
    assert after.redis_url != before.redis_url
    assert redis.Redis.from_url(after.redis_url).ping()


def test_a_folder_that_is_no_database_is_not_overwritten(place: Place) -> None:
    (place.data / "postgres").mkdir(parents=True)
    (place.data / "postgres" / "letters.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="is not a PostgreSQL folder: move it away"):
        place.start()


def test_a_full_disk_is_said_before_anything_is_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "NEEDED_BYTES", 10**18)
    with pytest.raises(EmbeddedError, match=r"The disk that holds .* is full"):
        place.start()


@only_root
def test_a_disk_that_fills_up_on_the_way_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "NEEDED_BYTES", 0)
    place.data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", str(place.data)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount here")
    try:
        with pytest.raises(EmbeddedError, match=r"The disk that holds .* is full"):
            place.start()
    finally:
        subprocess.run(["umount", place.data], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="/sys refuses even root")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="/sys/jeevo cannot be used by this account"):
        embedded.start(Path("/sys/jeevo"), tmp_path / "keys", report=print)


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedError, match="data: File exists"):
        embedded.start(tmp_path / "data", tmp_path / "keys", report=print)


@pytest.mark.parametrize(("name", "value"), [("BIN", "no/such/folder"), ("PACKAGE", "no_such_package")])
def test_a_platform_without_programs_is_told_about_own_servers(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setattr(embedded_postgres, name, value)
    with pytest.raises(EmbeddedError, match=r"no postgres for this platform.*DATABASE_URL and REDIS_URL"):
        place.start()


@only_root
def test_root_without_the_unprivileged_account_is_told_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "UNPRIVILEGED", "nobody-at-all")
    with pytest.raises(EmbeddedError, match=r"no account `nobody-at-all`.*as an ordinary user"):
        place.start()


@only_root
def test_data_of_another_account_is_left_alone(made: Place) -> None:
    os.chown(made.data / "postgres", 0, 0)
    with pytest.raises(EmbeddedError, match="belongs to another account"):
        made.start()
