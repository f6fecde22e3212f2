"""People who wait: for an answer, for somebody to look at a red flag, for a dispatcher that sees emergencies.

While a holding notice is in force, answers wait by intention; emergencies never do, so what nobody has sorted yet counts.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Exists, Min, OuterRef, Q

from conversations import handover
from conversations.models import Answer, Contact, Handover, HoldingNotice, InboundMessage
from operations.detectors import CRITICAL, HIGH, Signal
from operations.figures import RED_FLAG_WAIT
from operations.models import Pause
from operations.phrases import count, lasted

UNSEEN = timedelta(minutes=1)
STUCK, OUTAGE = timedelta(minutes=5), timedelta(minutes=15)
SILENT = timedelta(minutes=2)
_WAITING = Q(status__in=["waiting", "processing"])
# The dispatcher gives the others itself.
_OF_WORKERS = (
    Answer.Kind.GENERATED,
    Answer.Kind.EXTRACTIVE,
    Answer.Kind.DECLINED,
    Answer.Kind.HOLDING,
    Answer.Kind.APOLOGY,
)


def stuck_messages(now: datetime) -> list[Signal]:
    """The oldest message without an answer is older than five minutes; over a quarter of an hour it is an outage."""
    if _answers_wait_by_intention(now):
        return []
    late = InboundMessage.objects.filter(Q(status="received") | _WAITING, received_at__lte=now - STUCK)
    found = late.aggregate(number=Count("pk"), oldest=Min("received_at"))
    if not found["number"]:
        return []
    age = now - found["oldest"]
    title = f"{count(found['number'], 'message has', 'messages have')} waited longer than 5 minutes"
    return [Signal(title, CRITICAL if age >= OUTAGE else HIGH, details=f"The oldest waits {lasted(age)}.", since=found["oldest"])]


def dispatcher_silent(now: datetime) -> list[Signal]:
    """A message that nobody has sorted for a minute may be an emergency without its answer."""
    late = InboundMessage.objects.filter(status="received", received_at__lte=now - UNSEEN)
    found = late.aggregate(number=Count("pk"), oldest=Min("received_at"))
    if not found["number"]:
        return []
    title = "New messages are not looked at, and emergencies among them get no answer"
    details = f"{count(found['number'], 'message waits', 'messages wait')} to be sorted for longer than a minute."
    return [Signal(title, CRITICAL, details=details, since=found["oldest"])]


def workers_silent(now: datetime) -> list[Signal]:
    """People are handed out, no worker has one of them, and for two minutes no answer came."""
    if _answers_wait_by_intention(now):
        return []
    due = Q(retry_at__isnull=True) | Q(retry_at__lte=now - SILENT)
    late = InboundMessage.objects.filter(_WAITING, due, contact__isnull=False, received_at__lte=now - SILENT)
    oldest = late.aggregate(oldest=Min("received_at"))["oldest"]
    if oldest is None or Answer.objects.filter(created_at__gt=now - SILENT, kind__in=_OF_WORKERS).exists():
        return []
    held = InboundMessage.objects.filter(_WAITING, contact=OuterRef("pk"))
    if Contact.objects.filter(Exists(held), lease_until__gt=now).exists():
        return []
    details = f"People wait for up to {lasted(now - oldest)}, nobody is being answered."
    return [Signal("The workers that write answers are silent", HIGH, scope="answers", details=details, since=oldest)]


def red_flag_waiting(now: datetime) -> list[Signal]:
    """Somebody got an emergency text, and for ten minutes no person has looked at the conversation."""
    flags = handover.waiting().filter(reason=Handover.Reason.RED_FLAG, taken_at__isnull=True)
    found = flags.filter(opened_at__lte=now - RED_FLAG_WAIT).order_by().aggregate(number=Count("pk"), oldest=Min("opened_at"))
    if not found["number"]:
        return []
    title = f"{count(found['number'], 'red flag has', 'red flags have')} waited longer than 10 minutes for a person"
    return [Signal(title, HIGH, details=f"The oldest waits {lasted(now - found['oldest'])}.", since=found["oldest"])]


def _answers_wait_by_intention(now: datetime) -> bool:
    """And for a while after, in which what was held back is answered."""
    held = HoldingNotice.objects.filter(holds=True, starts_at__lte=now, ends_at__gt=now - STUCK)
    drained = Pause.objects.filter(kind=Pause.Kind.DRAIN, ended_at__isnull=True, until__gt=now)
    return held.exists() or drained.exists()
