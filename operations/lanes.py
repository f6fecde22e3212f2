"""What Celery's workers say about themselves. None when the broker does not answer: then nothing is known."""

from __future__ import annotations

from celery import current_app
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

LANES = ("answers", "indexing", "operations")
ANSWER_SECONDS = 1.0
# For a worker that is in the middle of something; nobody waits for this where all answer.
LATE_SECONDS = 5.0


def known() -> set[str] | None:
    """The lanes in which a worker answers; asked again, and waited for longer, where one of ours is missing."""
    found = _answering(ANSWER_SECONDS)
    if found is None or not found.issuperset(LANES):
        again = _answering(LATE_SECONDS)
        found = again if found is None else found | (again or set())
    return found


def _answering(seconds: float) -> set[str] | None:
    try:
        answers = current_app.control.inspect(timeout=seconds).ping()
    except (BrokerError, RedisError, OSError):
        return None
    return {name.partition("@")[0] for name in answers or {}}


def running_tasks() -> int | None:
    """How many tasks are being worked on now."""
    try:
        answers = current_app.control.inspect(timeout=ANSWER_SECONDS).active()
    except (BrokerError, RedisError, OSError):
        return None
    return sum(len(tasks) for tasks in (answers or {}).values())
