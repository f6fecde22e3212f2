"""PostgreSQL: it answers, is set up as it must be, has this release's tables, and opens with our keys.

One connection of its own with short limits, so that a pool that is used up or a server that hangs is told in seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

from operations.preflight import Line, good, replication, rows, tools

NAME = "Database"
OLDEST_MAJOR, SAFE_VECTOR = 16, (0, 8, 4)
LARGEST_SKEW_SECONDS = 2.0
# Of the server's connections, the share that the processes of one site may need before it is told.
MOST_NEEDED = 0.8
# As jeevo/gunicorn.py starts them; and each of the other processes, the probes of /health/ and a backup.
WEB_PROCESSES, FIXED_CONNECTIONS = 2, 20
_SERVER = """
    SELECT current_setting('server_version_num')::int, current_setting('server_version'),
           (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
           pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database())),
           current_setting('data_checksums'), current_setting('TimeZone'),
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
           extract(epoch FROM clock_timestamp())::float8, pg_is_in_recovery()
"""
_KEYS = ("number", "version", "vector", "encoding", "checksums", "zone", "limit", "used", "clock", "standby")


def lines(*, starting: bool) -> Iterator[Line]:
    """`starting`: before the processes run, when nobody has a heartbeat yet."""
    try:
        with connected() as open_one:
            yield from server(open_one)
            yield from replication.lines()
            yield from rows.lines(open_one, starting=starting)
    except psycopg.errors.QueryCanceled:
        yield Line(NAME, "breached", "It answers too slowly: a simple question took two seconds.", "See what it is busy with.")
    except psycopg.Error as error:
        yield away(error)
        yield tools.line(major=None)


def connected() -> psycopg.Connection[Any]:
    given = connection.get_connection_params()
    given |= {"connect_timeout": 2, "application_name": "preflight", "options": "-c statement_timeout=2000"}
    given |= {"tcp_user_timeout": 2000}
    given.pop("cursor_factory", None)
    return psycopg.connect(**given, autocommit=True)


def away(error: psycopg.Error) -> Line:
    """What is wrong without what the error says: it may quote an address or an account."""
    if not settings.SERVICES_FOUND:
        return Line(NAME, "breached", "It does not run here.", "Start Jeevo with `make run`.")
    said, remedy = "It does not answer.", "See whether PostgreSQL runs and can be reached, and check DATABASE_URL."
    text = str(error)
    if "password authentication failed" in text or "no password supplied" in text:
        said, remedy = "It refuses the account or its password.", "Check the account and the password in DATABASE_URL."
    elif "does not exist" in text:
        said, remedy = "The database or the account does not exist.", "Check the names in DATABASE_URL, or make them."
    elif "too many clients" in text or "remaining connection slots" in text:
        said, remedy = "All its connections are taken.", "End what holds them, or raise max_connections."
    return Line(NAME, "breached", said, remedy)


def server(open_one: psycopg.Connection[Any]) -> Iterator[Line]:
    before = time.time()
    found = open_one.execute(_SERVER).fetchone()
    assert found is not None
    told = dict(zip(_KEYS, found, strict=True))
    major = told["number"] // 10000
    yield version(major, str(told["version"]), standby=bool(told["standby"]))
    yield vector(told["vector"])
    yield shape(told)
    yield connections(limit=told["limit"], used=told["used"], needed=needed())
    yield clocks(told["clock"], before=before, after=time.time())
    yield tools.line(major=major)


def version(major: int, said: str, *, standby: bool) -> Line:
    if standby:
        return Line(NAME, "breached", "It is a standby and takes no writes.", "Promote it, or point DATABASE_URL at the primary.")
    if major < OLDEST_MAJOR:
        return Line(NAME, "at_risk", f"PostgreSQL {said} is older than what Jeevo is tested with.", "Plan the way to version 18.")
    return good(NAME, f"PostgreSQL {said.split()[0]} answers.")


def vector(version: str | None) -> Line:
    name = "pgvector"
    if version is None:
        remedy = "Install pgvector on the server and run CREATE EXTENSION vector in this database as its superuser."
        return Line(name, "breached", "The extension is not in this database; nothing can be searched.", remedy)
    numbers = tuple(int(each) for each in version.split(".")[:3] if each.isdigit())
    if numbers < SAFE_VECTOR:
        said = f"Version {version} has faults that can damage an index."
        return Line(name, "at_risk", said, "Install 0.8.4 or newer, run ALTER EXTENSION vector UPDATE, and build the index anew.")
    return good(name, f"Version {version}.")


def shape(told: dict[str, Any]) -> Line:
    """What is fixed when a database is made, and the zone its times are shown in."""
    name, odd = "Database's form", list[str]()
    if told["encoding"] != "UTF8":
        return Line(name, "breached", f"Its encoding is {told['encoding']}: most scripts cannot be stored.", "Make one in UTF8.")
    if told["checksums"] != "on":
        odd.append("it keeps no checksums, so damage on the disk is found late (pg_checksums --enable, while it is stopped)")
    if told["zone"] not in ("UTC", "Etc/UTC", "GMT"):
        odd.append(f"its time zone is {told['zone']} (set timezone = 'UTC')")
    if odd:
        return Line(name, "at_risk", f"It works; {' and '.join(odd)}.", "Change it in the next maintenance window.")
    return good(name, "UTF-8, with checksums, in UTC.")


def needed() -> int:
    """What our processes may hold at once: a pool for each web process, and one for each of the others."""
    environment = settings.ENVIRONMENT
    return int(WEB_PROCESSES * (environment.web_threads + 1) + environment.answer_workers + FIXED_CONNECTIONS)


def connections(*, limit: int, used: int, needed: int) -> Line:
    name, said = "Connections", f"{used} of {limit} are in use, and Jeevo's processes may need {needed} together."
    if needed > limit:
        return Line(name, "breached", said, "Raise max_connections, or lower WEB_THREADS and ANSWER_WORKERS.")
    if needed > MOST_NEEDED * limit or used > MOST_NEEDED * limit:
        return Line(name, "at_risk", said, "Raise max_connections, or see who else uses this server.")
    return good(name, said)


def clocks(theirs: float, *, before: float, after: float) -> Line:
    """Timers are kept by the one and shown by the other."""
    apart = max(0.0, before - theirs, theirs - after)
    if apart > LARGEST_SKEW_SECONDS:
        said = f"The clocks of this machine and of the database differ by {apart:.0f} seconds."
        return Line("Clocks", "at_risk", said, "Let both take their time from the network (NTP).")
    return good("Clocks", "This machine and the database agree.")
