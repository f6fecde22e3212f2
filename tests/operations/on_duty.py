"""Staff at their browsers and incidents in every state, for the tests of the pages of incidents."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from operations import incidents
from operations.models import Incident, Timer
from tests import factories

MINUTE = timedelta(minutes=1)
LIST = "/admin/operations/incident/"


def somebody(name: str, *permissions: str) -> User:
    """Of the staff, with these permissions of operations."""
    person = factories.staff(name)
    person.user_permissions.set(Permission.objects.filter(content_type__app_label="operations", codename__in=permissions))
    return person


def browser(name: str, *permissions: str) -> Client:
    client = Client()
    client.force_login(somebody(name, *permissions))
    return client


def at_night() -> Client:
    """Somebody who runs incidents."""
    return browser("night-desk", "view_incident", "run_incident", "view_followup", "view_oncallcontact", "view_delivery")


def declared(title: str = "Answers are late", *, minutes_ago: float = 0, **fields: Any) -> Incident:
    now = timezone.now() - minutes_ago * MINUTE
    values: dict[str, Any] = {"severity": 2, "now": now} | fields
    return incidents.declare(title, **values)[0]


def page_of(incident: Incident) -> str:
    return reverse("admin:operations_incident_change", args=[incident.pk])


def step_of(incident: Incident, name: str) -> str:
    return reverse("admin:operations_incident_step", args=[incident.pk, name])


def press(client: Client, incident: Incident, name: str, **values: Any) -> HttpResponse:
    """As a form of the page does, and the page that it leads to."""
    said: Any = client.post(step_of(incident, name), values, follow=True)
    answer: HttpResponse = said
    return answer


def words(answer: Any) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def running(incident: Incident) -> set[str]:
    return set(Timer.objects.filter(incident=incident, met_at=None, dropped_at=None).values_list("kind", flat=True))
