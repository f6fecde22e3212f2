"""The keys that backups are sealed with (age, X25519). The first one seals, all of them open.

They lie outside the data folder, in `backup_keys` beside the other keys or in BACKUP_KEYS, so that a copy of the backups
alone says nothing. A manifest names the key by its public half.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pyrage
from django.conf import settings

FILE = "backup_keys"


class KeyProblem(Exception):
    """One sentence: which key is wrong or missing, and what to do."""


def path() -> Path:
    return Path(settings.ENVIRONMENT.keys / FILE)


def identities() -> list[pyrage.x25519.Identity]:
    """All known keys, the one that seals first. The first call makes one."""
    if not path().exists():
        _make()
    lines = [line.strip() for line in path().read_text().splitlines()]
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError as error:
        raise KeyProblem(f"{path()} holds a line that is no age key: put it back from the recovery kit.") from error
    if not found:
        raise KeyProblem(f"{path()} is empty: put it back from the recovery kit.")
    return found


def recipient() -> pyrage.x25519.Recipient:
    return identities()[0].to_public()


def key_ids() -> list[str]:
    return [str(each.to_public()) for each in identities()]


def rotate() -> str:
    """A new key that seals from now on; the old ones stay, as long as a backup needs them."""
    known = path().read_text() if path().exists() else ""
    fresh = pyrage.x25519.Identity.generate()
    _write(f"{fresh}\n{known}")
    return str(fresh.to_public())


def install(lines: Sequence[str]) -> None:
    """Keys of a recovery kit, in front of those that are here."""
    known = path().read_text().splitlines() if path().exists() else []
    _write("".join(f"{line}\n" for line in dict.fromkeys([*lines, *known])))


def _make() -> None:
    """Two that begin at the same moment agree on one: a key that is replaced would leave a backup that nobody can open."""
    draft = _draft(f"{pyrage.x25519.Identity.generate()}\n")
    with contextlib.suppress(FileExistsError):
        os.link(draft, path())
    draft.unlink()


def _write(text: str) -> None:
    _draft(text).rename(path())


def _draft(text: str) -> Path:
    path().parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path().with_name(f".{FILE}.{os.getpid()}.{threading.get_ident()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    return draft
