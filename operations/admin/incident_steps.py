"""What is pressed and posted on the page of an incident. Whoever comes second, or late, is told what happened meanwhile.

A press goes back to the page with a sentence; a form that cannot be taken is shown again as it was typed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from operations import announcing, communication, incidents, next_steps, story
from operations.admin import incident_page
from operations.admin.incident_forms import (
    CancelForm,
    DuplicateForm,
    EditForm,
    FollowUpForm,
    NoteForm,
    RoleForm,
    SeverityForm,
    UpdateForm,
)
from operations.models import FollowUp, Incident

Take = Callable[[Incident, Any, User, datetime], str]
State = Incident.State


def actor(request: HttpRequest) -> User:
    return cast(User, request.user)


def address(incident: Incident, place: str = "") -> str:
    return reverse("admin:operations_incident_change", args=[incident.pk]) + place


@require_POST
def step(request: HttpRequest, key: UUID, name: str) -> HttpResponse:
    incident_page.may(request, incident_page.RUN)
    incident = incident_page.of(key)
    if name in next_steps.BUTTONS:
        return _press(request, incident, lambda by, now: _pressed(request, incident, name, by, now))
    if name == "take":
        return _press(request, incident, lambda by, now: _taken(request, incident, by, now))
    if name == "role":
        return _hand(request, incident)
    if name in FORMS:
        return _post(request, incident, name)
    raise Http404("No such step.")


# One press


def _press(request: HttpRequest, incident: Incident, take: Callable[[User, datetime], str]) -> HttpResponse:
    try:
        with transaction.atomic():
            messages.success(request, take(actor(request), timezone.now()))
    except incidents.NotNow as problem:
        messages.error(request, str(problem))
    return HttpResponseRedirect(address(incident))


def _pressed(request: HttpRequest, incident: Incident, name: str, by: User, now: datetime) -> str:
    with incidents.locked(incident) as row:
        if name == next_steps.ACKNOWLEDGE.name:
            incidents.acknowledge(row, by=by, now=now)
            return "You have it. Nobody else is called for it now."
        refuse_if_moved_on(request, row, ("state",))
        if name == next_steps.MITIGATE.name:
            incidents.begin_mitigation(row, row.action, by=by, now=now)
            return "Mitigation has begun. Say below what you are doing."
        return _moved(row, next_steps.BUTTONS[name], by, now)


def _moved(row: Incident, pressed: next_steps.Step, by: User, now: datetime) -> str:
    was = State(row.state)
    moved = incidents.move(row, pressed.state, by=by, now=now)
    if moved.public and pressed.told:
        reopened = pressed.state == State.INVESTIGATING and was not in (State.TRIAGE, State.IDENTIFIED)
        announcing.announce(moved, "reopened" if reopened else pressed.state, now=now, by=by)
    return f"It is {moved.get_state_display().lower()} now."


def refuse_if_moved_on(request: HttpRequest, row: Incident, fields: tuple[str, ...]) -> None:
    changed = story.since(row, request.POST.get("seen", ""), fields)
    if changed:
        raise incidents.NotNow(f"Nothing was done, because the incident moved on meanwhile: {_told(changed)} Look again first.")


def _told(changed: list[story.Line]) -> str:
    return " ".join(f"{each.heading} {_became(each)} ({each.who}, {each.at:%H:%M} UTC)." for each in changed)


def _became(line: story.Line) -> str:
    return f"is “{line.new or 'nothing'}” now, was “{line.old or 'nothing'}”" if line.old or line.new else "was changed"


# Who has which part


def _taken(request: HttpRequest, incident: Incident, by: User, now: datetime) -> str:
    return _assigned(request, incident, request.POST.get("role", ""), by, by=by, now=now)


def _hand(request: HttpRequest, incident: Incident) -> HttpResponse:
    form = RoleForm(request.POST, prefix="role")
    if not form.is_valid():
        return _again(request, incident, "role", form, "Choose a part and a person.")
    role, person = form.cleaned_data["role"], form.cleaned_data["person"]
    return _press(request, incident, lambda by, now: _assigned(request, incident, role, person, by=by, now=now))


def _assigned(request: HttpRequest, incident: Incident, role: str, person: User | None, *, by: User, now: datetime) -> str:
    if role not in incidents.ROLES:
        raise incidents.NotNow("There is no such part.")
    with incidents.locked(incident) as row:
        refuse_if_moved_on(request, row, (role,))
        incidents.assign(row, role, person, by=by, now=now)
    return f"{role.capitalize()}: {_called(person)}."


def _called(person: User | None) -> str:
    return person.get_full_name() or person.get_username() if person else "nobody"


# What is typed


def _post(request: HttpRequest, incident: Incident, name: str) -> HttpResponse:
    kind, take = FORMS[name]
    form = kind(request.POST, prefix=name)
    if not form.is_valid():
        return _again(request, incident, name, form, "Nothing was saved yet: see below what is missing.", status=400)
    if "preview" in request.POST:
        return _preview(request, incident, name, form)
    by, now = actor(request), timezone.now()
    try:
        with incidents.locked(incident) as row:
            refuse_if_moved_on(request, row, kind.guards)
            done = take(row, form, by, now)
    except incidents.NotNow as problem:
        return _again(request, incident_page.of(incident.pk), name, form, str(problem), status=409)
    messages.success(request, done)
    return HttpResponseRedirect(address(incident, "#timeline" if name in ("update", "note") else ""))


def _again(
    request: HttpRequest, incident: Incident, name: str, form: forms.Form, problem: str, *, status: int = 400
) -> HttpResponse:
    return incident_page.whole(request, incident, typed={name: form}, problem=problem, status=status)


def _preview(request: HttpRequest, incident: Incident, name: str, form: forms.Form) -> HttpResponse:
    """The words that would be sent, made by the same function; nothing is saved."""
    for field in UpdateForm.guards:
        setattr(incident, field, form.cleaned_data[field])
    shown = communication.message(incident, now=timezone.now(), text=form.cleaned_data["text"])
    return incident_page.whole(request, incident_page.of(incident.pk), typed={name: form}, preview=shown)


def _update(row: Incident, form: Any, by: User, now: datetime) -> str:
    said = form.cleaned_data
    fields = {name: said[name] for name in UpdateForm.guards}
    row = incidents.update(row, said["text"], by=by, now=now, **fields)
    if not said["tell"]:
        return "Your update is in the timeline."
    announcing.announce(row, "update", now=now, by=by, text=said["text"])
    return "Your update is in the timeline, and subscribers are being told."


def _note(row: Incident, form: Any, by: User, now: datetime) -> str:
    incidents.note(row, form.cleaned_data["text"], by=by, now=now)
    return "Your note is in the timeline."


def _severity(row: Incident, form: Any, by: User, now: datetime) -> str:
    row = incidents.set_severity(row, form.cleaned_data["severity"], by=by, now=now, why=form.cleaned_data["why"])
    return f"The severity is {row.get_severity_display()}."


def _edit(row: Incident, form: Any, by: User, now: datetime) -> str:
    values = dict(form.cleaned_data)
    # The picker knows minutes only; a moment that nobody touched keeps its seconds.
    if values["impact_started_at"] == row.impact_started_at.replace(second=0, microsecond=0):
        del values["impact_started_at"]
    incidents.change(row, by=by, now=now, **values)
    return "Saved."


def _follow_up(row: Incident, form: Any, by: User, now: datetime) -> str:
    said = form.cleaned_data
    incidents.follow_up(row, said["text"], kind=said["kind"], owner=said["owner"], due_on=said["due_on"], by=by, now=now)
    return "The follow-up is on the list."


def _cancel(row: Incident, form: Any, by: User, now: datetime) -> str:
    incidents.move(row, State.CANCELLED, by=by, now=now, text=form.cleaned_data["why"])
    return "It is cancelled. It can be opened again."


def _duplicate(row: Incident, form: Any, by: User, now: datetime) -> str:
    incidents.mark_duplicate(row, form.of, by=by, now=now)
    return f"It is marked as the same as INC-{form.of.number}."


FORMS: dict[str, tuple[Any, Take]] = {
    "update": (UpdateForm, _update),
    "note": (NoteForm, _note),
    "severity": (SeverityForm, _severity),
    "edit": (EditForm, _edit),
    "follow_up": (FollowUpForm, _follow_up),
    "cancel": (CancelForm, _cancel),
    "duplicate": (DuplicateForm, _duplicate),
}


def may_finish(request: HttpRequest, item: FollowUp) -> bool:
    return item.owner_id == request.user.pk or request.user.has_perm(incident_page.RUN)


@require_POST
def finish_follow_up(request: HttpRequest, key: UUID) -> HttpResponse:
    """Pressed on the page of the incident or on the list of all, and goes back there."""
    item = FollowUp.objects.select_related("incident").filter(pk=key).first()
    if item is None:
        raise Http404("No such follow-up.")
    if not may_finish(request, item):
        incident_page.may(request, incident_page.RUN)
    incidents.finish_follow_up(item, by=actor(request), now=timezone.now())
    messages.success(request, "Done, and kept in the timeline.")
    from_list = request.POST.get("back") == "list"
    return HttpResponseRedirect(
        reverse("admin:operations_followup_changelist") if from_list else address(item.incident, "#follow-ups")
    )
