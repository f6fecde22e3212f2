"""Work that can wait for the processor: a backup and its check stand back for whoever is answering people."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

# Not the lowest: on a machine that is always busy a backup still has to end.
NICE = 10
# So many times as long as it was kept waiting does a thread rest, that the others find a processor; no rest is longer than that.
RESTS, LONGEST_SECONDS = 6, 1.0
# The kernel is asked no more often than after so much work.
WORK_BYTES = 1024 * 1024
_thread = threading.local()


def in_a_thread(step: Callable[[], None]) -> None:
    """Run `step` and wait for it. In a thread of its own, because a priority that was lowered cannot be raised again; the
    programs that it starts inherit it."""
    with ThreadPoolExecutor(1, thread_name_prefix="low-priority") as pool:
        pool.submit(_standing_back, step).result()


def stand_back() -> None:
    """Lower the priority of this thread, and of what it starts, unless it is as low already: only root may raise it."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICE, os.getpriority(os.PRIO_PROCESS, thread)))
        _thread.waited, _thread.worked = _waited(), 0


def alike(step: Callable[[], None]) -> Callable[[], None]:
    """To be run in another thread, which then stands back where this one does."""
    if getattr(_thread, "waited", None) is None:
        return step

    def standing_back() -> None:
        stand_back()
        step()

    return standing_back


def give_way(worked: int) -> None:
    """To be called after each piece of work, with its bytes. A thread that stands back rests where it was kept waiting for a
    processor: the programs that feed it, of which the server's own have a usual priority, then wait for it too. Where nothing
    was waited for, and in any other thread, it does nothing."""
    before: float | None = getattr(_thread, "waited", None)
    if before is None:
        return
    _thread.worked += worked
    if _thread.worked >= WORK_BYTES:
        rest = min(LONGEST_SECONDS, RESTS * (_waited() - before))
        if rest > 0:
            time.sleep(rest)
        _thread.waited, _thread.worked = _waited(), 0


def _waited() -> float:
    """Seconds that this thread was ready to run and found no processor, since it began (Linux, Documentation/scheduler/
    sched-stats.rst). Zero where the kernel keeps no such statistics."""
    try:
        with open(f"/proc/self/task/{threading.get_native_id()}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _standing_back(step: Callable[[], None]) -> None:
    stand_back()
    try:
        step()
    finally:
        connections.close_all()
