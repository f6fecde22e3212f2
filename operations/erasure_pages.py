"""The page on which a person is erased: what would go, what is being done for them now, why, and who it is that asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from conversations import erasure
from conversations.models import Contact
from operations import erasure_record, erasures
from operations.models import Erasure
from operations.phrases import count
from operations.restore_forms import fresh

NEEDS = ("conversations.view_contact", "conversations.erase_contact")
_WORDS = {
    "messages": ("message from them", "messages from them"),
    "outbound": ("message to them", "messages to them"),
    "answers": ("answer with its sources and marks", "answers with their sources and marks"),
    "handovers": ("handover", "handovers"),
    "questions": ("question kept for clinicians", "questions kept for clinicians"),
    "events": ("body of WhatsApp that was not understood", "bodies of WhatsApp that were not understood"),
}


def counted(counts: Mapping[str, int]) -> list[str]:
    return [count(counts[name], *words) for name, words in _WORDS.items() if counts.get(name)]


class EraseForm(forms.Form):
    reason = forms.CharField(label="Why", max_length=Erasure._meta.get_field("reason").max_length)
    all_the_same = forms.BooleanField(label="I have looked at this; erase them all the same", required=False)


@permission_required(NEEDS, raise_exception=True)
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest, key: UUID) -> HttpResponse:
    contact = get_object_or_404(Contact.objects.defer("phone", "wa_user_id", "name"), pk=key)
    sent, problem = request.method == "POST", ""
    form, sure = EraseForm(request.POST if sent else None), fresh(request)
    person = erasure.of(contact)
    if sent and all(each is None or each.is_valid() for each in (form, sure)):
        try:
            row = erasures.erase(person, by=cast(User, request.user), **form.cleaned_data)
        except (erasures.Refused, erasure_record.Damaged) as error:
            problem = str(error)
        else:
            went = ", ".join(counted(row.counts)) or "nothing but the number"
            messages.success(request, f"This person is erased: {went}.")
            return redirect("admin:conversations_contact_changelist")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Erase this person",
        "contact": contact,
        "form": form,
        "sure": sure,
        "problem": problem,
        "under_way": erasure.under_way(person),
        "counts": counted(erasures.look(person).counts),
    }
    return render(request, "admin/operations/erasure/erase.html", context, status=400 if sent else 200)
