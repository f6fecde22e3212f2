"""Our own processes on this machine, as the system sees them: name, number, memory, since when.

A process says its name in JEEVO_PROCESS. In containers each one sees only itself; what the others use is in the
figures by the minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import psutil
from django.conf import settings

# In the order of jeevo.supervisor, which starts them; a test keeps the two alike.
PROCESSES = (
    "web",
    "sandbox",
    "dispatcher",
    "watcher",
    "operator",
    "worker-answers",
    "worker-indexing",
    "worker-operations",
    "beat",
)


@dataclass(frozen=True)
class Running:
    """`megabytes` counts what is in memory now, with what is shared counted in each process."""

    name: str
    pid: int
    megabytes: float
    since: datetime


def expected() -> tuple[str, ...]:
    """What should run here: the sandbox plays WhatsApp, so a live service has none."""
    return tuple(name for name in PROCESSES if name != "sandbox" or not settings.LIVE)


def running() -> list[Running]:
    """Processes that carry one of our names and the data folder of this installation, with the children they forked."""
    found = []
    for process in psutil.process_iter():
        try:
            given = process.environ()
            name = given.get("JEEVO_PROCESS", "")
            if name and _ours(given, process):
                since = datetime.fromtimestamp(process.create_time(), UTC)
                found.append(Running(name, process.pid, process.memory_info().rss / 2**20, since))
        except (psutil.Error, OSError):
            # It ended a moment ago, or belongs to somebody else.
            continue
    return sorted(found, key=lambda each: (each.name, each.since))


def _ours(given: dict[str, str], process: psutil.Process) -> bool:
    """Another installation on the same machine lies in another folder, or keeps its data elsewhere."""
    folder = given.get("JEEVO_DATA_DIR", ".jeevo/data")
    return process.cwd() == str(settings.BASE_DIR) and (settings.BASE_DIR / folder).resolve() == settings.ENVIRONMENT.data
