"""What a person asked before in the same conversation, for a question that leans on it. Read only; words stay sealed in
their rows and are opened for this answer alone.

Nothing is remembered over the end of a session, beyond a day, over a STOP, or past something that was not about a
question Jeevo searched for: an emergency, a reply of staff, a message that was not understood.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.fernet import InvalidToken

from conversations.models import Answer, Contact, InboundMessage, OutboundMessage
from conversations.prompts import Earlier

LONGEST = timedelta(hours=24)
MOST = 3
_SEARCHED = (Answer.Kind.GENERATED, Answer.Kind.EXTRACTIVE, Answer.Kind.DECLINED)
# Replies between two questions that change nothing: pleasantries, and the buttons under an answer.
_PASSING = ("greeting", "thanks", "goodbye", "empty", "feedback_thanks", "not_helpful_reply")


def recent(contact: Contact, messages: Sequence[InboundMessage], *, now: datetime) -> tuple[Earlier, ...]:
    """Up to three questions of this session that were searched, oldest first; empty when the last thing was another."""
    session = messages[-1].session_id if messages else None
    if session is None:
        return ()
    answers = Answer.objects.filter(contact=contact, questions__session=session, created_at__gt=now - LONGEST)
    found: list[Earlier] = []
    newest: datetime | None = None
    rows = answers.exclude(questions__in=[each.pk for each in messages]).distinct().order_by("-created_at", "-id")
    for answer in rows.defer("text", "removed", "understood_as", "passages")[: 4 * MOST]:
        if answer.kind == Answer.Kind.FIXED and answer.reason in _PASSING:
            continue
        earlier = _earlier(answer) if answer.kind in _SEARCHED else None
        if earlier is None or len(found) == MOST:
            break
        newest = newest or answer.created_at
        found.append(earlier)
    if newest is None or _staff_wrote(contact, since=newest):
        return ()
    return tuple(reversed(found))


def _earlier(answer: Answer) -> Earlier | None:
    """None where no key opens the words, or where there are none."""
    try:
        answer.refresh_from_db(fields=["understood_as"])
        question = answer.understood_as or _asked(answer)
    except (InvalidToken, ValueError):
        return None
    cited = answer.citations.order_by("number").values_list("title", flat=True).first()
    return Earlier(question, cited or "") if question else None


def _asked(answer: Answer) -> str:
    texts = answer.questions.order_by("received_at", "id").values_list("text", flat=True)
    return "\n".join(text for text in texts if text).strip()


def _staff_wrote(contact: Contact, *, since: datetime) -> bool:
    """Then "it" may mean what a colleague said."""
    return OutboundMessage.objects.filter(contact=contact, author__isnull=False, created_at__gt=since).exists()
