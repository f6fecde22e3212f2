"""Where the measures are connected: every query, request and task, what is logged as an error, and each process's pulse.

Installed once a process, when the applications are loaded. A query costs some microseconds more by it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil
from celery import signals
from django.core.exceptions import SuspiciousOperation
from django.core.signals import request_started
from django.db import DatabaseError, IntegrityError, InterfaceError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from jeevo import logging, measures

PULSE_SECONDS = 15.0
# What watches the service is not its work.
_WATCHING = ("/health", "/metrics", "/static")
_begun: dict[str, float] = {}
# Held while a process forks: a child that inherits the lock of a value would wait for it for ever.
_quiet = threading.Lock()


def install() -> None:
    connection_created.connect(watch_queries, dispatch_uid="measures")
    request_started.connect(_requested, dispatch_uid="measures")
    signals.task_prerun.connect(_task_begins, dispatch_uid="measures")
    signals.task_postrun.connect(_task_ends, dispatch_uid="measures")
    if _logged not in logging.on_error:
        logging.on_error.append(_logged)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        os.register_at_fork(before=_quiet.acquire, after_in_parent=_quiet.release, after_in_child=_in_child)
        _start_pulse()


def watch_queries(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    """A wrapper object outlives its connections, so it is watched once."""
    if _timed not in connection.execute_wrappers:
        connection.execute_wrappers.append(_timed)


def _timed(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    started = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    except (DatabaseError, InterfaceError) as error:
        # A constraint that keeps a row single is doing its work.
        if not isinstance(error, IntegrityError):
            measures.failed(error)
        raise
    finally:
        measures.database_query_duration.observe(time.perf_counter() - started)


def _requested(*, environ: dict[str, Any] | None = None, **_: object) -> None:
    if not str((environ or {}).get("PATH_INFO", "")).startswith(_WATCHING):
        measures.operations.labels("request").inc()


def _logged(error: BaseException) -> None:
    """A stranger who asks under a wrong name is refused; nothing of ours failed."""
    if not isinstance(error, SuspiciousOperation):
        measures.failed(error)


def _task_begins(*, task_id: str, **_: object) -> None:
    _begun[task_id] = time.perf_counter()


def _task_ends(*, task_id: str, task: Any, state: str | None = None, **_: object) -> None:
    measures.operations.labels("task").inc()
    started = _begun.pop(task_id, None)
    if started is not None:
        outcome = "done" if state == "SUCCESS" else "failed"
        measures.task_duration.labels(task.name, outcome).observe(time.perf_counter() - started)


def _in_child() -> None:
    _quiet.release()
    _begun.clear()
    _start_pulse()


def _start_pulse() -> None:
    threading.Thread(target=_beat, name="pulse", daemon=True).start()


def _beat() -> None:
    name, process = os.environ.get("JEEVO_PROCESS", ""), psutil.Process()
    while True:
        with _quiet:
            measures.resident_memory.labels(name).set(process.memory_info().rss)
            measures.pulse.labels(name).set(time.time())
        time.sleep(PULSE_SECONDS)
