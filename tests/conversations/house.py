"""What the tests of dispatch stand on: messages that come in, a dispatcher that sees them, and two things people write."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from conversations import dispatch, intake, webhook
from conversations.models import InboundMessage, OutboundMessage
from jeevo.fields import keyed_hash
from tests.factories import ASHA, NOW, SECOND, Json, dumped, envelope, text_message
from tests.fakes import spoken

STROKE = "my father's face is drooping and he cannot lift his arm"
ORDINARY = "How do I bring down a fever?"


class House:
    """Messages come in and the dispatcher sees them; `urgent` are the keys it sent at once."""

    def __init__(self) -> None:
        self.urgent: list[UUID] = []
        self.now = NOW

    def come(self, *bodies: Json | str, at: datetime | None = None, sender: str = ASHA) -> list[InboundMessage]:
        self.now = at or self.now + SECOND
        messages = [text_message(each, sender=sender) if isinstance(each, str) else each for each in bodies]
        intake.store(webhook.parse(dumped(envelope(messages=messages))), now=self.now)
        self.see()
        return [InboundMessage.objects.get(wamid_key=keyed_hash(each["id"])) for each in messages]

    def see(self) -> None:
        dispatch.attach_received(now=self.now, send_now=self.urgent.append)

    def say(self, body: Json | str, **when: Any) -> InboundMessage:
        return self.come(body, **when)[0]

    @property
    def words(self) -> list[str]:
        return [spoken(row.body) for row in OutboundMessage.objects.order_by("created_at", "id")]
