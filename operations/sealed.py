"""Files of a backup: sealed and hashed while they are written, whole under their name or not there at all."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol

import pyrage

from operations import backup_keys, low_priority

BLOCK = 1024 * 1024
# A commit waits behind whatever stands before it at the disk: a large file goes there piece by piece, and never all at its end.
SYNC_EVERY = 8 * BLOCK


@dataclass(frozen=True)
class Sealed:
    """`sha256` and `bytes` are of the file as it lies; the others of what is in it."""

    name: str
    bytes: int
    sha256: str
    plain_bytes: int
    plain_sha256: str

    @property
    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


class Damaged(Exception):
    """One sentence: which file is not what the manifest says."""


class Steady:
    """A file of which all but the last few MB are on the disk while it grows. Whoever stands back gives way."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.unsynced = file, 0

    def write(self, data: bytes, /) -> None:
        self.file.write(data)
        self.unsynced += len(data)
        if self.unsynced >= SYNC_EVERY:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.unsynced = 0
        low_priority.give_way(len(data))


class _Counted(io.RawIOBase):
    """Passes bytes on, hashing and counting them. What went wrong on this side is kept: pyrage makes one error of its own of
    a full disk, a cancellation and a broken seal."""

    def __init__(self, file: Any, told: Callable[[int], None] | None = None) -> None:
        self.file, self.hash, self.bytes, self.told = file, hashlib.sha256(), 0, told
        self.problem: Exception | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def _note(self, data: bytes) -> None:
        self.hash.update(data)
        self.bytes += len(data)
        if self.told:
            self.told(self.bytes)

    def read(self, size: int = -1) -> bytes:
        with self._kept():
            data: bytes = self.file.read(size if size >= 0 else BLOCK)
            self._note(data)
            low_priority.give_way(len(data))
        return data

    def write(self, data: Any) -> int:
        with self._kept():
            self.file.write(data)
            self._note(bytes(data))
        return len(data)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.problem = error
            raise


@contextmanager
def _in_its_own_words(*files: _Counted) -> Iterator[None]:
    """What went wrong with one of the files is raised as it was."""
    try:
        yield
    except Exception as error:
        for each in files:
            if each.problem is not None:
                raise each.problem from error
        raise


def write(path: Path, source: Readable, *, told: Callable[[int], None] | None = None) -> Sealed:
    """Seal all of `source` into this file: under another name first, on the disk before it gets its own."""
    draft = path.with_name(path.name + ".tmp")
    plain = _Counted(source, told)
    with draft.open("wb") as file:
        sealed = _Counted(Steady(file))
        with _in_its_own_words(plain, sealed):
            pyrage.encrypt_io(plain, sealed, [backup_keys.recipient()])
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)
    return Sealed(path.name, sealed.bytes, sealed.hash.hexdigest(), plain.bytes, plain.hash.hexdigest())


def read(path: Path, into: Writable, *, expected: Sealed) -> None:
    """Open a file into `into`, and only say that it is good when every hash is that of the manifest."""
    out = _Counted(into)
    try:
        with path.open("rb") as file:
            source = _Counted(file)
            with _in_its_own_words(source, out):
                pyrage.decrypt_io(source, out, backup_keys.identities())
            while source.read(BLOCK):  # what stands behind the end counts too
                pass
    except FileNotFoundError as error:
        raise Damaged(f"{path.name} is missing.") from error
    except pyrage.DecryptError as error:
        raise Damaged(
            f"{path.name} cannot be opened: the key is not the one it was sealed with, or the file is damaged."
        ) from error
    except OSError as error:
        if error.errno is not None:  # the disk's or the pipe's own, and not the seal's
            raise
        raise Damaged(f"{path.name} is damaged: its seal is broken.") from error
    if (source.bytes, source.hash.hexdigest()) != (expected.bytes, expected.sha256):
        raise Damaged(f"{path.name} is not what it was when it was written.")
    if out.hash.hexdigest() != expected.plain_sha256:
        raise Damaged(f"{path.name} holds something else than was put into it.")


@contextmanager
def stream(path: Path, *, expected: Sealed) -> Iterator[IO[bytes]]:
    """A file to be read from while a second thread opens it. What came out is good only when the block has ended well: what
    the block left is read too, and every hash is compared."""
    out, into = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    feed = low_priority.alike(partial(read, path, into, expected=expected))

    def give() -> None:
        with into:  # closed whatever happens: else the other end would wait for ever
            feed()

    with ThreadPoolExecutor(1, thread_name_prefix="unsealing") as pool, out:
        giving = pool.submit(give)
        try:
            yield out
        except OSError:
            out.close()  # a full disk is no reason to read on
            raise
        except Exception:  # what came did not make sense: the hashes may say why
            _drain(out)
            giving.result()
            raise
        _drain(out)
        giving.result()


def _drain(pipe: IO[bytes]) -> None:
    while pipe.read(BLOCK):
        pass


def check(path: Path, *, expected: Sealed) -> None:
    """The hash of the file as it lies, without opening it."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    except FileNotFoundError as error:
        raise Damaged(f"{path.name} is missing.") from error
    if found.hexdigest() != expected.sha256:
        raise Damaged(f"{path.name} is not what it was when it was written.")


@contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """A folder that gets its name only when the block ends well."""
    draft = final.with_name(final.name + ".tmp")
    draft.mkdir(parents=True, mode=0o700)
    yield draft
    sync_folder(draft)
    draft.rename(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
