"""The figures of the console's home page, one function each, each one indexed query.

A figure is a tile: a number with its unit, a sentence that says what it means, and how serious it is.
`state` is None where a number is neither good nor bad. Nothing here holds a patient's words or number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Exists, Max, Min, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from conversations import handover, whatsapp
from conversations.models import Answer, Citation, Handover, InboundMessage, OutboundMessage
from knowledge import freshness
from knowledge.models import Chunk, Document, UnansweredQuestion
from operations import pauses, restorable
from operations.phrases import count, lasted, the

State = Literal["good", "at_risk", "breached", "unknown"]
DAY = timedelta(hours=24)
SLOW, TOO_SLOW = timedelta(minutes=1), timedelta(minutes=5)
# A red flag has its emergency text at once; these are for the person who should look at it.
RED_FLAG_WAIT, PERSON_WAIT = timedelta(minutes=10), timedelta(minutes=30)
WITH_SOURCES = (Answer.Kind.GENERATED, Answer.Kind.EXTRACTIVE)


@dataclass(frozen=True)
class Tile:
    title: str
    figure: str
    unit: str
    said: str
    state: State | None = None
    since: datetime | None = None
    since_label: str = ""
    href: str = ""
    link: str = ""
    permission: str = ""
    details: tuple[tuple[str, str], ...] = ()


def messages_today(now: datetime) -> Tile:
    # Messages of the last day still have their payload, and the index on received_at holds only those.
    rows = InboundMessage.objects.filter(payload__isnull=False, received_at__gte=midnight(now))
    found = rows.aggregate(number=Count("pk"), people=Count("contact", distinct=True), latest=Max("received_at"))
    said = f"From {count(found['people'], 'person', 'people')}." if found["number"] else "Nobody has written today."
    return Tile(
        "Messages today",
        f"{found['number']:,}",
        "messages",
        said,
        since=found["latest"],
        since_label="the latest",
        href=reverse("admin:conversations_inboundmessage_changelist"),
        link="All messages",
        permission="conversations.view_inboundmessage",
    )


def waiting_messages(now: datetime) -> Tile:
    """What came in and has no answer yet, and how long the oldest has waited."""
    open_now = Q(status="received") | Q(status__in=["waiting", "processing"])
    found = InboundMessage.objects.filter(open_now).aggregate(
        number=Count("pk"), slow=Count("pk", filter=Q(received_at__lt=now - SLOW)), oldest=Min("received_at")
    )
    age = now - found["oldest"] if found["oldest"] else timedelta(0)
    on_purpose = bool(found["slow"]) and pauses.answers_wait()
    return Tile(
        "Waiting for an answer",
        f"{found['number']:,}",
        "message" if found["number"] == 1 else "messages",
        "They wait on purpose, for maintenance." if on_purpose else _waiting_said(found["number"], found["slow"]),
        "breached" if age > TOO_SLOW and not on_purpose else "at_risk" if age > SLOW else "good",
        since=found["oldest"],
        since_label="the oldest",
        href=reverse("admin:conversations_inboundmessage_changelist") + "?open=yes",
        link="Messages that wait",
        permission="conversations.view_inboundmessage",
    )


def _waiting_said(number: int, slow: int) -> str:
    if slow:
        return f"{count(slow, 'message has', 'messages have')} waited longer than a minute."
    if number:
        return f"{count(number, 'message is', 'messages are')} being answered."
    return "No message waits."


def waiting_people(now: datetime) -> Tile:
    """Handovers that nobody has taken, the oldest first."""
    late = Q(opened_at__lt=now - PERSON_WAIT)
    late_flag = Q(reason=Handover.Reason.RED_FLAG, opened_at__lt=now - RED_FLAG_WAIT)
    found = (
        handover.waiting()
        .filter(taken_at__isnull=True)
        .order_by()
        .aggregate(
            number=Count("pk"),
            late=Count("pk", filter=late),
            flags=Count("pk", filter=late_flag),
            oldest=Min("opened_at"),
        )
    )
    number = found["number"]
    said = f"The oldest has waited {lasted(now - found['oldest'])}." if number else "Nobody waits for a person."
    if found["flags"]:
        said = f"{count(found['flags'], 'red flag has', 'red flags have')} waited longer than 10 minutes."
    return Tile(
        "Waiting for a person",
        f"{number:,}",
        "person" if number == 1 else "people",
        said,
        "breached" if found["flags"] else "at_risk" if found["late"] else "good",
        since=found["oldest"],
        since_label="the oldest",
        href=reverse("admin:conversations_handover_waiting"),
        link="Who waits",
        permission="conversations.view_handover",
    )


def answers_today(now: datetime) -> Tile:
    cited = Exists(Citation.objects.filter(answer=OuterRef("pk")))
    rows = list(
        Answer.objects.filter(created_at__gte=midnight(now))
        .order_by()
        .values("kind")
        .annotate(number=Count("pk"), cited=Count("pk", filter=cited))
        .order_by("-number", "kind")
    )
    total = sum(row["number"] for row in rows)
    medical = sum(row["number"] for row in rows if row["kind"] in WITH_SOURCES)
    sourced = sum(row["cited"] for row in rows if row["kind"] in WITH_SOURCES)
    said = "No answer has been given today." if not total else "No answer today needed a source."
    if medical:
        said = f"{sourced * 100 // medical} % of the health answers name their sources."
    return Tile(
        "Answers today",
        f"{total:,}",
        "answer" if total == 1 else "answers",
        said,
        "at_risk" if sourced < medical else None,
        href=reverse("admin:conversations_answer_changelist"),
        link="All answers",
        permission="conversations.view_answer",
        details=tuple((Answer.Kind(row["kind"]).label.capitalize(), f"{row['number']:,}") for row in rows),
    )


def failed_messages(now: datetime) -> Tile:
    rows = list(
        OutboundMessage.objects.filter(status="failed", failed_at__gte=now - DAY)
        .order_by()
        .values("error_code", "reason")
        .annotate(number=Count("pk"), latest=Max("failed_at"))
        .order_by("-number", "reason")
    )
    total = sum(row["number"] for row in rows)
    said = (
        f"Mostly: {the(rows[0]['reason'] or 'no reason was given')}." if rows else "Every message went out in the last 24 hours."
    )
    needs_us = any(row["error_code"] is not None and whatsapp.judge(row["error_code"]).operator for row in rows)
    return Tile(
        "Failed to send, 24 h",
        f"{total:,}",
        "message" if total == 1 else "messages",
        said,
        "breached" if needs_us else "at_risk" if total else "good",
        since=max((row["latest"] for row in rows), default=None),
        since_label="the latest",
        href=reverse("admin:conversations_outboundmessage_changelist") + "?status__exact=failed",
        link="Messages that failed",
        permission="conversations.view_outboundmessage",
    )


def unanswered_questions(_: datetime) -> Tile:
    found = UnansweredQuestion.objects.filter(resolved_at__isnull=True).aggregate(number=Count("pk"), oldest=Min("created_at"))
    number = found["number"]
    said = (
        "Waiting for a clinician to write or upload an answer."
        if number
        else "Every question so far had a source or was dealt with."
    )
    return Tile(
        "Unanswered questions",
        f"{number:,}",
        "question" if number == 1 else "questions",
        said,
        since=found["oldest"],
        since_label="the oldest",
        href=reverse("admin:knowledge_unansweredquestion_changelist"),
        link="Questions for clinicians",
        permission="knowledge.view_unansweredquestion",
    )


def knowledge(now: datetime) -> Tile:
    """What may be cited now, and whether a clinician has read it."""
    starter = Q(origin=Document.Origin.STARTER, reviewed_at__isnull=True)
    found = (
        Document.objects.citable()
        .order_by()
        .aggregate(number=Count("pk"), unreviewed=Count("pk", filter=starter), indexed=Max("indexed_at"))
    )
    passages = Chunk.objects.filter(document__in=Document.objects.citable(), index__status="active").order_by().count()
    stale = freshness.stale_count(now)
    return Tile(
        "Knowledge",
        f"{found['number']:,}",
        "document" if found["number"] == 1 else "documents",
        _knowledge_said(passages, found["unreviewed"], stale),
        "breached" if not passages else "at_risk" if stale else "good",
        since=found["indexed"],
        since_label="last indexed",
        href=reverse("admin:knowledge_document_stale" if stale else "admin:knowledge_document_changelist"),
        link="Documents to confirm" if stale else "Documents",
        permission="knowledge.view_document",
    )


def _knowledge_said(passages: int, unreviewed: int, stale: int) -> str:
    if not passages:
        return "Nothing can be cited yet: every question is declined until a document is indexed."
    said = f"{count(passages, 'passage', 'passages')} can be cited."
    if unreviewed:
        said += f" No clinician has reviewed {count(unreviewed, 'starter article', 'starter articles')} of them yet."
    if stale:
        said += f" {count(stale, 'document is', 'documents are')} due to be confirmed by a clinician."
    return said


def language_model(now: datetime) -> Tile:
    groq, problem = settings.ENVIRONMENT.groq, cache.get("llm:problem")
    if not groq.api_key:
        return Tile("Language model", "Off", "", "No Groq key: answers come straight from the sources.")
    if not isinstance(problem, dict):
        return Tile(
            "Language model",
            "On",
            groq.model,
            "Groq writes the answers; each one is checked against its sources.",
            "good",
        )
    since = _moment(problem.get("since"))
    reason = str(problem.get("reason") or "Groq does not answer")
    ago = f", {lasted(now - since)} ago" if since else ""
    said = f"{reason[:1].upper()}{reason[1:]}{ago}. Answers come straight from the sources."
    return Tile("Language model", "Failing", groq.model, said, "at_risk", since=since, since_label="since")


def whatsapp_line(_: datetime) -> Tile:
    problem = cache.get("whatsapp:problem")
    if isinstance(problem, dict):
        said = f"{problem.get('reason') or 'WhatsApp refuses our messages'}. Messages wait and go out when it is put right."
        return Tile(
            "WhatsApp",
            "Refused",
            "",
            said,
            "breached",
            since=_moment(problem.get("since")),
            since_label="since",
        )
    if settings.LIVE:
        return Tile("WhatsApp", "Connected", "", "WhatsApp takes our messages.", "good")
    said = "Sandbox: messages stay on this machine and reach no real phone."
    return Tile(
        "WhatsApp",
        "Sandbox",
        "",
        said,
        href=f"http://127.0.0.1:{settings.ENVIRONMENT.sandbox_port}/",
        link="Open the chat page",
    )


def backups(now: datetime) -> Tile:
    """What would be lost if the database's disk were gone this moment, and whether a backup was shown to be good."""
    found = restorable.measure(now=now)
    return Tile(
        "Would be lost now",
        restorable.in_words(found.lost).capitalize() if found.lost is not None else "Unknown",
        "of work" if found.lost is not None else "",
        found.said,
        found.state,
        since=found.verified_at,
        since_label="last verified backup",
        href=reverse("admin:operations_backup_changelist"),
        link="Backups",
        permission="operations.view_backup",
    )


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, timezone.get_current_timezone())
    return parse_datetime(value) if isinstance(value, str) else None


def midnight(now: datetime) -> datetime:
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


FIGURES: tuple[Callable[[datetime], Tile], ...] = (
    waiting_messages,
    waiting_people,
    failed_messages,
    messages_today,
    answers_today,
    unanswered_questions,
    knowledge,
    language_model,
    whatsapp_line,
    backups,
)
