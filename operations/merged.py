"""The measures of every process together, read from their files.

One folder for each kind of process, because pids of two containers are alike (docs/adr/0028). What a process counted
stays after it died, or the sum would fall and look like a reset; its memory goes with it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from jeevo import measures

# The library has no types here.
_Merging: Any = MultiProcessCollector
_Values: Any = MmapedDict
# Four pulses without one: it is dead, or stopped for good.
DEAD_AFTER = 60.0
# A process that was only stopped may go on writing into its file; after a day nobody waits for it.
FOLD_AFTER = 86_400.0
# A machine has some forty; so many more cost little to read.
FOLD_ABOVE = 100
OF_PROCESSES = ("process_resident_memory_bytes", "process_pulse_seconds")


def collect(*, now: float | None = None) -> list[Metric]:
    """Every metric of every process, gauges without their pids; of this process alone where no files are kept."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return list(measures.REGISTRY.collect())
    return merge(settings.METRICS_DIR, now=now or time.time())


def merge(folder: Path, *, now: float) -> list[Metric]:
    with _locked(folder, fcntl.LOCK_SH):
        found = _merged(sorted(folder.glob("*/*.db")))
    kept = [each for each in found if each.name not in OF_PROCESSES]
    return [*kept, *_of_the_living({each.name: each for each in found}, now)]


def _merged(paths: Iterable[Path]) -> list[Metric]:
    files = [str(path) for path in paths]
    try:
        return list(_Merging.merge(files))
    except (struct.error, RuntimeError, ValueError, OSError):
        # A file that is being made is empty for a moment; one that a full disk cut short stays out.
        return list(_Merging.merge([file for file in files if _is_readable(file)]))


def _is_readable(file: str) -> bool:
    try:
        list(_Values.read_all_values_from_file(file))
    except (struct.error, RuntimeError, ValueError, OSError):
        return False
    return True


def _of_the_living(found: dict[str, Metric], now: float) -> Iterator[Metric]:
    """Memory by kind of process, and how many of each live."""
    memory, pulse = (found.get(name) for name in OF_PROCESSES)
    if memory is None or pulse is None:
        return
    alive = {_owner(sample.labels) for sample in pulse.samples if now - sample.value <= DEAD_AFTER}
    total: dict[str, float] = defaultdict(float)
    number: dict[str, int] = defaultdict(int)
    for sample in memory.samples:
        if _owner(sample.labels) in alive:
            total[sample.labels["process"]] += sample.value
            number[sample.labels["process"]] += 1
    used = Metric(memory.name, memory.documentation, "gauge")
    running = Metric("processes_running", "Processes that gave a sign of life within a minute.", "gauge")
    for process in sorted(total):
        used.add_sample(used.name, {"process": process}, total[process])
        running.add_sample(running.name, {"process": process}, number[process])
    yield from (used, running)


def _owner(labels: dict[str, str]) -> tuple[str, str]:
    return labels["process"], labels["pid"]


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Nobody reads while files are folded, in whatever container."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, how)
        yield


def fold(folder: Path, *, now: float) -> int:
    """Put what processes counted that died a day ago into one file each kind, and remove theirs; how many went.

    Only where there are many: a process that is replaced in the ordinary way leaves some 12 KB.
    """
    if sum(1 for _ in folder.glob("*/*.db")) <= FOLD_ABOVE:
        return 0
    with _locked(folder, fcntl.LOCK_EX):
        return sum(_fold(each, now) for each in folder.iterdir() if each.is_dir())


def _fold(folder: Path, now: float) -> int:
    dead = [pid for pid, last in _pulses(folder) if now - last > FOLD_AFTER]
    gone = [path for pid in dead for path in folder.glob(f"*_{pid}.db")]
    for kind in ("counter", "histogram"):
        _add_up(folder / f"{kind}_folded.db", [path for path in gone if path.name.startswith(f"{kind}_")])
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def _pulses(folder: Path) -> Iterator[tuple[str, float]]:
    for path in folder.glob("gauge_all_*.db"):
        for metric in _merged([path]):
            if metric.name == "process_pulse_seconds":
                yield from ((sample.labels["pid"], sample.value) for sample in metric.samples)


def _add_up(target: Path, sources: list[Path]) -> None:
    if not sources:
        return
    together = _Values(str(target))
    for source in sources:
        if _is_readable(str(source)):
            for key, value, _, _ in _Values.read_all_values_from_file(str(source)):
                before, _ = together.read_value(key)
                together.write_value(key, before + value, 0.0)
    together.close()
