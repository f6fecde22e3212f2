"""The page of one incident. What changes by itself stands in two parts that are fetched again; forms stand outside them,
so that nothing typed is ever overwritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from operations import countdown, incidents, next_steps, notifications, runbooks, story
from operations.admin import incident_forms
from operations.models import Delivery, Incident, Notice, OnCallContact
from operations.severities import MEANINGS, UNSURE

VIEW, RUN = "operations.view_incident", "operations.run_incident"
PEOPLE = ("declared_by", "acknowledged_by", "commander", "scribe", "communications", "duplicate_of")
# Nobody waits for news of these any more.
SETTLED = (Incident.State.CLOSED, Incident.State.DUPLICATE, Incident.State.CANCELLED)
PARTS = {"now": "admin/operations/incident/now.html", "story": "admin/operations/incident/story.html"}


def may(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def of(key: UUID) -> Incident:
    found = Incident.objects.select_related(*PEOPLE).filter(pk=key).first()
    if found is None:
        raise Http404("No such incident.")
    return found


@never_cache
@require_safe
def page(request: HttpRequest, key: UUID) -> HttpResponse:
    """`?part=now` and `?part=story` are the parts that refresh themselves."""
    may(request, VIEW)
    incident = of(key)
    part = request.GET.get("part", "")
    if part not in PARTS:
        return whole(request, incident)
    # Asked every few seconds by every open page, so that it is drawn only when something changed or a minute has gone.
    mark = fingerprint(incident)
    if request.headers.get("If-None-Match") == mark:
        return HttpResponseNotModified()
    answer = render(request, PARTS[part], _now(request, incident) if part == "now" else _story(request, incident))
    answer["ETag"] = mark
    return answer


def fingerprint(incident: Incident) -> str:
    """Every step is an entry of the timeline; beside it move the clock, what is due, and deliveries under way."""
    now = timezone.now()
    last = incident.timeline.order_by("-at", "-id").values_list("pk", flat=True).first()
    states = [(each.key, each.state, each.said) for each in countdown.running(incident.timers.all(), now=now)]
    sent = _deliveries(incident).values_list("status").annotate(number=Count("pk")).order_by("status")
    follow_ups = incident.follow_ups.filter(done_at__isnull=True).count()
    seen = (last, incident.escalations, incident.state, f"{now:%H:%M}", states, list(sent), follow_ups)
    return '"' + hashlib.sha256(repr(seen).encode()).hexdigest()[:32] + '"'


def _deliveries(incident: Incident) -> Any:
    return Delivery.objects.filter(notice__about=Notice.About.INCIDENT, notice__about_key=incident.pk)


def seen(incident: Incident) -> str:
    """The newest entry: a form that carries it knows how old it is."""
    return str(incident.timeline.order_by("-at", "-id").values_list("pk", flat=True).first() or "")


def _now(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    now, timers = timezone.now(), list(incident.timers.all())
    return {
        "incident": incident,
        "now": now,
        "seen": seen(incident),
        "first": next_steps.first(incident),
        "others": next_steps.others(incident),
        "running": countdown.running(timers, now=now),
        "met": countdown.met(timers, now=now),
        "moments": moments(incident),
        "runbook_address": runbooks.address(incident.runbook),
        "roles": [(role, getattr(incident, role)) for role in incidents.ROLES],
        "may_run": request.user.has_perm(RUN),
        "nobody_on_call": incident.is_live and not OnCallContact.objects.filter(active=True).exists(),
        "subscribers": len(notifications.subscribers(severity=incident.severity)) if incident.public else 0,
    }


def moments(incident: Incident) -> list[tuple[str, datetime]]:
    """Since when, in the order in which it usually goes; what has not happened is left out."""
    known = (
        ("Impact began", incident.impact_started_at),
        ("Detected", incident.detected_at),
        ("Declared", incident.declared_at),
        ("First acknowledged", incident.first_acknowledged_at),
        ("Mitigation began", incident.mitigation_began_at),
        ("Mitigated", incident.mitigated_at),
        ("Resolved", incident.resolved_at),
        ("Closed", incident.closed_at),
    )
    return [(label, at) for label, at in known if at is not None]


def _story(request: HttpRequest, incident: Incident) -> dict[str, Any]:
    show = request.GET.get("show", "")
    notices = Notice.objects.filter(about=Notice.About.INCIDENT, about_key=incident.pk).prefetch_related("deliveries")
    return {
        "incident": incident,
        "show": show if show in story.SHOWN else "",
        "lines": story.lines(incident, show=show),
        "most": story.MOST,
        "notices": list(notices[:20]),
        "follow_ups": list(incident.follow_ups.select_related("owner", "done_by")),
        "today": timezone.now().date(),
        "may_run": request.user.has_perm(RUN),
    }


def whole(
    request: HttpRequest,
    incident: Incident,
    *,
    typed: Mapping[str, forms.Form] | None = None,
    problem: str = "",
    preview: tuple[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page, with a form as it was typed where it could not be taken."""
    context = {
        "title": f"INC-{incident.number} {incident.title}",
        "opts": Incident._meta,
        "mark": fingerprint(incident),
        "forms": {**empty_forms(request, incident), **(typed or {})},
        "typed": list(typed or ()),
        "problem": problem,
        "settled": incident.state in SETTLED,
        "preview": preview,
        "told": len(notifications.subscribers(severity=incident.severity)),
        "meanings": MEANINGS,
        "unsure": UNSURE,
    }
    parts = _now(request, incident) | _story(request, incident)
    return render(
        request,
        "admin/operations/incident/page.html",
        {**admin.site.each_context(request), **parts, **context, "inside_incident": True},
        status=status,
    )


def empty_forms(request: HttpRequest, incident: Incident) -> dict[str, forms.Form]:
    said = {name: getattr(incident, name) for name in ("affected", "action", "eta")}
    kept = {name: getattr(incident, name) for name in incident_forms.EditForm.guards}
    return {
        "update": incident_forms.UpdateForm(initial=said | {"tell": incident.public}, prefix="update"),
        "note": incident_forms.NoteForm(prefix="note"),
        "severity": incident_forms.SeverityForm(initial={"severity": incident.severity}, prefix="severity"),
        "edit": incident_forms.EditForm(initial=kept, prefix="edit"),
        "role": incident_forms.RoleForm(initial={"person": request.user.pk}, prefix="role"),
        "follow_up": incident_forms.FollowUpForm(
            initial={"owner": request.user.pk, "due_on": incident_forms.in_days(14)}, prefix="follow_up"
        ),
        "cancel": incident_forms.CancelForm(prefix="cancel"),
        "duplicate": incident_forms.DuplicateForm(prefix="duplicate"),
    }
