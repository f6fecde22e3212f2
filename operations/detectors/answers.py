"""How good the answers are: whether the language model writes them, and how sure Jeevo is of them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Q
from django.utils.dateparse import parse_datetime

from conversations import llm
from conversations.models import Answer
from operations.detectors import MEDIUM, Signal
from operations.phrases import lasted

WINDOW, LEAST_ANSWERS, HALF = timedelta(minutes=30), 10, 0.5
FAILING = timedelta(minutes=10)
HOUR, LEAST_CONFIDENT, ENOUGH = timedelta(hours=1), 20, 0.6
_MEDIAN = """
    SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY confidence) FROM (
        SELECT confidence FROM conversations_answer
        WHERE created_at > %s AND created_at <= %s AND kind IN ('generated', 'extractive') AND confidence IS NOT NULL
        ORDER BY created_at DESC LIMIT %s
    ) AS latest
"""
# The latest of a busy hour say as much as all of them.
MOST_ANSWERS = 500


def model_fallback(now: datetime) -> list[Signal]:
    """The model should write and does not: half of the answers it could have written are quoted from the sources."""
    if not settings.ENVIRONMENT.groq.api_key:
        return []
    problem = cache.get(llm.PROBLEM)
    since = parse_datetime(str(problem.get("since"))) if isinstance(problem, dict) else None
    title = "The language model does not write the answers; they are quoted from the sources"
    if since and now - since >= FAILING:
        return [Signal(title, MEDIUM, details=f"Groq has failed for {lasted(now - since)}.", since=since)]
    # In other languages an answer that cannot be translated is quoted by intention; there, only a try that failed counts.
    expected = Q(kind=Answer.Kind.EXTRACTIVE) & (Q(language="en") | Q(timings__has_key="generate"))
    latest = Answer.objects.filter(created_at__gt=now - WINDOW, created_at__lte=now).order_by("-created_at")[:MOST_ANSWERS]
    found = latest.aggregate(quoted=Count("pk", filter=expected), written=Count("pk", filter=Q(kind=Answer.Kind.GENERATED)))
    total = found["quoted"] + found["written"]
    if total < LEAST_ANSWERS or found["quoted"] / total < HALF:
        return []
    return [Signal(title, MEDIUM, details=f"{found['quoted']} of the last {total} answers.", since=since)]


def low_confidence(now: datetime) -> list[Signal]:
    """The median of an hour is below .6: people ask what the knowledge does not hold, or the search is unwell."""
    with connection.cursor() as cursor:
        cursor.execute(_MEDIAN, [now - HOUR, now, MOST_ANSWERS])
        number, median = cursor.fetchone()
    if number < LEAST_CONFIDENT or median >= ENOUGH:
        return []
    details = f"The median of the last {number} answers is {median:.2f}; it should be above {ENOUGH}."
    return [Signal("Answers of the last hour are less certain than they should be", MEDIUM, details=details)]
