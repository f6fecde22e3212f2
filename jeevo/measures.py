"""What Jeevo counts and times in its processes: the objects of /metrics, and the few verbs that fill them.

A leaf, so that every app may measure with one line. Where PROMETHEUS_MULTIPROC_DIR is set the values live in files
that the web process merges (docs/adr/0028). A label is one of a few known words, never a number, a name or a text
of a person.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from types import FrameType
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
FEW_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
MILLISECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
SHARES = tuple(each / 20 for each in range(1, 21))

# The names of the operations guide, and what its targets need besides.
medical_queries = Counter("medical_queries", "Questions about health that got a reply.", ["kind"], registry=REGISTRY)
validation_errors = Counter("validation_errors", "Sentences of the model that its sources did not carry.", registry=REGISTRY)
query_duration = Histogram(
    "query_duration_seconds",
    "From a person's messages being due until their reply is stored.",
    registry=REGISTRY,
    buckets=FEW_SECONDS,
)
vector_search_duration = Histogram(
    "vector_search_duration_seconds", "One search of the knowledge base, embedding apart.", registry=REGISTRY, buckets=FEW_SECONDS
)
vector_db_duration = Histogram(
    "vector_db_duration_seconds", "The statement that finds the candidates.", registry=REGISTRY, buckets=FEW_SECONDS
)
webhook_duration = Histogram(
    "webhook_duration_seconds", "One webhook of WhatsApp.", ["status"], registry=REGISTRY, buckets=FEW_SECONDS
)
database_query_duration = Histogram(
    "database_query_duration_seconds", "One query, in any process.", registry=REGISTRY, buckets=MILLISECONDS
)
answers = Counter("answers", "Replies by kind, and whether they name a source.", ["kind", "cited"], registry=REGISTRY)
answer_confidence = Histogram(
    "answer_confidence", "Confidence in what was found for a question.", registry=REGISTRY, buckets=SHARES
)
triage_levels = Counter("triage_levels", "Messages by the level that triage gave them.", ["level"], registry=REGISTRY)
operations = Counter("operations", "What can fail: requests, tasks, calls to other services.", ["kind"], registry=REGISTRY)
failures = Counter("failures", "What failed, each once.", ["kind"], registry=REGISTRY)
errors = Counter("errors", "The same by class and place.", ["kind", "error", "place"], registry=REGISTRY)
call_duration = Histogram(
    "call_duration_seconds", "Calls to Groq and WhatsApp.", ["service", "outcome"], registry=REGISTRY, buckets=FEW_SECONDS
)
task_duration = Histogram(
    "celery_task_duration_seconds", "Tasks of the workers.", ["task", "outcome"], registry=REGISTRY, buckets=FEW_SECONDS
)
# Of each process by its pid; whoever reads them adds up those that still live.
resident_memory = Gauge(
    "process_resident_memory_bytes", "Memory in use.", ["process"], registry=REGISTRY, multiprocess_mode="all"
)
pulse = Gauge("process_pulse_seconds", "The last sign of life.", ["process"], registry=REGISTRY, multiprocess_mode="all")

MEDICAL = ("generated", "extractive", "declined", "emergency", "self_harm")
KINDS = ("database", "timeout", "limit", "other")
# From the start: of a series that begins with its first event, Prometheus sees no rise.
for _kind in KINDS:
    failures.labels(_kind)
for _kind in ("request", "task", "call"):
    operations.labels(_kind)
for _kind in MEDICAL:
    medical_queries.labels(_kind)
for _kind in ("generated", "extractive"):
    for _cited in ("yes", "no"):
        answers.labels(_kind, _cited)
_OURS = ("conversations", "knowledge", "operations", "jeevo")
_WATCHERS = ("jeevo.measures", "jeevo.measuring", "jeevo.logging")
_COUNTED = "_jeevo_counted"
View = TypeVar("View", bound=Callable[..., Any])


def answered(kind: str, *, cited: bool, confidence: float | None) -> None:
    """One reply was stored."""
    kind = str(kind)
    answers.labels(kind, "yes" if cited else "no").inc()
    if kind in MEDICAL:
        medical_queries.labels(kind).inc()
    if confidence is not None:
        answer_confidence.observe(confidence)


def by_status(view: View) -> View:
    """Times a view of the webhook by the class of its status; one that raises is answered with 500."""

    @wraps(view)
    def timed(*args: Any, **kwargs: Any) -> Any:
        started, status = time.perf_counter(), 500
        try:
            response = view(*args, **kwargs)
            status = response.status_code
            return response
        finally:
            webhook_duration.labels(f"{status // 100}xx").observe(time.perf_counter() - started)

    return timed  # type: ignore[return-value]


@contextmanager
def call(service: str) -> Iterator[None]:
    """Times a call to another service; what it raises is counted as an error, unless the message itself was refused."""
    started, outcome = time.perf_counter(), "answered"
    try:
        yield
    except Exception as error:
        outcome = kind_of(error)
        if outcome != "refused":
            failed(error)
        raise
    finally:
        operations.labels("call").inc()
        call_duration.labels(service, outcome).observe(time.perf_counter() - started)


def failed(error: BaseException) -> None:
    """Count this failure, once, however many handlers see it on its way up."""
    chain = _chain(error)
    if any(getattr(each, _COUNTED, False) for each in chain):
        return
    with suppress(AttributeError):
        setattr(error, _COUNTED, True)
    kind = kind_of(error)
    failures.labels(kind).inc()
    errors.labels(kind, type(error).__name__, _place(error)).inc()


def kind_of(error: BaseException) -> str:
    """timeout, limit, refused, database, or other. An error class may say it itself by `outcome`."""
    chain = _chain(error)
    for each in chain:
        said = getattr(each, "outcome", "")
        if said in ("limit", "refused"):
            return str(said)
    if any(isinstance(each, TimeoutError) or "Timeout" in type(each).__name__ for each in chain):
        return "timeout"
    if any(type(each).__name__ == "QueryCanceled" for each in chain):
        return "timeout"
    if any(type(each).__module__.startswith(("django.db", "psycopg")) for each in chain):
        return "database"
    return "other"


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _place(error: BaseException) -> str:
    """ "module:function" of ours that is nearest to where it was raised."""
    found = ""
    trace = error.__traceback__
    while trace is not None:
        found = _ours(trace.tb_frame) or found
        trace = trace.tb_next
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not found:
        found = _ours(frame)
        frame = frame.f_back
    return found or "elsewhere"


def _ours(frame: FrameType) -> str:
    module = str(frame.f_globals.get("__name__", ""))
    if module.split(".")[0] not in _OURS or module in _WATCHERS:
        return ""
    return f"{module}:{frame.f_code.co_name}"
