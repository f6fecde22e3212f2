"""Structured JSON logs that carry no health data.

Log events are fixed sentences with keys; patients' words and phone numbers are never arguments. As a
second line of defence the formatter masks runs of digits that look like a phone number or a WhatsApp
id, and an exception is written as its class and its place, without its message, wherever it stands: as
`exc_info`, as an argument of the line, or in what Celery says of a failed task.

What a request sets off is followed by its id: `following` puts it on every line that is written within.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

_PHONE = re.compile(r"(?<![\w-])\+?\d[\d\s().-]{7,}\d(?![\w-])")
_WAMID = re.compile(r"wamid\.[\w=+/-]+")
_KEPT_KEYS = {"timestamp", "level", "logger", "process", "request_id", "contact", "message", "answer", "outbound", "document"}
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
# What Celery says of a task, as text that was made of the exception and of the arguments.
_OF_CELERY = {"exc", "traceback", "args", "kwargs"}
# Told of every exception that is logged as an error; a leaf cannot know who counts them.
on_error: list[Callable[[BaseException], None]] = []


@contextmanager
def following(request_id: str) -> Iterator[None]:
    """Every line within carries this id, and afterwards what it carried before. An empty one is none."""
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        yield


def follow(request_id: str) -> None:
    """The same for the rest of the `following` that one is in, where the id is learned on the way."""
    structlog.contextvars.bind_contextvars(request_id=request_id)


def request_id() -> str:
    """The id that is followed now, or nothing."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def masked(text: str) -> str:
    return _PHONE.sub("[number]", _WAMID.sub("[message id]", text))


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if not key.startswith("_"):  # structlog's own
            value = _named(value)
            event[key] = masked(value) if isinstance(value, str) and key not in _KEPT_KEYS else value
    return event


def _circumstances(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Which process says it; and no empty id."""
    if not event.get("request_id"):
        event.pop("request_id", None)
    event["process"] = os.environ.get("JEEVO_PROCESS", "manage")
    return event


def _class_of(error: BaseException) -> str:
    """Celery wraps an exception that cannot be pickled, and tells the name of its class."""
    return str(getattr(error, "exc_cls_name", type(error).__qualname__))


def _named(value: Any) -> Any:
    """The same value with every exception in it replaced by the name of its class."""
    if isinstance(value, BaseException):
        return _class_of(value)
    if type(value).__name__ == "ExceptionInfo":  # Celery's, which is printed with its traceback
        return _named(value.exception)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_named(each) for each in value)
    if isinstance(value, Mapping):
        return {key: _named(each) for key, each in value.items()}
    return value


def _without_message(value: Any, error: BaseException | None) -> Any:
    """The arguments of a line. Celery puts what an error says, and what a task was called with, into a dict as text."""
    if not isinstance(value, Mapping) or not ("exc" in value or {"args", "kwargs"} <= value.keys()):
        return _named(value)
    names = {key: type(value[key]).__qualname__ for key in _OF_CELERY & value.keys()}
    if "exc" in value and not isinstance(value["exc"], BaseException):
        names["exc"] = "an exception" if error is None else _class_of(error)
    return _named({**value, **names})


def without_messages(record: logging.LogRecord) -> logging.LogRecord:
    """A copy of another library's record in which an exception is only its class; other handlers keep the record itself."""
    record = logging.makeLogRecord(record.__dict__)
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    record.args = _without_message(record.args, error)
    if isinstance(record.msg, BaseException):
        record.msg = _named(record.msg)
    if hasattr(record, "data"):
        record.data = _without_message(record.data, error)
    return record


class Formatter(structlog.stdlib.ProcessorFormatter):
    """In the formatter and not in a filter, so that no handler can have the one without the other."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(without_messages(record))


def _place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The class of an exception and where it was raised; its message may quote what a person wrote."""
    info: Any = event.pop("exc_info", None)
    if info is True:
        info = structlog.processors._figure_out_exc_info(info)
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[0] is not None:
        if event.get("level") in ("error", "critical"):
            for tell in on_error:
                tell(info[1])
        frames = traceback.extract_tb(info[2])[-6:]
        event["error"] = f"{info[0].__module__}.{info[0].__qualname__}"
        event["at"] = [f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _circumstances,
    _place,
    _redact,
]


def configuration(*, level: str) -> dict[str, Any]:
    """The LOGGING setting: everything to standard error as one JSON object a line."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": Formatter,
        "foreign_pre_chain": [structlog.stdlib.ExtraAdder(allow=()), *_SHARED],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    }
    quiet = {"level": "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"standard": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["standard"], "level": level},
        "loggers": {
            # Two lines for each task, which our own lines tell better.
            "celery": quiet,
            "torch": quiet,
            "axes": quiet,
            "httpx": quiet,
            "httpcore": quiet,
            "groq": quiet,
            "sentence_transformers": quiet,
            "django.request": {"level": "ERROR"},
        },
    }
