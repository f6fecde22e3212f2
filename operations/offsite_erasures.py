"""The record of erasures, outside as well: the whole file, sealed, a few seconds after each new line.

Under a new name each time, and the ones before go when the new one was read back. A server that is rebuilt from there
knows whom it must not bring back.
"""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from functools import partial

import pyrage

from operations import backup_keys, erasure_record, offsite
from operations.erasure_record import Damaged, Entry
from operations.models import OffsiteState

FOLDER = "erasures"
# Whether it is still there is asked now and then, and not each round.
LOOK_EVERY = timedelta(hours=1)


def round_of(*, now: datetime) -> bool:
    return offsite.attempt("erasures", partial(_step, now=now), now=now)


def _step(place: offsite.Place, kept: OffsiteState, *, now: datetime) -> bool:
    try:
        entries = erasure_record.read()
    except Damaged as problem:  # the good one outside stays
        raise offsite.NotOffsite(str(problem)) from problem
    name = _name(entries)
    looked = kept.swept_at is not None and now - kept.swept_at < LOOK_EVERY
    if not entries or (looked and kept.position == name):
        return True
    there = offsite.names(place, FOLDER)[1]
    if f"{name}.age" not in there:
        data: bytes = pyrage.encrypt(erasure_record.text(entries), [backup_keys.recipient()])
        offsite.send_bytes(place, f"{FOLDER}/{name}.age", data)
    for each in there:
        if each < f"{name}.age":
            offsite.remove(place, f"{FOLDER}/{each}")
    OffsiteState.objects.filter(name=kept.name).update(position=name, swept_at=now)
    return True


def _name(entries: list[Entry]) -> str:
    """00000012-3f9a0c2b77de: how many lines, and the beginning of the hash of the last one."""
    return f"{len(entries):08d}-{entries[-1].hash[:12]}" if entries else ""


def fetch(place: offsite.Place) -> list[Entry]:
    """The newest; nothing where there is none. Raises NotOffsite where it cannot be read."""
    names = offsite.names(place, FOLDER)[1]
    if not names:
        return []
    into = io.BytesIO()
    offsite.fetch(place, f"{FOLDER}/{names[-1]}", into)
    try:
        entries = erasure_record.of(pyrage.decrypt(into.getvalue(), backup_keys.identities()))
    except (pyrage.DecryptError, Damaged) as error:
        raise offsite.NotOffsite(f"{FOLDER}/{names[-1]} is not what was written") from error
    if f"{_name(entries)}.age" != names[-1]:
        raise offsite.NotOffsite(f"{FOLDER}/{names[-1]} is not what was written")
    return entries
