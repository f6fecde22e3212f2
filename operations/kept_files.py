"""What a service is besides its database: its settings without secrets, how it is watched, and the files people uploaded.

One tar with the hash of each file in it. A secret's name is there, so that one knows what must be set again; its value is
not: that is what the recovery kit is for.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from django.conf import settings

SETTINGS, HASHES = "settings.txt", "hashes.json"
WATCHING = ("grafana", "prometheus", "alertmanager")
_SECRET = re.compile(r"SECRET|KEY|TOKEN|PASSWORD|CREDENTIAL")
_NAMED = re.compile(r"^#? ?([A-Z][A-Z_]+)=", re.MULTILINE)


class NotKept(Exception):
    """One sentence: what is wrong with the files that came back."""


def settings_text(given: Mapping[str, str]) -> str:
    """Each variable of .env.example that is set: its value, or that it is a secret."""
    names = dict.fromkeys(_NAMED.findall((settings.BASE_DIR / ".env.example").read_text()))
    lines = [f"{name}={_shown(name, given[name])}" for name in names if given.get(name)]
    return "\n".join([*lines, ""])


def _shown(name: str, value: str) -> str:
    """An address may carry an account and its password before the @."""
    return "(secret, not kept here)" if _SECRET.search(name) or "@" in value else value


def files() -> Iterator[tuple[str, Path]]:
    """Name in the tar and where it lies; links lead out of the folder and are left out."""
    places = [(f"deploy/{name}", settings.BASE_DIR / "deploy" / name) for name in WATCHING]
    for prefix, folder in [*places, ("media", Path(settings.MEDIA_ROOT))]:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield f"{prefix}/{path.relative_to(folder)}", path


def write(into: IO[bytes]) -> int:
    """The tar; how many files are in it. A file that goes away meanwhile is left out."""
    hashes: dict[str, str] = {}
    with tarfile.open(fileobj=into, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, SETTINGS, settings_text(os.environ).encode(), hashes)
        for name, path in files():
            try:
                with path.open("rb") as file:
                    head = tar.gettarinfo(arcname=name, fileobj=file)
                    watched = _Hashed(file, head.size)
                    tar.addfile(head, watched)
            except FileNotFoundError:
                continue
            hashes[name] = watched.hash.hexdigest()
        count = len(hashes)
        _add(tar, HASHES, json.dumps(hashes).encode(), {})
    return count


def _add(tar: tarfile.TarFile, name: str, data: bytes, hashes: dict[str, str]) -> None:
    head = tarfile.TarInfo(name)
    head.size, head.mode = len(data), 0o600
    tar.addfile(head, io.BytesIO(data))
    hashes[name] = hashlib.sha256(data).hexdigest()


class _Hashed(io.RawIOBase):
    """As many bytes as the head of the file says, hashed as they pass: it may grow meanwhile."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.left, self.hash = file, size, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(min(self.left, size if size >= 0 else self.left))
        self.left -= len(data)
        self.hash.update(data)
        return data


def check(tar_path: Path, folder: Path) -> int:
    """Unpack and compare every file with its hash; how many there are. Raises NotKept."""
    try:
        with tarfile.open(tar_path) as tar:
            tar.extractall(folder, filter="data")
        hashes: dict[str, str] = json.loads((folder / HASHES).read_text())
    except (tarfile.TarError, OSError, ValueError) as error:
        raise NotKept("The files could not be unpacked.") from error
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file() or _sha256(path) != expected:
            raise NotKept(f"The file {name} is not what it was when it was kept.")
    found = sum(each.is_file() for each in folder.rglob("*"))
    if found != len(hashes) + 1:
        raise NotKept("There are files that were never kept.")
    return len(hashes)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
