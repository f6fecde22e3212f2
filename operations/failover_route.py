"""Leading the service to the server that was promoted: a new DATABASE_URL, or the place of the server Jeevo runs itself."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from django.conf import settings
from psycopg import sql

from operations import (
    backup_keys,
    drains,
    lost_files,
    lost_server,
    offsite,
    offsite_reading,
    postgres,
    servers,
    standby_build,
    standby_server,
)
from operations.standby_folder import Facts, Folder

Told = Callable[[str], None]
_EVERYWHERE = ("*", "0.0.0.0", "::")  # noqa: S104


class NotRouted(Exception):
    """One sentence: what stands in the way, and what to do."""


@dataclass(frozen=True)
class Route:
    """`embedded`: it becomes the server that Jeevo runs itself on this machine. Else `host` is the name under which the
    service's processes find it, and `dotenv` the file that is changed, if any."""

    embedded: bool
    host: str = ""
    dotenv: Path | None = None


def check(route: Route, folder: Folder) -> None:
    """Raises NotRouted before anything is activated that could not be used."""
    if route.dotenv is not None and not route.dotenv.is_file():
        raise NotRouted(f"{route.dotenv} is not there: name the file with the settings of the service.")
    if not route.embedded:
        return
    if drains.is_held(Path(settings.ENVIRONMENT.data) / "supervisor.lock"):
        raise NotRouted("Jeevo's own processes run here and keep its database running: stop them first.")
    if folder.cluster.is_dir():
        if postgres.works_in(postgres.own_cluster()):
            raise NotRouted("Jeevo's own database still runs here: stop it first.")
        if not standby_build.same_disk(folder):
            raise NotRouted(
                "It lies on another disk than Jeevo's own server and cannot take its place: say --at-its-address, and set "
                "REDIS_URL too."
            )


def doubt(route: Route, folder: Folder, facts: Facts) -> str:
    """A sentence when the service may not be able to reach it; the server answers questions while it still follows."""
    if route.embedded:
        return ""
    try:
        psycopg.connect(url(facts, folder.password(), host=_host(route, facts)), connect_timeout=4).close()
    except psycopg.OperationalError as error:
        if "SSL" in str(error):
            return (
                "The service asks for encryption (sslmode) and this server has none yet: put server.crt and server.key into "
                f"{folder.cluster}, set ssl = on in its postgresql.conf, and restart it with `standby stop` and `start`."
            )
        return "Under the address that the service would use, this server does not let us in: see --host, and its pg_hba.conf."
    return ""


def _host(route: Route, facts: Facts) -> str:
    return route.host or ("127.0.0.1" if facts.listen in _EVERYWHERE else facts.listen.split(",")[0])


def take(route: Route, folder: Folder, facts: Facts, *, now: datetime, told: Told) -> None:
    if route.embedded:
        _in_place(folder, facts, now=now, told=told)
    else:
        _by_address(route, folder, facts, now=now, told=told)


@contextmanager
def connected(route: Route, folder: Folder, facts: Facts) -> Iterator[psycopg.Connection[Any]]:
    """The new primary, wherever it stands now."""
    if route.embedded:
        with psycopg.connect(servers.start_own(), connect_timeout=10, autocommit=True) as one:
            yield one
    else:
        with standby_server.connect(folder, facts) as one:
            yield one


def url(facts: Facts, password: str, *, host: str) -> str:
    """As DATABASE_URL has it, with what ours says of encryption."""
    user = quote(facts.connection["user"], safe="")
    query = urlsplit(settings.ENVIRONMENT.database_url or "").query
    host = f"[{host}]" if ":" in host else host
    return f"postgresql://{user}:{quote(password, safe='')}@{host}:{facts.port}/{facts.database}" + (f"?{query}" if query else "")


def _by_address(route: Route, folder: Folder, facts: Facts, *, now: datetime, told: Told) -> None:
    secret = folder.password()
    address = url(facts, secret, host=_host(route, facts))
    told(f"DATABASE_URL={address.replace(quote(secret, safe=''), '(the same password)')}")
    if route.dotenv is not None:
        kept = write(route.dotenv, {"DATABASE_URL": address}, now=now)
        told(f"It is written into {route.dotenv}; what was there is in {kept.name}.")
    _bring_files(facts, told)
    told(
        "Restart every process of the service with it, on every machine. Where DATABASE_URL is set outside .env, change it there."
    )


def _bring_files(facts: Facts, told: Told) -> None:
    """What people had uploaded is in no database; on a new machine it comes from the copies outside."""
    media = Path(settings.MEDIA_ROOT)
    if not offsite.configured() or (media.is_dir() and any(media.iterdir())):
        return
    try:
        place = offsite_reading.place_of(settings.ENVIRONMENT.offsite, system=facts.system)
        found, _ = offsite_reading.manifests(place)
        with postgres.scratch("failover-files") as scratch:
            told(lost_files.bring_back(place, offsite_reading.files(found, until=None), scratch))
    except (offsite.NotOffsite, backup_keys.KeyProblem) as problem:
        told(f"Uploaded files were not brought back. {problem}")


def _in_place(folder: Folder, facts: Facts, *, now: datetime, told: Told) -> None:
    if folder.cluster.is_dir():  # else a promotion that was killed has done it
        with standby_server.connect(folder, facts) as one:
            statement = sql.SQL("ALTER ROLE {} WITH LOGIN PASSWORD {}")
            one.execute(statement.format(sql.Identifier("jeevo"), sql.Literal(postgres.own_password())))
        standby_server.stop(folder)
        original, ours = folder.cluster / "postgresql.conf.primary", folder.cluster / "postgresql.conf"
        text = original.read_text() if original.exists() else ""
        # Settings of the server that Jeevo runs itself are written at each of its starts.
        folder.write(ours, text if "jeevo.conf" in text else "include 'jeevo.conf'\n")
        original.unlink(missing_ok=True)
        lost_server.put_in_place(folder.cluster, now=now)
        shutil.rmtree(folder.archive, ignore_errors=True)
    servers.start_own()
    told("It is the server that Jeevo runs itself now; the data of before was moved aside.")
    if settings.ENVIRONMENT.database_url:
        told("Take DATABASE_URL and REDIS_URL out of .env.")
    told("Start Jeevo as usual (`make run`).")


def write(path: Path, values: dict[str, str], *, now: datetime) -> Path:
    """Change these variables in a file of settings; where the file of before lies, which holds secrets too."""
    text = path.read_text()
    kept = path.with_name(f"{path.name}.before-{now:%Y%m%d%H%M%S}")
    draft = path.with_name(f"{path.name}.new")
    for each in (kept, draft):
        each.unlink(missing_ok=True)
        each.touch(mode=0o600)
    kept.write_text(text)
    for name, value in values.items():
        text = _with(text, name, value)
    draft.write_text(text)
    found = path.stat()
    with contextlib.suppress(PermissionError):
        shutil.chown(draft, found.st_uid, found.st_gid)
    draft.chmod(found.st_mode & 0o777)
    draft.rename(path)
    return kept


def _with(text: str, name: str, value: str) -> str:
    known = re.compile(rf"^(?:export )?{name}\s*=.*$", re.MULTILINE)
    # A function, because a value may hold a backslash.
    changed, found = known.subn(lambda _: f"{name}={value}", text)
    return changed if found else f"{text.rstrip()}\n{name}={value}\n"
