"""Maintenance windows as a calendar to subscribe to: public, without anything of a person or a patient.

A window keeps its UID for good; each change raises its sequence, and a cancelled one stays as cancelled, so that
calendars take it back.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_safe
from icalendar import Calendar, Event

from operations import window_notices
from operations.models import MaintenanceWindow

KEPT = timedelta(days=90)
State = MaintenanceWindow.State


def _latest(request: HttpRequest) -> datetime | None:
    """Rounded down by HTTP, so nothing changed within a second is missed for long: calendars ask by the hour."""
    return MaintenanceWindow.objects.order_by("-changed_at").values_list("changed_at", flat=True).first()


@require_safe
@cache_control(max_age=300, public=True)
@condition(last_modified_func=_latest)
def feed(request: HttpRequest) -> HttpResponse:
    body = written(timezone.now()).to_ical()
    return HttpResponse(body, content_type="text/calendar; charset=utf-8")


def written(now: datetime) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//Jeevo//maintenance//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"{settings.ENVIRONMENT.service_name}: maintenance")
    calendar.add("x-published-ttl", "PT1H")
    for window in MaintenanceWindow.objects.filter(starts_at__gte=now - KEPT).order_by("starts_at"):
        calendar.add_component(_event(window))
    return calendar


def _event(window: MaintenanceWindow) -> Event:
    event = Event()
    event.add("uid", f"urn:uuid:{window.pk}")
    event.add("sequence", window.sequence)
    event.add("dtstamp", window.changed_at)
    event.add("dtstart", window.starts_at)
    event.add("dtend", window.ends_at)
    event.add("summary", f"{settings.ENVIRONMENT.service_name}: {window.title}")
    event.add("description", "\n".join(window_notices.plan_of(window)))
    event.add("status", "CANCELLED" if window.state == State.CANCELLED else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    return event
