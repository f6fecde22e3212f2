"""The answering path, top to bottom: lease -> claim -> notice -> compose -> commit -> send.

The unit of work is a person. Everything they wrote that has been quiet for the burst wait gets one
answer, written in one commit with its citations and its outgoing message, or not at all.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import lru_cache, partial
from uuid import UUID

import structlog
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from conversations import announced, compose, delivery, handover, memory, reply_text, webhook
from conversations.draft import Draft
from conversations.models import Answer, Citation, Contact, HoldingNotice, InboundMessage
from conversations.rulebook import Level
from jeevo import measures
from jeevo.ids import new_id
from jeevo.logging import follow, following
from knowledge import grouping, indexing
from knowledge.models import Document, UnansweredQuestion

log = structlog.get_logger(__name__)
Status = InboundMessage.Status

# Longer than the slowest honest answer: the model within its deadline, then one call to WhatsApp.
LEASE = timedelta(seconds=45)
MOST_ATTEMPTS = 3
LONGEST_BACK_OFF = timedelta(seconds=30)
PATIENCE_AT_START = timedelta(seconds=60)
# A key handed to the broker may be lost with it; after this long it is handed out again.
HANDED_FOR = timedelta(seconds=20)
# The reason of a message whose words no key opens. While it waits for another try it holds nothing else up.
UNREADABLE = "could not be read"
# The guide's: half of all answers should lie above it.
LOW_CONFIDENCE = 0.6


class LeaseLost(Exception):
    """Another worker took this person over; nothing was written."""


class Withdrawn(Exception):
    """A cited document was retired meanwhile; nothing was written."""


class CouldNotAnswer(Exception):
    """Names the class of the error and nothing of what it says: Celery writes this into its log, and errors quote
    the words they choke on."""


def answer_contact(key: UUID) -> None:
    """Answer what this person wrote and has not been answered. Does nothing when another worker has the lease."""
    with following(""):
        _answer_contact(key, token=new_id())


def _answer_contact(key: UUID, *, token: UUID) -> None:
    started = timezone.now()
    if not Contact.objects.free(started).filter(pk=key).update(lease_token=token, lease_until=started + LEASE):
        return
    try:
        # Number and name stay sealed: with a lost key the attempts must count all the same.
        contact = Contact.objects.defer("phone", "wa_user_id", "name").get(pk=key)
        messages = claim(contact, now=started)
        if messages:
            follow(messages[-1].request_id)
            _answer(contact, messages, token=token)
    except LeaseLost:
        log.warning("lease lost", contact=str(key))
    except Exception as error:
        log.exception("somebody could not be answered", contact=str(key))
        raise CouldNotAnswer(type(error).__name__) from None
    finally:
        Contact.objects.filter(pk=key, lease_token=token).update(lease_token=None, lease_until=None, handed_at=None)


def claim(contact: Contact, *, now: datetime) -> list[InboundMessage]:
    """This person's open messages, attempts counted before any work, so that a crash counts too. Nothing is unsealed."""
    quiet = now - timedelta(seconds=settings.ENVIRONMENT.burst_seconds)
    rows = InboundMessage.objects.filter(contact=contact, status__in=[Status.WAITING, Status.PROCESSING])
    if rows.filter(received_at__gt=quiet).exists() or rows.filter(retry_at__gt=now).exclude(reason=UNREADABLE).exists():
        return []
    due = rows.exclude(retry_at__gt=now)
    due.update(status=Status.PROCESSING, attempts=F("attempts") + 1)
    return list(due.defer("text", "payload").order_by("received_at", "id"))


def _answer(contact: Contact, messages: list[InboundMessage], *, token: UUID) -> None:
    if any(message.attempts > MOST_ATTEMPTS for message in messages):
        _give_up(contact, messages, token=token)
        return
    messages = _readable(messages, now=timezone.now())
    if not messages:
        return
    _show_that_it_is_read(messages[-1])
    try:
        draft = _draft(contact, messages)
        if draft.kind == Answer.Kind.DECLINED and _library_is_still_filling(messages):
            _wait_for_library(messages, now=timezone.now())
            return
        outgoing = commit(contact, messages, draft, token=token, now=timezone.now())
        if draft.kind != Answer.Kind.HOLDING:
            measures.query_duration.observe(_seconds_since_due(messages))
    except LeaseLost:
        raise
    except Exception:
        _back_off(messages, now=timezone.now())
        raise
    if outgoing is not None:
        delivery.send(outgoing)


