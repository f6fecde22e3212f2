"""Pages of the staff over conversations: who waits for a person, and the transcript with its reply box.

Reading needs `view_contact`, doing needs `change_handover`. What cannot be done now is said as a
sentence, and the words that were typed stay in the box.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from conversations import handover, lookup
from conversations import transcript as transcripts
from conversations.models import FREE_TEXT_WINDOW, Contact, Handover

GONE = "This conversation has no open handover any more. Somebody gave it back to Jeevo."
may_read = permission_required("conversations.view_contact", raise_exception=True)
may_list = permission_required("conversations.view_handover", raise_exception=True)
may_act = permission_required(["conversations.view_contact", "conversations.change_handover"], raise_exception=True)


@never_cache
@require_safe
@may_list
def waiting(request: HttpRequest) -> HttpResponse:
    """Who waits for a person, the longest wait first. `?part=list` is the part that refreshes itself."""
    rows = list(handover.waiting())
    context = {
        "waiting": [each for each in rows if each.taken_at is None],
        "taken": [each for each in rows if each.taken_at is not None],
        "now": timezone.now(),
    }
    if request.GET.get("part") == "list":
        return render(request, "desk/waiting_list.html", context)
    return _page(request, "desk/waiting.html", context | {"title": "Waiting for a person"})


@never_cache
@require_safe
@may_read
def transcript(request: HttpRequest, key: str) -> HttpResponse:
    """One person's conversation. `?part=thread` is the part that refreshes itself."""
    contact = _contact(key)
    if request.GET.get("part") == "thread":
        # Asked every few seconds by every open page: the path of forty answers is worth building only when it changed.
        mark = transcripts.fingerprint(contact)
        if request.headers.get("If-None-Match") == mark:
            return HttpResponseNotModified()
        answer = render(request, "desk/thread.html", _thread(request, contact))
        answer["ETag"] = mark
        return answer
    return _transcript(request, contact)


@require_POST
@may_act
def take(request: HttpRequest, key: UUID) -> HttpResponse:
    done = "You have this conversation. Jeevo stays quiet, but for emergencies, until you give it back."
    return _act(request, key, lambda held, by, now: handover.take(held, by=by, now=now), done)


@require_POST
@may_act
def reply(request: HttpRequest, key: UUID) -> HttpResponse:
    text = request.POST.get("text", "")
    return _act(
        request,
        key,
        lambda held, by, now: handover.reply(held, text, by=by, now=now),
        "Your reply is on its way.",
        text,
    )


@require_POST
@may_act
def close(request: HttpRequest, key: UUID) -> HttpResponse:
    done = "Jeevo has this conversation again and answers what comes in."
    return _act(request, key, lambda held, by, now: handover.close(held, by=by, now=now), done)


Step = Callable[[Handover, AbstractBaseUser, datetime], object]


def _act(request: HttpRequest, key: UUID, step: Step, done: str, typed: str = "") -> HttpResponse:
    contact = _contact(str(key))
    held = contact.handovers.filter(closed_at__isnull=True).first()
    try:
        if held is None:
            raise handover.NotPossible(GONE)
        step(held, cast(AbstractBaseUser, request.user), timezone.now())
    except handover.NotPossible as problem:
        return _transcript(request, contact, problem=str(problem), typed=typed, status=409)
    messages.success(request, done)
    return redirect(reverse("admin:conversations_contact_change", args=[contact.pk]))


def _contact(key: str) -> Contact:
    found = lookup.as_key(key)
    if found is None:
        raise Http404("No such conversation.")
    return get_object_or_404(Contact, pk=found)


def _thread(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    before = parse_datetime(request.GET.get("before", "").replace(" ", "+"))
    return {"contact": contact, "page": transcripts.page(contact, before=before), "before": before}


def _transcript(request: HttpRequest, contact: Contact, *, problem: str = "", typed: str = "", status: int = 200) -> HttpResponse:
    now = timezone.now()
    until = contact.last_inbound_at + FREE_TEXT_WINDOW if contact.last_inbound_at else None
    held = contact.handovers.filter(closed_at__isnull=True).select_related("taken_by").first()
    context = {
        "title": f"Conversation with {contact.label}",
        "held": held,
        "mine": bool(held and held.taken_by_id == request.user.pk),
        "others": bool(held and held.taken_by_id and held.taken_by_id != request.user.pk),
        "in_window": handover.in_window(contact, now=now),
        "until": until,
        "left": spoken(until - now) if until and until > now else "",
        "may_act": request.user.has_perm("conversations.change_handover"),
        "problem": problem,
        "typed": typed,
        "longest": handover.LONGEST_REPLY,
        "mark": transcripts.fingerprint(contact),
        **_thread(request, contact),
    }
    return _page(request, "desk/transcript.html", context, status=status)


def spoken(length: Any) -> str:
    """ "3 h 12 min", "12 min", "less than a minute"."""
    minutes = int(length.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"


def _page(request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    return render(request, template, {**admin.site.each_context(request), **context}, status=status)
