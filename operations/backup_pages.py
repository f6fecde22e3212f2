"""What staff do on the pages of backups: look whether the service could be brought back, take one, cancel one, read one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_celery_beat.models import PeriodicTask

from operations import backup_progress, backup_schedule, backups, offsite_standing, restorable, standbys
from operations.models import Backup
from operations.models.backups import KEPT_STATES

ADD, LOOK = "operations.add_backup", "operations.view_backup"
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="[^"]*"')


@dataclass(frozen=True)
class Run:
    """A timer with its next time, None when it is switched off."""

    name: str
    at: datetime | None
    href: str


may_take = permission_required(ADD, raise_exception=True)
may_look = permission_required(LOOK, raise_exception=True)


def fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Part of a page that is asked for again and again; 304 when it would look the same."""
    text = render_to_string(template, context, request)
    mark = f'"{sha256(_TOKEN.sub("", text).encode()).hexdigest()[:20]}"'
    if request.headers.get("If-None-Match") == mark:
        return HttpResponseNotModified(headers={"ETag": mark})
    return HttpResponse(text, headers={"ETag": mark})


def overview(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    found = restorable.measure(now=now)
    first = restorable.earliest() if found.any_instant else None
    return {
        "now": now,
        "restorable": found,
        "earliest": first,
        "lost": restorable.in_words(found.lost),
        "outside": offsite_standing.standing(now=now),
        "standby": standbys.said(now=now),
        "runs": runs(request, now=now),
        "work": backup_progress.under_way(now=now),
        "may_take": request.user.has_perm(ADD),
        "may_restore": request.user.has_perm("operations.add_restore"),
    }


def runs(request: HttpRequest, *, now: datetime) -> list[Run]:
    """The timers of the schedule, the next one first."""
    names = [name for name, _, _ in backup_schedule.TIMERS]
    may = request.user.has_perm("django_celery_beat.change_periodictask")
    found = []
    for task in PeriodicTask.objects.filter(name__in=names).select_related("crontab", "interval"):
        at = _whole_minute(now + task.schedule.remaining_estimate(now)) if task.enabled else None
        href = reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]) if may else ""
        found.append(Run(task.name, at, href))
    return sorted(found, key=lambda run: (run.at is None, run.at or now))


def _whole_minute(at: datetime) -> datetime:
    """Celery looks at its own clock, a moment after ours."""
    return (at + timedelta(seconds=30)).replace(second=0, microsecond=0)


@may_look
@never_cache
@require_safe
def now_part(request: HttpRequest) -> HttpResponse:
    return fragment(request, "admin/operations/backup/now.html", overview(request))


@may_take
@require_POST
def take(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    kind = request.POST.get("kind", "")
    if kind not in Backup.Kind.values:
        raise PermissionDenied
    label = Backup.Kind(kind).label
    if Backup.objects.filter(kind=kind, status=Backup.Status.REQUESTED).exists():
        messages.info(request, f"A {label} waits already; it is made next.")
        return redirect("admin:operations_backup_changelist")
    backup = backups.request(kind, now=timezone.now(), by=user)
    LogEntry.objects.log_actions(user.pk, [backup], ADDITION, "Asked for.", single_object=True)
    messages.success(request, f"A {label} was asked for. It begins when the operator's process has its hands free.")
    return redirect("admin:operations_backup_changelist")


@may_take
@require_POST
def cancel(request: HttpRequest, key: UUID) -> HttpResponse:
    user = cast(User, request.user)
    backup = get_object_or_404(Backup, pk=key)
    if backups.cancel(backup, by=user, now=timezone.now()):
        LogEntry.objects.log_actions(user.pk, [backup], CHANGE, "Cancelled.", single_object=True)
        messages.success(request, "It is cancelled. If it had begun it stops in a moment, and what it wrote is removed.")
    else:
        messages.warning(request, "It had ended already, so there was nothing to cancel.")
    return redirect("admin:operations_backup_changelist")


@may_look
@never_cache
@require_safe
def show(request: HttpRequest, key: UUID) -> HttpResponse:
    backup = get_object_or_404(Backup.objects.select_related("parent", "requested_by", "cancelled_by"), pk=key)
    now = timezone.now()
    context = {
        "backup": backup,
        "progress": backup_progress.of(backup, now=now),
        "over": backup.status not in ("requested", "running") and not (backup.status == "taken" and backup.step),
        "may_take": request.user.has_perm(ADD),
        "may_restore": request.user.has_perm("operations.add_restore")
        and backup.status in KEPT_STATES
        and backup.kind != Backup.Kind.CONFIGURATION,
    }
    if request.GET.get("part") == "state":
        return fragment(request, "admin/operations/backup/state.html", context)
    chain = backups.chain(backup) if backup.kind != Backup.Kind.DUMP else []
    page = {
        **admin.site.each_context(request),
        "title": str(backup),
        "chain": chain if len(chain) > 1 else [],
        "children": list(backup.children.order_by("requested_at")),
        "tables": [(name, found["rows"]) for name, found in sorted(backup.verification.get("tables", {}).items())],
        "files": backup.manifest.get("files", []),
        "here": backups.place(backup).is_dir(),
        "history": LogEntry.objects.filter(object_id=str(backup.pk), content_type__model="backup").select_related("user"),
    }
    return render(request, "admin/operations/backup/backup.html", page | context)
