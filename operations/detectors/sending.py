"""What goes out: messages that WhatsApp does not take, and a token or account that it refuses."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Min
from django.utils.dateparse import parse_datetime

from conversations import delivery, whatsapp
from conversations.models import Answer, OutboundMessage
from operations.detectors import CRITICAL, HIGH, MEDIUM, Signal
from operations.phrases import count, the

WINDOW = timedelta(minutes=15)
# Below it one odd number on a quiet night would be a share of half.
LEAST_FAILED = 5
SOME, MANY = 0.05, 0.10


def send_failures(now: datetime) -> list[Signal]:
    """Of what was answered in a quarter of an hour, the share that could not be sent.

    Answers stand for messages: they have an index by time, and all but a few messages carry one.
    """
    failed = OutboundMessage.objects.filter(status="failed", failed_at__gt=now - WINDOW)
    found = failed.aggregate(first=Min("failed_at"))
    number = failed.count() if found["first"] else 0
    if number < LEAST_FAILED:
        return []
    answered = Answer.objects.filter(created_at__gt=now - WINDOW, created_at__lte=now).count()
    share = number / max(number, answered)
    if share < SOME:
        return []
    title = f"{share:.0%} of the messages of the last 15 minutes could not be sent"
    details = f"{count(number, 'message', 'messages')} failed."
    return [Signal(title, HIGH if share >= MANY else MEDIUM, details=details, since=found["first"])]


def provider_refused(now: datetime) -> list[Signal]:
    """WhatsApp refuses our token or account. Messages wait, and nobody gets an answer until an operator mends it."""
    problem = cache.get(delivery.PROBLEM)
    held = OutboundMessage.objects.filter(status="queued", error_code__isnull=False)
    known = held.order_by().values_list("error_code", flat=True).distinct()
    codes = sorted(code for code in known if code is not None and whatsapp.judge(code).operator)
    if not codes and not isinstance(problem, dict):
        return []
    reason = whatsapp.judge(codes[0]).reason if codes else str(problem.get("reason") or "WhatsApp refuses our messages")
    since = parse_datetime(str(problem.get("since"))) if isinstance(problem, dict) else None
    number = held.filter(error_code__in=codes).count()
    details = f"{count(number, 'message waits', 'messages wait')} and will go out when it is put right."
    return [Signal(f"WhatsApp takes no messages from us: {the(reason)}", CRITICAL, details=details, since=since)]
