"""Notices for somebody, and a round that sends them: for the tests of webhooks and of mail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from operations import notifications
from operations.models import Delivery, Subscriber
from operations.notifications import Recipient
from operations.sending import Sender

NOW = timezone.now()


def subscriber(channel: str, address: str, **values: Any) -> Subscriber:
    return Subscriber.objects.create(name=address[-40:], channel=channel, address=address, **values)


def tell(
    *recipients: Subscriber | Recipient, subject: str = "Answers are late", body: str = "We look into it."
) -> list[Delivery]:
    everybody = [
        each if isinstance(each, Recipient) else Recipient(each.name, each.channel, each.address, each) for each in recipients
    ]
    facts = {"number": 4, "severity": 2}
    notice = notifications.tell(
        everybody, about="watch", about_key=None, event="declared", subject=subject, body=body, now=NOW, facts=facts
    )
    return list(notice.deliveries.all())


def run(now: datetime = NOW, *, sender: Sender | None = None) -> None:
    """One round that waits until every answer is in."""
    (sender or Sender(patience=10)).run(now)


def states() -> list[tuple[str, str]]:
    return sorted(Delivery.objects.values_list("recipient", "status"))
