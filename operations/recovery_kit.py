"""The recovery kit: one sealed text with every key and in plain words how to bring the service back from a copy.

Whoever holds the kit, its passphrase and a copy of the backups can read everything; whoever lacks one of them, nothing.
It is meant for paper or another place than the copies. Opening one needs no database.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime

import pyrage
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from jeevo.environment import Offsite
from operations import backup_keys, postgres
from operations.models import RecoveryKit

SHORTEST = 12
# Settings that are no secret and that a service does not come back without, as they are written.
PLAIN = ("ALLOWED_HOSTS", "PUBLIC_URL", "DEFAULT_COUNTRY", "EMERGENCY_NUMBERS", "EMAIL_FROM", "WEB_PORT")
_SETTINGS, _KEYS, _SYSTEM, _END = "[settings]", "[backup keys]", "[server's number]", "[end]"
_WORDS = """\
RECOVERY KIT OF {service}
Made {made:%Y-%m-%d %H:%M} UTC with release {release}, PostgreSQL {server}.

With this kit and the copies outside, the service comes back on an empty machine. Keep it apart from the copies, and its
passphrase apart from both. Make a new one after every change of a key.

What to do when the server is lost (docs/runbooks/lost-server.md says the same in more words):

1. Install Jeevo of this release or a newer one on a machine with an empty data folder.
2. Put the lines under {settings} into its file .env, and set again what is not here:
   {absent}
3. Run:  manage.py recover --latest --kit THIS_FILE
   It asks for the passphrase, fetches the newest copy, checks it, and brings back all that was kept up to the end.
4. Start Jeevo. It takes a full backup first.
5. Make a new kit.

The keys under {keys} open the backups. manage.py recover puts them where they belong.
"""


class KitProblem(Exception):
    """One sentence: why there is no kit, or why this one does not open."""


@dataclass(frozen=True)
class Kit:
    text: str
    settings: dict[str, str]
    backup_keys: tuple[str, ...]
    system: str

    @property
    def offsite(self) -> Offsite:
        parts = ("URL", "ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "REGION")
        return Offsite(*(self.settings.get(f"OFFSITE_{each}", "") for each in parts))


def make(passphrase: str, *, now: datetime, by: User | None = None, with_offsite_secrets: bool = False) -> bytes:
    """The sealed kit, noted as made."""
    if len(passphrase) < SHORTEST:
        raise KitProblem(f"The passphrase is too short: take at least {SHORTEST} characters, such as five words of a dice list.")
    text = _text(now=now, with_offsite_secrets=with_offsite_secrets)
    sealed: bytes = pyrage.passphrase.encrypt(text.encode(), passphrase)
    RecoveryKit.objects.create(made_at=now, made_by=by, key_ids=key_ids())
    return sealed


def _text(*, now: datetime, with_offsite_secrets: bool) -> str:
    environment = settings.ENVIRONMENT
    lines = {
        "JEEVO_MODE": environment.mode,
        "SECRET_KEY": environment.secret_key,
        "FIELD_KEYS": ",".join(environment.field_keys),
        "INDEX_KEY": environment.index_key,
        "OFFSITE_URL": environment.offsite.url,
        "OFFSITE_ENDPOINT": environment.offsite.endpoint,
        "OFFSITE_REGION": environment.offsite.region,
    }
    lines |= {name: os.environ.get(name, "") for name in PLAIN}
    absent = ["WHATSAPP_TOKEN and the other WHATSAPP_ lines", "GROQ_API_KEY", "EMAIL_URL", "and what else you had changed"]
    if with_offsite_secrets:
        lines |= {"OFFSITE_ACCESS_KEY": environment.offsite.access_key, "OFFSITE_SECRET_KEY": environment.offsite.secret_key}
    else:
        absent.append("OFFSITE_ACCESS_KEY, OFFSITE_SECRET_KEY")
    words = _WORDS.format(
        service=environment.service_name,
        made=now,
        release=environment.release or "(not named; the newest will do)",
        server=postgres.server_major(),
        settings=_SETTINGS,
        keys=_KEYS,
        absent=", ".join(absent),
    )
    held = [f"{name}={value}" for name, value in lines.items() if value]
    return "\n".join(
        [words, _SETTINGS, *held, "", _KEYS, *map(str, backup_keys.identities()), "", _SYSTEM, _system(), "", _END, ""]
    )


def _system() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        return str(cursor.fetchone()[0])


def opened(sealed: bytes, passphrase: str) -> Kit:
    try:
        text = pyrage.passphrase.decrypt(sealed, passphrase).decode()
    except (pyrage.DecryptError, UnicodeDecodeError) as error:
        raise KitProblem("The kit does not open: the passphrase is another one, or the file is damaged.") from error
    found = _sections(text)
    if not found.keys() >= {_SETTINGS, _KEYS, _SYSTEM, _END}:
        raise KitProblem("This is no recovery kit, or it was cut short.")
    values = dict(line.split("=", 1) for line in found[_SETTINGS] if "=" in line)
    return Kit(text, values, tuple(found[_KEYS]), "".join(found[_SYSTEM]))


def _sections(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in text.splitlines():
        if line.startswith("[") and line.endswith("]"):
            name = line
            found[name] = []
        elif line.strip():
            found[name].append(line)
    return found


def key_ids() -> list[str]:
    """Each key by something that tells nothing of it: a backup key by its public half, the others by a mark."""
    environment = settings.ENVIRONMENT
    kept = [("field", key) for key in environment.field_keys] + [("index", environment.index_key)]
    return backup_keys.key_ids() + [f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}" for name, key in kept]


def missing_from(kit_key_ids: list[str]) -> list[str]:
    """Keys that are in use and that a kit of these ids does not hold."""
    return sorted(set(key_ids()) - set(kit_key_ids))
