"""Answers for the tests of the answering path: one worker's turn for one person, ten seconds after the message by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from conversations import answering
from conversations.draft import Draft
from conversations.models import Contact, InboundMessage
from tests.factories import NOW, SECOND

LATER = NOW + 10 * SECOND
Write = Callable[[Draft | Exception], list[list[str | None]]]


def answer(person: Contact, *, at: Any = LATER) -> None:
    with time_machine.travel(at, tick=False):
        answering.answer_contact(person.pk)


def fails(person: Contact, *, at: Any = LATER) -> None:
    with pytest.raises(answering.CouldNotAnswer, match="RuntimeError"):
        answer(person, at=at)


def status_of(message: InboundMessage) -> tuple[str, int]:
    message.refresh_from_db()
    return message.status, message.attempts
