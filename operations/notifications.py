"""Who is told what. A notice and its deliveries are written in the commit of what they are about; the watcher sends them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from operations.models import Delivery, Notice, OnCallContact, Subscriber
from operations.models.notices import Channel


@dataclass(frozen=True)
class Recipient:
    name: str
    channel: str
    address: str
    subscriber: Subscriber | None = None


def on_call(contact: OnCallContact) -> list[Recipient]:
    """Every way to reach one contact."""
    ways = ((Channel.EMAIL, contact.email), (Channel.WEBHOOK, contact.webhook))
    return [Recipient(contact.name, channel, address) for channel, address in ways if address]


def subscribers(*, severity: int | None = None) -> list[Recipient]:
    """Those who want incidents of this severity; without one, those who want maintenance."""
    rows = Subscriber.objects.filter(active=True)
    rows = rows.filter(maintenance=True) if severity is None else rows.filter(incidents=True, least_severity__gte=severity)
    return [Recipient(row.name, row.channel, row.address, row) for row in rows]


@transaction.atomic
def tell(
    recipients: Iterable[Recipient],
    *,
    about: str,
    about_key: UUID | None,
    event: str,
    subject: str,
    body: str,
    now: datetime,
    by: User | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Notice:
    """Write a notice and queue it for everybody once. Without recipients it is still on record."""
    notice = Notice.objects.create(
        about=about,
        about_key=about_key,
        event=event,
        subject=subject[:200],
        body=body,
        facts=dict(facts or {}),
        created_at=now,
        created_by=by,
    )
    Delivery.objects.bulk_create(
        (
            Delivery(
                notice=notice,
                subscriber=each.subscriber,
                recipient=each.name,
                channel=each.channel,
                address=each.address,
                next_try_at=now,
            )
            for each in recipients
        ),
        ignore_conflicts=True,
    )
    return notice
