"""Rows for the pages to show, made inside the running program's own environment (see `staff.inside`)."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from django.contrib.auth.models import Group, Permission, User
from django.core.files import File
from django.utils import timezone

from knowledge import importing, reindexing, review
from knowledge.import_fields import Defaults
from knowledge.models import Document, GoldenQuestion
from operations import incidents
from operations.models import OnCallContact, Subscriber, Timer
from tests.browser import guidelines

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def accounts(roles: dict[str, str]) -> None:
    """As an operator makes them."""
    for name, role in roles.items():
        person, _ = User.objects.get_or_create(username=name, defaults={"is_staff": True})
        person.set_password(os.environ["STAFF_PASSWORD"])
        person.save()
        person.groups.set(Group.objects.filter(name=role))


def a_library(folder: str, *, contributor: str, reviewer: str) -> None:
    """A guideline to review, one file that is refused, articles that are due for a check, golden questions, an index that
    is half built."""
    now, by = timezone.now(), User.objects.get(username=reviewer)
    _bring(Path(folder), by=User.objects.get(username=contributor))
    for slug, days in {"burns": 400, "nosebleed": 500, "back-pain": 350}.items():
        review.publish(Document.objects.get(slug=slug), by=by, now=now - days * DAY)
    for slug, text in {"burns": "I spilled hot tea on my hand", "": "When does the post office open?"}.items():
        document = Document.objects.filter(slug=slug).first() if slug else None
        GoldenQuestion.objects.get_or_create(text=text, defaults={"document": document, "created_by": by})
    index = reindexing.begin("a-folder/with-another-model", by=reviewer, now=now)
    reindexing.pause(index)
    type(index).objects.filter(pk=index.pk).update(done=24, total=64)


def _bring(folder: Path, *, by: User) -> None:
    batch = importing.begin(label="Leaflets of the district", defaults=Defaults(publisher="District Health Office"), by=by)
    for path in (guidelines.thermometer(folder).file, guidelines.scan(folder)):
        with path.open("rb") as content:
            importing.add_file(batch, name=path.name, content=File(content))


def on_duty(*names: str) -> None:
    """Staff who run incidents, somebody to call, and somebody who has subscribed."""
    wanted = ("view_incident", "run_incident", "view_followup", "view_oncallcontact")
    for name in names:
        accounts({name: ""})
        granted = Permission.objects.filter(content_type__app_label="operations", codename__in=wanted)
        User.objects.get(username=name).user_permissions.set(granted)
    OnCallContact.objects.get_or_create(position=1, defaults={"name": "Night desk", "email": "night@example.org"})
    address = {"channel": "email", "address": "clinic@example.org", "least_severity": 4}
    Subscriber.objects.get_or_create(name="District clinic", defaults=address)


def a_late_incident(title: str, *, by: str) -> None:
    """Acknowledged in time; a commander is overdue, mitigation nearly, and the next update has some minutes left."""
    now, person = timezone.now(), User.objects.get(username=by)
    began = now - 17 * MINUTE
    incident = incidents.declare(title, severity=2, now=began, by=person, affected="about 15 % of messages")[0]
    incidents.acknowledge(incident, by=person, now=began + 2 * MINUTE)
    incidents.update(incident, "We look into it.", by=person, now=now - 8 * MINUTE)


def the_update_is_late(title: str) -> None:
    """As if its minutes had gone."""
    update = Timer.objects.filter(incident__title=title, kind=Timer.Kind.UPDATE, met_at=None)
    update.update(due_at=timezone.now())
