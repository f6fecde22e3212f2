"""People for the tests of erasure, and a search for what is left of them in every column of every table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from cryptography.fernet import InvalidToken
from django.db import connection
from django.utils import timezone

from conversations.models import Citation, Contact, Feedback, Handover, Session, UnhandledEvent
from jeevo.fields import keyed_hash, unseal
from knowledge.models import UnansweredQuestion
from tests import factories

NUMBER, USER_ID = "919810011223", "IN.13579246801"
OTHER, OTHER_ID = "919810099887", "IN.24680135790"
NAME = "Lakshmi Devanesan"
WORDS = "my marmalade cough will not end"
HOUR = timedelta(hours=1)


def somebody(
    number: str = NUMBER, user_id: str = USER_ID, *, words: str = WORDS, name: str = NAME, ago: timedelta = HOUR
) -> Contact:
    """With a row in every table that holds something of a person."""
    at = timezone.now() - ago
    who = {"wa_user_id": user_id, "wa_user_key": keyed_hash(user_id), "name": name, "label": f"+91 ······ {number[-2:]}"}
    person = factories.a_contact(number, last_inbound_at=at, **who)
    Contact.objects.filter(pk=person.pk).update(created_at=at)
    session = Session.objects.create(contact=person, started_at=at, last_message_at=at)
    sent = {"message": {"from": number, "from_user_id": user_id, "id": f"wamid.{number}", "text": {"body": words}}}
    told: dict[str, Any] = {"text": f"Of {words}: drink water.", "removed": [{"text": words, "why": "no source"}]}
    answer = factories.an_answer(person, kind="declined", understood_as=words, **told)
    message = {"sender_key": keyed_hash(number), "payload": sent, "session": session, "received_at": at}
    triage = {
        "triage_level": "emergency",
        "triage_concept": "cough",
        "triage_rules": ["cough-1"],
        "request_id": f"of-{number[-4:]}",
    }
    factories.an_inbound(person, words, wamid=f"wamid.{number}", status="answered", answer=answer, **message, **triage)
    factories.an_inbound(None, words, wamid=f"wamid.{number}.2", status="ignored", **(message | {"session": None}))
    outbound = factories.an_outbound(
        person, f"Of {words}", wamid=f"wamid.out.{number}", answer=answer, status="sent", created_at=at
    )
    factories.an_outbound(person, f"Also of {words}", status="queued", created_at=at)
    factories.an_event("sent", wamid=f"wamid.out.{number}", callback=outbound.pk, outbound=outbound)
    factories.an_event("read", wamid=f"wamid.out.{number}", callback=outbound.pk)
    Citation.objects.create(answer=answer, number=1, chunk_key=uuid4(), title="Cough", quote="Drink.", score=1.0)
    Feedback.objects.create(answer=answer, value="not_helpful", created_at=at)
    Handover.objects.create(contact=person, reason="asked", opened_at=at, closed_at=at)
    UnansweredQuestion.objects.create(text=words, language="en", score=0.1, answer_key=answer.pk, vector=words)
    body = {"messages": [{"from": number, "text": {"body": words}}]}
    UnhandledEvent.objects.create(digest=f"digest of {number[-3:]}", field="messages", reason="odd", payload=body, received_at=at)
    return person


def left_of(number: str = NUMBER, user_id: str = USER_ID, words: str = WORDS, name: str = NAME) -> list[str]:
    """Each column that still holds something of the person, in clear, sealed or as the hash by which they are found."""
    sought = [number, user_id, words, name, keyed_hash(number), keyed_hash(user_id)]
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            columns = [column.name for column in cursor.description]
            for row in cursor.fetchall():
                told = {name: _text(value) for name, value in zip(columns, row, strict=True)}
                found += [f"{table}.{name}" for name, text in told.items() if any(each in text for each in sought)]
    return sorted(set(found))


def _text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        try:
            return unseal(bytes(value))
        except InvalidToken:
            return bytes(value).decode("latin-1")
    return str(value)
