"""A sealed file that is read while it is opened: what came out is good only at the end."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import tarfile
import threading
from pathlib import Path

import pytest

from operations import sealed
from tests.fixtures import ChangeEnvironment


def a_tar() -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        entry = tarfile.TarInfo("large")
        entry.size = 3_000_000
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return into.getvalue()


CONTENT = a_tar()


@pytest.fixture
def kept(environment: ChangeEnvironment, tmp_path: Path) -> sealed.Sealed:
    environment(keys=tmp_path / "keys")
    return sealed.write(tmp_path / "file", io.BytesIO(CONTENT))


def read(path: Path, kept: sealed.Sealed, *, then: BaseException) -> None:
    """A little of it; then this goes wrong."""
    with sealed.stream(path, expected=kept) as file:
        file.read(10)
        raise then


def unpack(path: Path, kept: sealed.Sealed) -> None:
    with sealed.stream(path, expected=kept) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        for each in tar:
            content = tar.extractfile(each)
            assert content is not None
            content.read()


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("unsealing")]


def test_it_gives_what_was_put_in(tmp_path: Path, kept: sealed.Sealed) -> None:
    with sealed.stream(tmp_path / "file", expected=kept) as file:
        assert file.read() == CONTENT
    assert threads() == []


def test_what_was_left_unread_is_compared_too(tmp_path: Path, kept: sealed.Sealed) -> None:
    with sealed.stream(tmp_path / "file", expected=kept) as file:
        assert file.read(10) == CONTENT[:10]
    other = dataclasses.replace(kept, plain_sha256="0" * 64)
    with pytest.raises(sealed.Damaged, match="something else"), sealed.stream(tmp_path / "file", expected=other) as file:
        file.read(10)


@pytest.mark.parametrize("at", [100, 1_500_000, 2_900_000])
def test_a_flipped_byte_is_the_reason_even_where_the_reader_stumbles_first(tmp_path: Path, kept: sealed.Sealed, at: int) -> None:
    data = bytearray((tmp_path / "file").read_bytes())
    data[at] ^= 1
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(sealed.Damaged):
        unpack(tmp_path / "file", kept)
    assert threads() == []


def test_a_missing_file_is_the_reason(tmp_path: Path, kept: sealed.Sealed) -> None:
    (tmp_path / "file").unlink()
    with pytest.raises(sealed.Damaged, match="is missing"):
        unpack(tmp_path / "file", kept)


@pytest.mark.usefixtures("kept")
def test_what_is_whole_and_makes_no_sense_is_said_by_the_reader(tmp_path: Path) -> None:
    other = sealed.write(tmp_path / "other", io.BytesIO(os.urandom(3_000_000)))
    with pytest.raises(tarfile.ReadError):
        unpack(tmp_path / "other", other)


def test_a_reader_that_cannot_go_on_does_not_wait_for_the_rest(tmp_path: Path, kept: sealed.Sealed) -> None:
    with pytest.raises(OSError, match="the disk is full"):
        read(tmp_path / "file", kept, then=OSError(errno.ENOSPC, "the disk is full"))
    assert threads() == []


def test_one_that_is_interrupted_ends(tmp_path: Path, kept: sealed.Sealed) -> None:
    with pytest.raises(KeyboardInterrupt):
        read(tmp_path / "file", kept, then=KeyboardInterrupt())
    assert threads() == []
