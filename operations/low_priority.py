"""Work that can wait for the processor: a backup and its check stand back for whoever is answering people."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

# Not the lowest: on a machine that is always busy a backup still has to end.
NICE = 10


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


def _standing_back(step: Callable[[], None]) -> None:
    stand_back()
    try:
        step()
    finally:
        connections.close_all()
