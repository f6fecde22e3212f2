"""The short address of an incident, by its number: the one that stands in e-mails and is said aloud."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from operations.models import Incident
from operations.pages import Page


def view(request: HttpRequest, number: int) -> HttpResponse:
    return redirect("admin:operations_incident_change", get_object_or_404(Incident, number=number).pk)


PAGES = (Page("incidents/<int:number>/", "operations_incident_number", view, permission="operations.view_incident"),)
