"""Putting the keys of a recovery kit where a service looks for them. What was there is moved aside, never overwritten."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.conf import settings

from operations import backup_keys
from operations.recovery_kit import Kit


def put_back(kit: Kit, *, now: datetime) -> tuple[str, ...]:
    """Sentences for what a person must still do: a key that .env names is theirs to change."""
    backup_keys.install(kit.backup_keys)
    environment = settings.ENVIRONMENT
    here = {
        "SECRET_KEY": environment.secret_key,
        "FIELD_KEYS": ",".join(environment.field_keys),
        "INDEX_KEY": environment.index_key,
    }
    told = [_one(name, kit.settings.get(name, ""), value, now=now) for name, value in here.items()]
    return tuple(each for each in told if each)


def _one(name: str, wanted: str, known: str, *, now: datetime) -> str:
    path: Path = settings.ENVIRONMENT.keys / name.lower()
    if not wanted or wanted == known:
        return ""
    from_file = path.exists() and path.read_text().strip() == known
    if not from_file or "," in wanted:
        return f"{name} in .env is not that of the kit: put the kit's line there before the start."
    path.rename(path.with_name(f"{path.name}.before-{now:%Y%m%d%H%M%S}"))
    path.touch(mode=0o600)
    path.write_text(wanted)
    return ""