def _readable(messages: list[InboundMessage], *, now: datetime) -> list[InboundMessage]:
    """Those whose words a key opens. The others are tried again, alone, until their attempts are used up."""
    opened = [each for each in messages if each.is_readable]
    for each in messages:
        if each not in opened:
            log.error("message could not be read", message=str(each.pk))
            InboundMessage.objects.filter(pk=each.pk).update(
                status=Status.WAITING, reason=UNREADABLE, retry_at=now + _pause(each.attempts)
            )
    # Read at last, after a key came back.
    InboundMessage.objects.filter(pk__in=[each.pk for each in opened], reason=UNREADABLE).update(reason="")
    return opened


def _show_that_it_is_read(message: InboundMessage) -> None:
    """Ticks and typing dots, with the first try only. A payload that is gone or damaged costs them and not the answer."""
    if message.retry_at is not None:
        return
    try:
        wamid = webhook.message_id(message.payload)
    except (InvalidToken, ValueError):
        return
    if wamid:
        # Another thread, with the id of the request that is followed here.
        _pool(os.getpid()).submit(copy_context().run, delivery.mark_read, wamid)


def _draft(contact: Contact, messages: list[InboundMessage]) -> Draft:
    now = timezone.now()
    notice = _in_force(now)
    if notice is not None:
        return _danger_behind_a_notice(contact, messages) or _holding(notice, contact, messages)
    recall = partial(memory.recent, contact, messages, now=now)
    return compose.for_burst(messages, country=contact.country, default_language=contact.language, recall=recall)


def _in_force(now: datetime) -> HoldingNotice | None:
    return HoldingNotice.objects.filter(holds=True, starts_at__lte=now, ends_at__gt=now).first()


def _holding(notice: HoldingNotice, contact: Contact, messages: list[InboundMessage]) -> Draft:
    urgent = any(each.triage_level == Level.URGENT for each in messages)
    return compose.holding(notice.text, messages[-1].language or contact.language, contact.country, urgent=urgent)


def _danger_behind_a_notice(contact: Contact, messages: list[InboundMessage]) -> Draft | None:
    """An emergency that only the translation shows waits for no notice. Once: a notice is looked at every half minute."""
    if any(each.retry_at is not None for each in messages):
        return None
    return compose.danger_in_translation(messages, country=contact.country, default_language=contact.language)


def _library_is_still_filling(messages: list[InboundMessage]) -> bool:
    """In the first minute of an installation a decline would be untrue: the answer may be a few seconds away."""
    young = timezone.now() - messages[0].received_at < PATIENCE_AT_START
    return young and indexing.is_starting_up()


def _wait_for_library(messages: list[InboundMessage], *, now: datetime) -> None:
    InboundMessage.objects.filter(pk__in=[each.pk for each in messages], status=Status.PROCESSING).update(
        status=Status.WAITING, retry_at=now + timedelta(seconds=3), attempts=F("attempts") - 1
    )


