"""Whether writes wait until the received log has them, and what is missing where they cannot."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from django.conf import settings

from operations import synchronous
from operations.preflight import Line, good

NAME = "Synchronous replication"


def lines() -> Iterator[Line]:
    if not settings.ENVIRONMENT.synchronous_replication:
        yield good(NAME, "Writes do not wait for the received log, as SYNCHRONOUS_REPLICATION says.")
        return
    try:
        with synchronous.connect() as one:
            found, may = synchronous.ask(one), synchronous.may_switch(one)
    except psycopg.Error:
        said = "It could not be looked at: the database postgres of the server does not let us in."
        yield Line(NAME, "unknown", said, "Let our account connect there; restores need it too.")
        return
    if found.waits:
        yield good(NAME, "Every write waits until the received log has it.")
    elif found.names:
        yield good(NAME, "Writes wait for standbys of your own; Jeevo leaves that as it is.")
    elif not may:
        said = "Writes do not wait for the received log, because our account may not say so to the server."
        yield Line(NAME, "at_risk", said, f"{synchronous.TO_GRANT} Or set SYNCHRONOUS_REPLICATION=false.")
    else:
        yield good(NAME, "Writes wait for the received log as soon as its receiver follows.")
