"""Settings without their secrets and uploaded files, kept with their hashes and good only when all of them came back."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from operations import backups, kept_files, retention, verification
from operations.models import Backup
from tests.fixtures import ChangeEnvironment

NOW = timezone.now()


@pytest.fixture
def media(settings: Settings, tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    (folder / "documents").mkdir(parents=True)
    (folder / "documents" / "water.pdf").write_bytes(b"drink enough" * 100)
    (folder / "empty").touch()
    (folder / "leads-out").symlink_to("/etc/passwd")
    settings.MEDIA_ROOT = folder
    return folder


def written(path: Path) -> Path:
    with path.open("wb") as file:
        kept_files.write(file)
    return path


def test_a_secret_is_kept_by_its_name_alone() -> None:
    text = kept_files.settings_text(
        {
            "WEB_PORT": "8000",
            "SECRET_KEY": "s3cret",
            "WHATSAPP_TOKEN": "EAAG",
            "OFFSITE_SECRET_KEY": "very",
            "EMAIL_URL": "smtp://asha:password@mail.example",
            "DATABASE_URL": "postgres://jeevo:password@db/jeevo",
            "HOME": "/home/asha",
        }
    )
    assert "WEB_PORT=8000\n" in text
    for hidden in ("s3cret", "EAAG", "very", "password", "asha"):
        assert hidden not in text
    for name in ("SECRET_KEY", "WHATSAPP_TOKEN", "EMAIL_URL", "DATABASE_URL"):
        assert f"{name}=(secret, not kept here)\n" in text


def test_what_was_kept_comes_back_with_its_hashes(media: Path, tmp_path: Path) -> None:
    count = kept_files.check(written(tmp_path / "x.tar"), tmp_path / "back")
    assert count == len(list((tmp_path / "back").rglob("*.*"))) - 1 + len([tmp_path / "back" / "media" / "empty"])
    assert (tmp_path / "back" / "media" / "documents" / "water.pdf").read_bytes() == b"drink enough" * 100
    assert (tmp_path / "back" / "deploy" / "prometheus" / "prometheus.yml").exists()
    assert not (tmp_path / "back" / "media" / "leads-out").exists()


def test_a_file_that_differs_is_missing_or_came_from_elsewhere_is_found(media: Path, tmp_path: Path) -> None:
    tar = written(tmp_path / "x.tar")
    tar.write_bytes(tar.read_bytes().replace(b"drink enough", b"drink poison", 1))
    with pytest.raises(kept_files.NotKept, match=r"media/documents/water\.pdf is not what it was"):
        kept_files.check(tar, tmp_path / "differs")
    for name, hashes, words in (("missing", {"gone": "0"}, "gone is not"), ("extra", {}, "never kept")):
        with tarfile.open(tmp_path / f"{name}.tar", "w") as made:
            for inner, data in ((kept_files.HASHES, json.dumps(hashes).encode()), ("more", b"x")):
                head = tarfile.TarInfo(inner)
                head.size = len(data)
                made.addfile(head, io.BytesIO(data))
        with pytest.raises(kept_files.NotKept, match=words):
            kept_files.check(tmp_path / f"{name}.tar", tmp_path / name)


@pytest.mark.django_db(transaction=True)
def test_it_is_a_backup_of_its_own_kind_verified_and_never_taken_for_a_base(
    media: Path, environment: ChangeEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(keys=tmp_path / "keys")
    monkeypatch.setattr(backups, "folder", lambda: tmp_path / "backups")
    backup = backups.take("configuration", now=NOW)
    assert [each.name for each in sorted(backups.place(backup).iterdir())] == ["configuration.tar.age", "manifest.json"]
    assert b"drink enough" not in (backups.place(backup) / "configuration.tar.age").read_bytes()
    done = verification.verify(backup, now=NOW)
    assert done.tables["files"]["rows"] == backup.manifest["kept_files"] >= 3
    assert not Backup.objects.bases().exists()
    # The last verified one of its kind stays, however old.
    Backup.objects.update(taken_at=NOW - 10 * retention.KEEP)
    assert retention.may_go(now=NOW) == []
