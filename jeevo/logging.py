"""Structured JSON logs that carry no health data.

Log events are fixed sentences with keys; patients' words and phone numbers are never arguments. As a
second line of defence the formatter masks runs of digits that look like a phone number or a WhatsApp
id, and an exception is written as its class and its place, without its message.
"""

from __future__ import annotations

import re
import traceback
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

_PHONE = re.compile(r"(?<![\w-])\+?\d[\d\s().-]{7,}\d(?![\w-])")
_WAMID = re.compile(r"wamid\.[\w=+/-]+")
_KEPT_KEYS = {"timestamp", "level", "logger", "request_id", "contact", "message", "answer", "outbound", "document"}
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def masked(text: str) -> str:
    return _PHONE.sub("[number]", _WAMID.sub("[message id]", text))


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: masked(value) if isinstance(value, str) and key not in _KEPT_KEYS else value for key, value in event.items()}


def _place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The class of an exception and where it was raised; its message may quote what a person wrote."""
    info: Any = event.pop("exc_info", None)
    if info is True:
        info = structlog.processors._figure_out_exc_info(info)
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    if isinstance(info, tuple) and info[0] is not None:
        frames = traceback.extract_tb(info[2])[-6:]
        event["error"] = f"{info[0].__module__}.{info[0].__qualname__}"
        event["at"] = [f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
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
        "()": structlog.stdlib.ProcessorFormatter,
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
            "torch": quiet,
            "httpx": quiet,
            "httpcore": quiet,
            "groq": quiet,
            "sentence_transformers": quiet,
            "django.request": {"level": "ERROR"},
        },
    }
