"""Whether the recovery kit that was last made holds every key that is in use now."""

from __future__ import annotations

from typing import Any

import psycopg
from django.conf import settings

from operations import backup_keys, recovery_kit
from operations.phrases import count
from operations.preflight import Line, good

NAME = "Recovery kit"
_LATEST = """
    SELECT made_at, ARRAY(SELECT jsonb_array_elements_text(key_ids))
    FROM operations_recoverykit ORDER BY made_at DESC LIMIT 1
"""
_REMEDY = "Make one with `manage.py recovery_kit --out FILE` and keep it in another place than the copies."


def line(open_one: psycopg.Connection[Any]) -> Line:
    found = open_one.execute(_LATEST).fetchone()
    if found is None:
        if settings.ENVIRONMENT.mode == "sandbox":
            return good(NAME, "None was made; in the sandbox none is needed.")
        return Line(
            NAME, "at_risk", "None was made: with this machine the keys would be lost, and no copy could be read.", _REMEDY
        )
    try:
        missing = recovery_kit.missing_from(found[1])
    except (backup_keys.KeyProblem, OSError):
        return Line(NAME, "breached", "The backup keys cannot be read.", "Put them back from the recovery kit.")
    if missing:
        keys = count(len(missing), "key that is in use is", "keys that are in use are")
        return Line(NAME, "at_risk", f"{keys} not in the kit of {found[0]:%Y-%m-%d}.", _REMEDY)
    return good(NAME, f"The one of {found[0]:%Y-%m-%d} holds every key that is in use.")