def commit(
    contact: Contact, messages: list[InboundMessage], draft: Draft, *, token: UUID | None, now: datetime, urgent: bool = False
) -> UUID | None:
    """Answer, citations, outgoing message and the messages' state, all or none; the key of the outgoing message.

    `token` is the lease that must still be ours; None for replies that need no lease because they lock their message.
    """
    with transaction.atomic():
        if token is not None and not _still_leased(contact, token=token):
            raise LeaseLost
        if draft.kind == Answer.Kind.HOLDING:
            return _hold(contact, messages, draft, now=now)
        if _was_withdrawn(draft):
            raise Withdrawn
        answer = _store(contact, draft)
        _raise(messages, draft)
        InboundMessage.objects.filter(pk__in=[each.pk for each in messages], answer__isnull=True).update(
            status=Status.FAILED if draft.kind == Answer.Kind.APOLOGY else Status.ANSWERED, answer=answer, retry_at=None
        )
        if draft.handover:
            handover.ask(contact, reason=draft.handover, now=now)
        if draft.language != contact.language and draft.language_certain:
            Contact.objects.filter(pk=contact.pk).update(language=draft.language)
        body = reply_text.body(announced.added(draft, contact, now=now), answer_key=answer.pk)
        urgent = urgent or draft.kind in (Answer.Kind.EMERGENCY, Answer.Kind.SELF_HARM)
        attended = urgent or token is not None
        row = delivery.queue(contact, body, answer=answer, purpose=draft.kind, urgent=urgent, attended=attended, now=now)
        measures.answered(draft.kind, cited=bool(draft.cited), confidence=draft.confidence)
    _tell(answer, messages)
    return row.pk


def _tell(answer: Answer, messages: list[InboundMessage]) -> None:
    """Keys and a figure: the kind of an answer would say how somebody is."""
    log.info("answered", answer=str(answer.pk), message=str(messages[-1].pk), messages=len(messages))
    if answer.confidence is not None and answer.confidence < LOW_CONFIDENCE:
        log.warning("low confidence", answer=str(answer.pk), confidence=answer.confidence)


def _raise(messages: list[InboundMessage], draft: Draft) -> None:
    """What triage found in the translation is written where it is looked for: on the messages, never lowering any."""
    if draft.raised is None:
        return
    found = draft.raised
    lower = [each.pk for each in messages if Level(each.triage_level or Level.ROUTINE).severity < found.level.severity]
    InboundMessage.objects.filter(pk__in=lower).update(
        triage_level=found.level.value, triage_concept=found.concept, triage_rules=list(found.rules)
    )


def _was_withdrawn(draft: Draft) -> bool:
    """Whether a cited document was retired while the answer was written: then it is composed again without it."""
    cited = Document.objects.filter(pk__in=[each.document for each in draft.cited])
    return bool(draft.cited) and cited.exclude(pk__in=Document.objects.citable().values("pk")).exists()


def _still_leased(contact: Contact, *, token: UUID) -> bool:
    """The key alone is read: the number need not be unsealed for it."""
    return bool(Contact.objects.filter(pk=contact.pk, lease_token=token).select_for_update().values_list("pk", flat=True))


def _store(contact: Contact, draft: Draft) -> Answer:
    answer = Answer.objects.create(
        contact=contact,
        kind=draft.kind,
        reason=draft.reason,
        language=draft.language,
        text=draft.text,
        removed=[{"text": each.text, "why": each.why} for each in draft.removed] or None,
        understood_as=draft.understood_as or None,
        confidence=draft.confidence,
        model=draft.model,
        prompt_version=draft.prompt_version,
        passages=[
            {
                "chunk": str(each.chunk),
                "title": each.title,
                "heading": each.heading,
                "url": each.url,
                "score": round(each.score, 4),
            }
            for each in draft.passages
        ],
        timings=draft.timings,
    )
    Citation.objects.bulk_create(
        Citation(
            answer=answer,
            number=number,
            document_id=each.document,
            chunk_key=each.chunk,
            title=each.title,
            publisher=each.publisher,
            url=each.url,
            heading=each.heading,
            page=each.page,
            quote=each.text,
            score=each.score,
            unreviewed=each.unreviewed,
        )
        for number, each in enumerate(draft.cited, 1)
    )
    if draft.kind == Answer.Kind.DECLINED and draft.question:
        nearest = draft.passages[0] if draft.passages else None
        UnansweredQuestion.objects.create(
            text=draft.question,
            language=draft.language,
            score=nearest.score if nearest else 0.0,
            nearest_id=nearest.document if nearest else None,
            answer_key=answer.pk,
            vector=grouping.pack(draft.vector) if draft.vector is not None else "",
            model=draft.embedding_model,
        )
    return answer


