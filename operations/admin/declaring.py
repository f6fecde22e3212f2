"""The short page that declares an incident. A live one that looks alike is shown first; nothing typed is lost."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from operations import announcing, incidents, live_incidents
from operations.admin import incident_forms
from operations.admin.incident_page import VIEW
from operations.admin.incident_steps import actor, address
from operations.models import Incident, OnCallContact
from operations.severities import MEANINGS, UNSURE


def page(request: HttpRequest) -> HttpResponse:
    if not live_incidents.may_declare(request):
        raise PermissionDenied
    now = timezone.now()
    if request.method != "POST":
        return _shown(request, incident_forms.DeclareForm(initial={"impact_started_at": incident_forms.begun(now)}))
    form = incident_forms.DeclareForm(request.POST)
    if not form.is_valid():
        return _shown(request, form, status=400)
    twins = incident_forms.alike(form.cleaned_data["title"], Incident.objects.live())
    if twins and "anyway" not in request.POST:
        return _shown(request, form, twins=twins)
    return _declare(request, form)


def _declare(request: HttpRequest, form: forms.Form) -> HttpResponse:
    now, by, said = timezone.now(), actor(request), dict(form.cleaned_data)
    with transaction.atomic():
        incident, _ = incidents.declare(said.pop("title"), severity=said.pop("severity"), now=now, by=by, **said)
        if incident.public:
            announcing.announce(incident, "declared", now=now, by=by)
    messages.success(request, f"INC-{incident.number} is declared. Acknowledge it if you have it.")
    may_see = request.user.has_perm(VIEW)
    return HttpResponseRedirect(address(incident) if may_see else reverse("admin:index"))


def _shown(request: HttpRequest, form: forms.Form, *, twins: list[Incident] | None = None, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "title": "Declare an incident",
        "opts": Incident._meta,
        "form": form,
        "meanings": MEANINGS,
        "chosen": str(form["severity"].value() or ""),
        "unsure": UNSURE,
        "twins": twins,
        "nobody_on_call": not OnCallContact.objects.filter(active=True).exists(),
    }
    return render(
        request,
        "admin/operations/incident/declare.html",
        {**admin.site.each_context(request), **context},
        status=status,
    )
