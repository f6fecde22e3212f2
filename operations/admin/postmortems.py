"""The page on which a postmortem is written: a draft from the timeline to begin with, plain Markdown, and the button that
closes the incident once it is saved."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from operations import incidents, next_steps, postmortem
from operations.admin import incident_page
from operations.admin.incident_forms import PostmortemForm
from operations.admin.incident_steps import actor, refuse_if_moved_on
from operations.models import Incident


def page(request: HttpRequest, key: UUID) -> HttpResponse:
    incident_page.may(request, incident_page.VIEW)
    incident = incident_page.of(key)
    if request.method == "POST":
        incident_page.may(request, incident_page.RUN)
        return _save(request, incident)
    text = incident.postmortem or postmortem.draft(incident)
    return _shown(request, incident, PostmortemForm(initial={"root_cause": incident.root_cause, "text": text}))


def _save(request: HttpRequest, incident: Incident) -> HttpResponse:
    form = PostmortemForm(request.POST)
    if not form.is_valid():
        return _shown(request, incident, form, status=400)
    try:
        with incidents.locked(incident) as row:
            if row.is_live:
                raise incidents.NotNow("It is not over yet. Keep your text, resolve the incident, and save it then.")
            refuse_if_moved_on(request, row, PostmortemForm.guards)
            said = form.cleaned_data
            incidents.write_postmortem(row, said["text"], root_cause=said["root_cause"], by=actor(request), now=timezone.now())
    except incidents.NotNow as problem:
        return _shown(request, incident_page.of(incident.pk), form, problem=str(problem), status=409)
    messages.success(request, "The postmortem is saved.")
    return HttpResponseRedirect(reverse("admin:operations_incident_postmortem", args=[incident.pk]))


def _shown(
    request: HttpRequest, incident: Incident, form: PostmortemForm, *, problem: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "title": f"Postmortem of INC-{incident.number}",
        "opts": Incident._meta,
        "incident": incident,
        "form": form,
        "problem": problem,
        "seen": incident_page.seen(incident),
        "saved": incident.postmortem_at is not None,
        "close": next_steps.MOVES["closed"] if incident.state == Incident.State.POSTMORTEM else None,
        "may_run": request.user.has_perm(incident_page.RUN),
        "follow_ups": list(incident.follow_ups.select_related("owner")),
    }
    return render(
        request,
        "admin/operations/incident/postmortem.html",
        {**admin.site.each_context(request), **context},
        status=status,
    )
