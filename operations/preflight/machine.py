"""The machine and its folders: memory, processors, room on the disk, and whether what must be written can be."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil
from django.conf import settings

from operations.preflight import Line, good

GB = 1024**3
# The guide's limits, and below which nothing works any more.
FULL_AT_RISK, FULL_BREACHED = 80.0, 95.0
LEAST_DISK_GB, LEAST_MEMORY_GB = 0.5, 0.25
# What the processes of one site hold together: two web processes, three workers and one embedding model.
WANTED_MEMORY_GB = 2.0


def lines(*, starting: bool) -> Iterator[Line]:
    """`starting`: whatever made the processors busy before is over when the service begins."""
    yield memory()
    if not starting:
        yield processors()
    yield from disks(folders())
    yield from writable(folders())


def folders() -> dict[str, Path]:
    """What the processes write to, by the name people know it under."""
    data = settings.ENVIRONMENT.data
    return {
        "data": data,
        "media": Path(settings.MEDIA_ROOT),
        "logs": data / "logs",
        "status page": settings.ENVIRONMENT.status_page,
    }


def memory() -> Line:
    found = psutil.virtual_memory()
    free, total = found.available / GB, found.total / GB
    said = f"{free:.1f} of {total:.1f} GB of memory are free"
    if free < LEAST_MEMORY_GB:
        return Line("Memory", "breached", f"{said}.", "End what else runs here, or give the machine more memory.")
    if total < WANTED_MEMORY_GB or found.percent > FULL_AT_RISK:
        more = f"Jeevo wants {WANTED_MEMORY_GB:.0f} GB, a fifth of all memory free."
        return Line("Memory", "at_risk", f"{said}.", f"{more} See what else runs here, or add memory.")
    return good("Memory", f"{said}.")


def processors() -> Line:
    count = psutil.cpu_count() or 1
    busy = os.getloadavg()[1] / count
    said = f"{count} processor{'' if count == 1 else 's'}, {busy:.0%} busy over the last five minutes"
    if count < 2:
        return Line("Processors", "at_risk", f"{said}.", "Answers slow down while documents are indexed; two or more are better.")
    if busy > 1:
        return Line("Processors", "at_risk", f"{said}: more is asked of them than they can do.", "See what else runs here.")
    return good("Processors", f"{said}.")


def disks(paths: Mapping[str, Path], *, full: float = FULL_AT_RISK, least_gb: float = LEAST_DISK_GB) -> Iterator[Line]:
    """One line for each disk, however many folders lie on it."""
    seen: dict[int, list[str]] = {}
    places: dict[int, Path] = {}
    for name, path in paths.items():
        place = next((each for each in (path, *path.parents) if each.exists()), Path("/"))
        device = place.stat().st_dev
        seen.setdefault(device, []).append(name)
        places.setdefault(device, place)
    for device, names in seen.items():
        yield _disk(f"Disk of {', '.join(names)}", places[device], full=full, least_gb=least_gb)


def _disk(name: str, place: Path, *, full: float, least_gb: float) -> Line:
    found = psutil.disk_usage(str(place))
    said = f"{found.percent:.0f} % full, {found.free / GB:.1f} GB are free"
    if found.percent > FULL_BREACHED or found.free / GB < least_gb:
        return Line(name, "breached", f"{said}.", "Make room now: a full disk stops the database and with it every answer.")
    if found.percent > full:
        return Line(name, "at_risk", f"{said}.", "Make room, or add a larger disk, before it is full.")
    return good(name, f"{said}.")


def writable(paths: Mapping[str, Path]) -> Iterable[Line]:
    refused = {name: problem for name, path in paths.items() if (problem := _refusal(path))}
    for name, problem in refused.items():
        path = paths[name]
        remedy = f"Give the account that runs Jeevo the right to write to {path}, or name another folder in .env."
        yield Line(f"Folder: {name}", "breached", f"Nothing can be written there: {problem}.", remedy)
    if not refused:
        yield good("Folders", f"{', '.join(paths)}: all can be written to.")


def _refusal(path: Path) -> str:
    """Why a file cannot be made there, tried with a real one; empty when it can."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return (error.strerror or type(error).__name__).lower()
    return ""
