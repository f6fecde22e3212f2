"""The pages of a restore: asked for, approved by another person, looked at, put in place, and undone.

A form that was made for another state of the restore is refused, so that nobody confirms what they have not seen. The
work itself is done by the operator's process, never here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from operations import postgres, restorable, restore_changes, restore_progress, restored_copy, restores
from operations.backup_pages import fragment
from operations.models import Backup, Restore
from operations.models.restores import UNDER_WAY
from operations.restore_forms import NameForm, RequestForm, fresh

ADD, APPROVE, LOOK = "operations.add_restore", "operations.approve_restore", "operations.view_restore"
Status = Restore.Status
View = Callable[..., HttpResponse]
STALE = "This restore has moved on since you opened the page. Look again before you decide."
PLACE = "admin/operations/restore"
may_look = permission_required(LOOK, raise_exception=True)


def asking(permission: str) -> Callable[[View], View]:
    """A page with a form of its own, for whoever may."""

    def wrap(view: View) -> View:
        guarded = never_cache(sensitive_post_parameters()(require_http_methods(["GET", "HEAD", "POST"])(view)))
        return permission_required(permission, raise_exception=True)(guarded)

    return wrap


@asking(ADD)
def add(request: HttpRequest) -> HttpResponse:
    earliest, reasons = restorable.earliest(), restorable.reasons()
    backup = request.GET.get("backup")
    # The field has whole seconds.
    first = None if backup or earliest is None else earliest + timedelta(seconds=1)
    instant = first and max(first, timezone.now() - timedelta(minutes=1))
    start = {"instant": instant, "backup": backup}
    sent = request.method == "POST"
    form = RequestForm(request.POST if sent else None, initial={**start, "carry_messages": True}, earliest=earliest)
    if sent and _valid(form, sure := fresh(request)):
        try:
            restore = restores.request(by=cast(User, request.user), now=timezone.now(), **form.cleaned_data)
        except restores.NotNow as problem:
            form.add_error(None, str(problem))
        else:
            return redirect("admin:operations_restore_change", restore.pk)
    sure = fresh(request) if not sent else sure
    context = {"form": form, "sure": sure, "earliest": earliest, "reasons": reasons, "now": timezone.now()}
    return _page(request, "add.html", context | {"title": "Restore something"}, failed=sent)


def _valid(*given: forms.Form | None) -> bool:
    """Of all of them, so that every one says what is wrong with it."""
    checked = [form is None or form.is_valid() for form in given]
    return all(checked)


@may_look
@never_cache
@require_safe
def show(request: HttpRequest, key: UUID) -> HttpResponse:
    people = ("requested_by", "approved_by", "confirmed_by", "undo_by", "backup")
    restore = get_object_or_404(Restore.objects.select_related(*people), pk=key)
    context = {"restore": restore, **_state(request, restore)}
    if request.GET.get("part") == "state":
        return fragment(request, f"{PLACE}/state.html", context)
    history = LogEntry.objects.filter(object_id=str(restore.pk), content_type__model="restore").select_related("user")
    return _page(request, "restore.html", context | {"title": str(restore), "history": history})


def _state(request: HttpRequest, restore: Restore) -> dict[str, Any]:
    now, may = timezone.now(), request.user.has_perm
    steps = restore_progress.PREPARING_KNOWLEDGE if restore.is_of_knowledge else restore_progress.PREPARING
    expect = steps if restore.status in (Status.APPROVED, Status.PREPARING) else ()
    undoable = restore.status == Status.DONE and not restores.may_undo(restore, now=now)
    return {
        "story": restore_progress.story(restore.pk, expect=expect),
        "changes": _changes(restore, restore.losses) if restore.losses else None,
        "under_way": restore.status in UNDER_WAY,
        "own": restore.requested_by_id == request.user.pk,
        "may_approve": may(APPROVE),
        "may_restore": may(ADD),
        "may_cancel": may(ADD) and restore.status in (Status.REQUESTED, Status.APPROVED, Status.PREPARING, Status.READY),
        "undo_until": restore.swapped_at + restores.UNDO_FOR if undoable and restore.swapped_at else None,
        "progress_address": restore_progress.address(restore.pk),
        "approve_by": restore.requested_at + restores.APPROVED_FOR,
    }


def _changes(restore: Restore, losses: dict[str, dict[str, int]]) -> restore_changes.Changes:
    return restore_changes.read(losses, carry_messages=restore.carry_messages, of_knowledge=restore.is_of_knowledge)


@asking(APPROVE)
def approve(request: HttpRequest, key: UUID) -> HttpResponse:
    restore = get_object_or_404(Restore, pk=key)
    own = restore.requested_by_id == request.user.pk

    def go() -> None:
        alone = own and request.POST.get("alone") == "yes"
        restores.approve(restore, by=cast(User, request.user), now=timezone.now(), break_glass=alone)

    context = {"title": "Approve this restore", "own": own}
    return _decide(request, restore, Status.REQUESTED, "approve.html", go, context=context)


@asking(ADD)
def confirm(request: HttpRequest, key: UUID) -> HttpResponse:
    restore = get_object_or_404(Restore, pk=key)
    form = NameForm(request.POST if request.method == "POST" else None)

    def go() -> None:
        restores.confirm(restore, typed=form.cleaned_data["typed"], by=cast(User, request.user), now=timezone.now())

    changes = _changes(restore, restore.losses)
    context = {"title": "Check before you put it in place", "changes": changes}
    to = restore_progress.address(restore.pk)
    return _decide(request, restore, Status.READY, "confirm.html", go, form=form, context=context, to=to)


@asking(ADD)
def undo(request: HttpRequest, key: UUID) -> HttpResponse:
    restore = get_object_or_404(Restore, pk=key)
    form = NameForm(request.POST if request.method == "POST" else None)

    def go() -> None:
        restores.ask_undo(restore, typed=form.cleaned_data["typed"], by=cast(User, request.user), now=timezone.now())

    changes = None
    if restore.status == Status.DONE and not restores.may_undo(restore, now=timezone.now()):
        losses = restored_copy.what_would_change(restore, restore.old_database)
        changes = restore_changes.read(losses, carry_messages=True, of_knowledge=restore.is_of_knowledge)
    context = {"title": "Check before you undo it", "changes": changes}
    to = restore_progress.address(restore.pk)
    return _decide(request, restore, Status.DONE, "undo.html", go, form=form, context=context, to=to)


def _decide(
    request: HttpRequest,
    restore: Restore,
    expected: str,
    template: str,
    go: Callable[[], None],
    *,
    context: dict[str, Any],
    form: NameForm | None = None,
    to: str = "",
) -> HttpResponse:
    """Show what would happen, and do it when it was sent, is meant and still fits."""
    page = reverse("admin:operations_restore_change", args=[restore.pk])
    seen = request.POST.get("seen", restore.status)
    if restore.status != expected or seen != restore.status:
        messages.warning(request, STALE)
        return redirect(page)
    sure, problem, sent = fresh(request), "", request.method == "POST"
    if sent and _valid(form, sure):
        try:
            go()
        except restores.NotNow as error:
            problem = str(error)
        else:
            return redirect(to or page)
    asked = {"restore": restore, "form": form, "sure": sure, "problem": problem, "database": postgres.live().database}
    return _page(request, template, asked | context, failed=sent)


@permission_required(ADD, raise_exception=True)
@require_POST
def cancel(request: HttpRequest, key: UUID) -> HttpResponse:
    restore = get_object_or_404(Restore, pk=key)
    try:
        restores.cancel(restore, by=cast(User, request.user), now=timezone.now())
    except restores.NotNow as problem:
        messages.warning(request, str(problem))
    else:
        messages.success(request, "It is cancelled. Nothing that is live was changed.")
    return redirect("admin:operations_restore_change", restore.pk)


def _page(request: HttpRequest, template: str, context: dict[str, Any], *, failed: bool = False) -> HttpResponse:
    kept = Backup.objects.kept().exists()
    shared = {**admin.site.each_context(request), "any_backup": kept}
    return render(request, f"{PLACE}/{template}", {**shared, **context}, status=400 if failed else 200)
