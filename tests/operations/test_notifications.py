"""Notices: on record once said, queued once for each recipient who wants them."""

from __future__ import annotations

import pytest
from django.utils import timezone

from operations import notifications
from operations.models import Delivery, OnCallContact, Subscriber

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def test_a_notice_goes_once_to_everybody_who_wants_it() -> None:
    Subscriber.objects.create(name="Ministry", channel="email", address="ops@example.org", least_severity=2)
    Subscriber.objects.create(name="Clinic", channel="webhook", address="https://clinic.example/hook", least_severity=4)
    Subscriber.objects.create(name="Gone", channel="email", address="old@example.org", least_severity=4, active=False)
    assert [each.name for each in notifications.subscribers(severity=2)] == ["Clinic", "Ministry"]
    assert [each.name for each in notifications.subscribers(severity=3)] == ["Clinic"]
    recipients = notifications.subscribers(severity=2)
    notice = notifications.tell(
        [*recipients, *recipients], about="incident", about_key=None, event="declared", subject="s", body="b", now=NOW
    )
    assert sorted(notice.deliveries.values_list("recipient", "status")) == [("Clinic", "queued"), ("Ministry", "queued")]


def test_a_contact_is_reached_every_way_there_is() -> None:
    contact = OnCallContact(position=1, name="Night desk", email="night@example.org", webhook="https://pager.example/1")
    assert [each.channel for each in notifications.on_call(contact)] == ["email", "webhook"]


def test_without_recipients_it_is_still_on_record() -> None:
    notice = notifications.tell([], about="watch", about_key=None, event="back", subject="s", body="b", now=NOW)
    assert notice.pk
    assert not Delivery.objects.exists()
