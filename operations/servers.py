"""Servers that run on a data directory of their own and outlive whoever starts them: a standby, and Jeevo's own in its place.

They run as the servers' account, with the programs of `operations.postgres`, and are set up by files alone.
"""

from __future__ import annotations

import re
import signal
from pathlib import Path

from django.conf import settings

from jeevo import embedded, embedded_postgres, embedded_programs
from jeevo.embedded_host import EmbeddedError
from operations.postgres import ToolProblem, home, tools, works_in


def can_enter(folder: Path) -> bool:
    """Whether the servers' account may: modes of every parent have a say."""
    return embedded_programs.run(home(), ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)]).returncode == 0


def server_settings(logs: Path) -> str:
    """As the server that Jeevo runs itself has them, with its log in this folder."""
    return embedded_postgres.SETTINGS.format(logs=str(logs).replace("'", "''"), standby="")


def launch(cluster: Path, *, major: int, log: Path) -> int:
    """A server that outlives this process, set up by the files in its own folder; its pid."""
    note = cluster / "postmaster.pid"
    if note.exists() and not works_in(cluster):  # of a killed one, whose number may be another's now
        note.unlink()
    return embedded_programs.launch(home(), [str(tools(major) / "postgres"), "-D", str(cluster)], log=log)


def records(piece: Path, *, start: str, major: int) -> list[str]:
    """Positions of the records of the log in this piece from `start` on. It ends where nothing more was written, which
    pg_waldump calls an error."""
    said = embedded_programs.run(home(), [str(tools(major) / "pg_waldump"), f"--start={start}", str(piece)]).stdout
    return re.findall(r", lsn: ([0-9A-F]+/[0-9A-F]+),", said)


def alive(pid: int) -> bool:
    return embedded_programs.alive(pid)


def end(cluster: Path) -> None:
    """Fast shutdown of the server that runs on this data directory, if one does."""
    if works_in(cluster):
        pid = int((cluster / "postmaster.pid").read_text().splitlines()[0])
        embedded_programs.end(pid, (signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 5))


def start_own() -> str:
    """The server that Jeevo runs itself, with the data that is in its place now; its address."""
    environment = settings.ENVIRONMENT
    try:
        return embedded.start_postgres(environment.data, environment.keys, report=lambda _: None)
    except EmbeddedError as problem:
        raise ToolProblem(str(problem)) from problem