def _hold(contact: Contact, messages: list[InboundMessage], draft: Draft, *, now: datetime) -> UUID | None:
    """The notice once for each person and notice; the messages wait and are answered when it ends.

    They are looked at again every half minute, because a notice may be ended or taken back early.
    """
    notice = _in_force(now)
    until = min(notice.ends_at, now + LONGEST_BACK_OFF) if notice else now + LONGEST_BACK_OFF
    InboundMessage.objects.filter(pk__in=[each.pk for each in messages]).update(
        status=Status.WAITING, retry_at=until, attempts=F("attempts") - 1
    )
    told = Answer.objects.filter(contact=contact, kind=Answer.Kind.HOLDING, created_at__gte=notice.starts_at if notice else now)
    # Who was told of the wait has not been told to see a doctor.
    if (told.filter(reason=draft.reason) if draft.preface else told).exists():
        return None
    answer = _store(contact, draft)
    return delivery.queue(contact, reply_text.body(draft, answer_key=answer.pk), answer=answer, purpose=draft.kind, now=now).pk


def _give_up(contact: Contact, messages: list[InboundMessage], *, token: UUID) -> None:
    """One kind apology for messages that failed every time, and a person is asked for."""
    log.error("message failed after every attempt", contact=str(contact.pk), messages=len(messages))
    failed = [each for each in messages if each.attempts > MOST_ATTEMPTS]
    # The others were only near the one that failed: they get a fresh try of their own.
    others = [each.pk for each in messages if each.attempts <= MOST_ATTEMPTS]
    draft = compose.apology(contact.language, contact.country)
    with transaction.atomic():
        outgoing = commit(contact, failed, draft, token=token, now=timezone.now())
        rows = InboundMessage.objects.filter(pk__in=[each.pk for each in failed])
        rows.exclude(reason=UNREADABLE).update(reason="failed after every attempt")
        InboundMessage.objects.filter(pk__in=others).update(status=Status.WAITING, attempts=0)
    if outgoing is not None:
        delivery.send(outgoing)


def _back_off(messages: list[InboundMessage], *, now: datetime) -> None:
    InboundMessage.objects.filter(pk__in=[each.pk for each in messages], status=Status.PROCESSING).update(
        status=Status.WAITING, retry_at=now + _pause(messages[-1].attempts)
    )


def _seconds_since_due(messages: list[InboundMessage]) -> float:
    """Since the last of them had been quiet for the burst wait, or since another try was due."""
    burst = timedelta(seconds=settings.ENVIRONMENT.burst_seconds)
    due = max(max(each.received_at + burst, each.retry_at or each.received_at) for each in messages)
    return max(0.0, (timezone.now() - due).total_seconds())


def _pause(attempts: int) -> timedelta:
    return min(LONGEST_BACK_OFF, timedelta(seconds=2**attempts))


def release_expired(*, now: datetime) -> int:
    """Free the people whose worker died, so that they are handed out again."""
    return Contact.objects.filter(lease_until__lt=now).update(lease_token=None, lease_until=None, handed_at=None)


def waiting_contacts(*, now: datetime, limit: int = 200) -> list[UUID]:
    """People with open messages that have been quiet for the burst wait, the longest wait first."""
    quiet = now - timedelta(seconds=settings.ENVIRONMENT.burst_seconds)
    open_messages = InboundMessage.objects.filter(status__in=[Status.WAITING, Status.PROCESSING], contact__isnull=False)
    free = Q(contact__lease_until__isnull=True) | Q(contact__lease_until__lt=now)
    not_handed = Q(contact__handed_at__isnull=True) | Q(contact__handed_at__lt=now - HANDED_FOR)
    ready = open_messages.filter(free, not_handed, Q(retry_at__isnull=True) | Q(retry_at__lte=now), received_at__lte=quiet)
    held = Q(retry_at__gt=now) & ~Q(reason=UNREADABLE)
    busy = open_messages.filter(Q(received_at__gt=quiet) | held).values("contact")
    rows = ready.exclude(contact__in=busy).order_by("received_at").values_list("contact", flat=True)
    return list(dict.fromkeys(rows[:limit]))


@lru_cache(maxsize=2)
def _pool(process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"receipts-{process}")
