"""Telling subscribers: a notice, a delivery for each who wants it, and a line of the timeline, or none of them."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone

from operations import announcing, communication
from operations.models import Delivery, Notice, Subscriber
from tests import factories
from tests.operations.on_duty import declared

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def subscriber(name: str, **fields: object) -> Subscriber:
    usual = {"channel": "email", "address": f"{name}@example.org", "least_severity": 4}
    return Subscriber.objects.create(name=name, **usual | fields)


def test_each_subscriber_of_this_severity_is_told_once_and_the_timeline_says_so() -> None:
    subscriber("clinic")
    subscriber("grave-only", least_severity=1)
    subscriber("left", active=False)
    incident, by = declared(severity=2), factories.staff("night-desk")
    notice = announcing.announce(incident, "declared", now=NOW, by=by, text="We look into it.")
    assert [delivery.recipient for delivery in Delivery.objects.all()] == ["clinic"]
    assert (notice.about, notice.about_key, notice.event, notice.created_by) == ("incident", incident.pk, "declared", by)
    assert (notice.subject, notice.body) == communication.message(incident, now=NOW, text="We look into it.")
    entry = incident.timeline.get(kind="notice")
    assert (entry.by, entry.text) == (by, f"Told 1 subscriber: {notice.subject}")


def test_without_subscribers_it_is_still_on_record() -> None:
    incident = declared()
    announcing.announce(incident, "update", now=NOW, by=None)
    assert incident.timeline.get(kind="notice").text.startswith("Told 0 subscribers")
    assert Notice.objects.get().about_key == incident.pk


def test_what_is_rolled_back_told_nobody() -> None:
    subscriber("clinic")
    incident = declared()
    with transaction.atomic():
        announcing.announce(incident, "update", now=NOW, by=None)
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    assert not Delivery.objects.exists()
    assert not incident.timeline.filter(kind="notice").exists()


def test_programs_get_what_they_need_and_nobodys_name() -> None:
    incident = declared(affected="10 %")
    facts = announcing.facts(incident)
    assert (facts["number"], facts["severity"], facts["state"], facts["affected"]) == (incident.number, 2, "triage", "10 %")
    assert facts["resolved_at"] is None
    assert not {"commander", "acknowledged_by", "details"} & set(facts)
